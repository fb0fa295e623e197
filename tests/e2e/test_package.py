"""What is shipped: the wheel runs without the repository, the source holds what a build needs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.docs import commands as command_line
from tests.docs.commands import lines, smaller
from tests.docs.pages import block
from tests.node import Node

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 600
FORBIDDEN = ("tests/", "docs/", "benches/", "data/", "__pycache__")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command of docs/operations.md makes, of this machine's architecture only."""
    folder = tmp_path_factory.mktemp("dist")
    (command,) = lines(block("docs/operations.md", "make wheels"))
    target = f"{platform.machine()}-unknown-linux-gnu"
    planned = command_line.run([*command, "--dry-run"])
    assert target in planned
    assert planned.count("-unknown-linux-gnu") == 2, "both are published"
    small = smaller(command, WHEEL_TARGETS=target, DIST=str(folder))
    command_line.run(small, seconds=BUILD_SECONDS)
    return folder


@pytest.fixture(scope="module")
def wheel(made: Path) -> Path:
    """The wheel to publish."""
    (wheel,) = made.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; what it depends on is taken from this one."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    subprocess.run([*install, "--no-index", "--no-deps", "--quiet", str(wheel)], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    # A path in a .pth file is searched last and its own .pth files are not read: no repository.
    others = sysconfig.get_path("purelib")
    (Path(found.stdout.strip()) / "dependencies.pth").write_text(f"{others}\n")
    return place


def run(installed: Path, *arguments: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [installed / "bin" / "hivewire", *arguments],
        cwd=installed,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_wheel_is_for_every_python_from_3_11_on_and_for_many_linuxes(wheel: Path) -> None:
    name = wheel.name
    assert "-cp311-abi3-" in name
    assert name.endswith(f".manylinux_2_17_{platform.machine()}.whl"), name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "hivewire/_engine.abi3.so" in names
    assert "hivewire/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [name for name in names if name.startswith(FORBIDDEN) or "__pycache__" in name] == []
    sources = subprocess.run(
        ["git", "ls-files", "python/hivewire"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    ours = {line.removeprefix("python/") for line in sources.stdout.splitlines()}
    assert ours <= set(names), "every file of the package is in the wheel"


@pytest.mark.timeout(BUILD_SECONDS)
def test_a_node_runs_from_the_installed_wheel(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(installed, "--version").startswith("hivewire ")
    python = installed / "bin" / "python"
    monkeypatch.delenv("PYTHONPATH", raising=False)
    where = subprocess.run(
        [python, "-c", "import hivewire; print(hivewire.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(where.strip()).is_relative_to(installed)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.chdir(tmp_path)
    node = Node(tmp_path / "data").start()
    node.stop()
    assert "ok:" in run(installed, "verify", "--data", str(node.data))


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_source_holds_what_a_build_needs(made: Path) -> None:
    (source,) = made.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ("Cargo.lock", "pyproject.toml", "LICENSE", "README.md", "rust/py/Cargo.toml")
    assert set(wanted) <= names
    for folder in ("rust/proto/src/lib.rs", "rust/engine/src/lib.rs", "rust/py/src/lib.rs"):
        assert folder in names
    assert [name for name in names if name.endswith((".so", ".pyc"))] == []


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_wheel_is_built_from_the_source_alone(made: Path, tmp_path: Path) -> None:
    (source,) = made.glob("*.tar.gz")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, str(source)], check=True, cwd=tmp_path)
    assert list(tmp_path.glob("*.whl"))
