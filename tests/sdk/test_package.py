"""hivewire.js as a package: its types, what is packed, and that a program can be written on it."""

from __future__ import annotations

import json
import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from hivewire.client import Adaptive
from tests.docs.pages import block
from tests.sdk.application import HERE, ROOT, install_packages, node_command, npm_command

if TYPE_CHECKING:
    from pathlib import Path

WEB = ROOT / "python" / "hivewire" / "web"
TSC = HERE / "node_modules" / "typescript" / "bin" / "tsc"


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    install_packages()


def tsc(*arguments: str | Path, cwd: Path = HERE) -> None:
    command = [node_command(), str(TSC), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def strictly(program: str, directory: Path) -> None:
    """Check a program of an application."""
    tsc("--strict", "--noEmit", "--module", "NodeNext", "--target", "ES2022",
        "--typeRoots", HERE / "node_modules" / "@types", "--types", "node", program,
        cwd=directory)  # fmt: skip


def test_the_types_in_its_comments_hold_and_are_what_is_declared(tmp_path: Path) -> None:
    """`tsc` in strict mode checks the module; its own declarations are hivewire.d.ts."""
    tsc("-p", HERE / "tsconfig.json", "--noEmit", "false", "--declaration", "--emitDeclarationOnly",
        "--outDir", tmp_path)  # fmt: skip
    declared = (tmp_path / "hivewire.d.ts").read_text()
    assert declared == (WEB / "hivewire.d.ts").read_text(), "run: make js-types"


SAME = """
import type { Change as Ours, Storage as Declared } from "%s";
%s
const shown = (storage: Declared): Storage => storage;
const declared = (storage: Storage): Declared => storage;
const change = (one: Ours): Change => one;
console.log(shown, declared, change);
"""


def test_the_storage_of_the_documents_is_the_one_that_is_declared(tmp_path: Path) -> None:
    """Each can be used as the other."""
    program = SAME % (WEB / "hivewire.js", block("docs/sdk-js.md", "interface Storage").text)
    (tmp_path / "same.ts").write_text(program)
    strictly("same.ts", tmp_path)


PROGRAM = """
import { Client, CommandFailed, FileStorage, newKey } from "hivewire";

const storage = new FileStorage("/tmp/never-opened");
const client: Client = new Client("ws://x", { token: async () => "t", device: "d", storage });
export async function main(): Promise<void> {
  const { n, seq } = await client.send("user:ben", { text: "hi" }, newKey());
  const place: number = n + (seq ?? 0);
  for await (const event of client) console.log(event.from, event.text, place);
  client.on("status", (status) => console.log(status.state));
}
export const wrong = (error: unknown) => error instanceof CommandFailed && error.code;
// @ts-expect-error: a body is an object
void client.send("user:ben", "hi");
"""


def test_what_is_packed_is_all_that_a_program_needs(tmp_path: Path) -> None:
    packed = subprocess.run(
        [npm_command(), "pack", "--json", "--pack-destination", str(tmp_path)],
        cwd=WEB, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (report,) = json.loads(packed.stdout)
    assert {entry["path"] for entry in report["files"]} == {
        *("hivewire.js", "hivewire.d.ts", "package.json")
    }
    package = tmp_path / "node_modules" / "hivewire"
    subprocess.run(["tar", "-xzf", report["filename"]], cwd=tmp_path, check=True)
    package.parent.mkdir()
    (tmp_path / "package").rename(package)
    (tmp_path / "program.ts").write_text(PROGRAM)
    strictly("program.ts", tmp_path)
    (tmp_path / "program.mjs").write_text(
        'import { newKey } from "hivewire"; console.log(newKey().length);'
    )
    done = subprocess.run(
        [node_command(), "program.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "26"


def test_it_has_the_version_of_the_project() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert json.loads((WEB / "package.json").read_text())["version"] == project["version"]


TRACE = """
import { Adaptive } from "%s";
import { readFileSync } from "node:fs";
const told = JSON.parse(readFileSync(0, "utf8")).map((steps) => {
  const pace = new Adaptive();
  const seen = steps.map(([name, ...given]) => {
    pace[name](...given);
    return [pace.interval, pace.nextPing()];
  });
  return [seen, pace.memory()];
});
console.log(JSON.stringify(told));
"""


def life(seed: int) -> list[list[object]]:
    """Silences, answers, losses and moves of one device; the same for the same seed."""
    chance = random.Random(seed)
    time = 0.0
    steps: list[list[object]] = [["connected", 0.0, 300.0, 1.0]]
    for _ in range(300):
        time += chance.choice((1.0, 14.0, 25.0, 37.5, 60.0, 130.0, 290.0))
        steps.append(["sent", time])
        time += chance.choice((0.1, 3.0))
        if chance.random() < 0.9:
            steps.append(["heard", time])
        else:
            steps.append(["lost", time])
            time += chance.choice((0.5, 60.0))
            steps.append(["connected", time, chance.choice((60.0, 300.0)), chance.random()])
        if chance.random() < 0.02:
            steps.append(["use", chance.choice("abc")])
    return steps


def test_its_heartbeat_learns_what_that_of_the_python_client_learns() -> None:
    lives = [life(seed) for seed in range(50)]
    expected: list[object] = []
    for steps in lives:
        pace = Adaptive()
        seen: list[object] = []
        for name, *given in steps:
            getattr(pace, str(name))(*given)
            seen.append([pace.interval, pace.next_ping()])
        expected.append([seen, pace.memory()])
    program = TRACE % (WEB / "hivewire.js").as_uri()
    done = subprocess.run(
        [node_command(), "--input-type=module", "--eval", program],
        input=json.dumps(lives), capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    for (seen, memory), (other_seen, other_memory) in zip(told, expected, strict=True):
        assert seen == [[pytest.approx(value) for value in pair] for pair in other_seen]
        assert {name: known["good"] for name, known in memory.items()} == {
            name: pytest.approx(known.get("good", 0.0)) for name, known in other_memory.items()
        }


def test_its_unit_tests() -> None:
    """Adaptive heartbeat, backoff and storage: `node --test` runs hivewire.test.mjs."""
    env = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
    done = subprocess.run(
        [node_command(), "--test", str(HERE / "hivewire.test.mjs")],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
