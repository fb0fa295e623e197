"""Rules of the project that a reviewer need not remember:

each is a test, each exception has its reason.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stranger import ERROR_CODES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "hivewire"
UNIT = ROOT / "tests" / "unit"
FUNCTION_LINES = 60
FILE_LINES = 500

INVARIANTS = {f"I{number}" for number in range(1, 13)}
WAITING_INVARIANTS: dict[str, str] = {}
"""Invariants that no test can name yet, with the reason."""

NO_UNIT_TEST = {
    "__init__": "gathers names",
    "__main__": "one call of the command line, run by every test that starts a node",
}
NOT_IMPORTED = {
    "hivewire": "the package itself",
    "hivewire.__main__": "python -m hivewire",
    "hivewire.cli": "the entry point of the command line",
    "hivewire.client": "for applications",
}


@functools.cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Files of the project (what git knows or would know), by glob patterns."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(path for line in done.stdout.splitlines() if (path := ROOT / line).exists())


def modules() -> dict[str, Path]:
    """Our Python modules by dotted name."""
    names: dict[str, Path] = {}
    for path in tracked("python/hivewire/*.py"):
        parts = path.relative_to(ROOT / "python").with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


def imports(path: Path) -> set[str]:
    """Every dotted name that a file imports, modules and members alike."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


# -- tests mirror the sources ---------------------------------------------------------------------


def test_every_module_has_its_unit_test() -> None:
    missing = [
        str(path.relative_to(ROOT))
        for path in modules().values()
        if path.stem not in NO_UNIT_TEST
        and "web" not in path.parts
        and not (UNIT / path.relative_to(PACKAGE)).with_name(f"test_{path.stem}.py").exists()
    ]
    assert missing == []


def test_every_unit_test_has_its_module() -> None:
    sources = {path.relative_to(PACKAGE) for path in modules().values()}
    orphans = []
    for path in tracked("tests/unit/*test_*.py"):
        inside = path.relative_to(UNIT)
        source = inside.with_name(inside.name.removeprefix("test_"))
        package = source.with_suffix("") / "__init__.py"
        if source not in sources and package not in sources:
            orphans.append(str(inside))
    assert orphans == []


def test_every_rust_source_of_the_protocol_is_tested() -> None:
    untested = [
        path.name
        for path in tracked("rust/proto/src/*.rs")
        if path.name != "lib.rs"
        and "#[cfg(test)]" not in path.read_text()
        and not (ROOT / "rust" / "proto" / "tests" / path.name).exists()
    ]
    assert untested == []


def test_every_invariant_is_named_by_a_test() -> None:
    named: set[str] = set()
    for path in tracked("tests/*.py", "rust/*.rs"):
        names = re.findall(r"\b(?:def|fn)\s+(\w+)", path.read_text())
        for name in names:
            named |= {f"I{number}" for number in re.findall(r"(?:^|_)i(\d+)(?=_|$)", name.lower())}
    assert INVARIANTS - named - set(WAITING_INVARIANTS) == set()


def test_no_invariant_waits_that_is_tested_by_now() -> None:
    assert set(WAITING_INVARIANTS) <= INVARIANTS
    assert all(WAITING_INVARIANTS.values())


# -- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "room"), [("hivewire._engine", "gateway.py"), ("rocksdict", "store/rocks.py")]
)
def test_only_one_room_imports(name: str, room: str) -> None:
    importers = {
        str(path.relative_to(PACKAGE))
        for path in modules().values()
        if any(found == name or found.startswith(f"{name}.") for found in imports(path))
    }
    assert importers <= {room}


def test_unsafe_only_in_sys() -> None:
    """Blocks, functions and impls; the word in a comment or in a lint's name is none."""
    pattern = re.compile(r"^(?!\s*//).*\bunsafe\s*(?:\{|fn\b|impl\b|extern\b)", re.MULTILINE)
    found = {
        str(path.relative_to(ROOT))
        for path in tracked("rust/*.rs")
        if pattern.search(path.read_text())
    }
    assert found <= {"rust/engine/src/sys.rs"}


def test_the_core_is_pure() -> None:
    """No clock, no sockets, no loop, no RocksDB:

    what is replayed and simulated must not look around.
    """
    forbidden = {
        "time",
        "datetime",
        "asyncio",
        "socket",
        "random",
        "os",
        "threading",
        "secrets",
        "rocksdict",
    }
    impure = {
        str(path.relative_to(ROOT)): sorted(bad)
        for path in tracked("python/hivewire/core/*.py")
        if (bad := {name.split(".")[0] for name in imports(path)} & forbidden)
    }
    assert impure == {}


# -- documents ------------------------------------------------------------------------------------


def protocol_page() -> str:
    return (ROOT / "docs" / "protocol.md").read_text()


def test_every_close_code_is_in_the_protocol() -> None:
    source = (ROOT / "rust" / "proto" / "src" / "close.rs").read_text()
    codes = set(re.findall(r"const \w+: u16 = (\d{4});", source))
    assert len(codes) > 15
    page = protocol_page()
    missing = {code for code in codes if not re.search(rf"\b{code}\b", page)}
    # 1000 to 1013 stand there as a range, "as IANA has them".
    assert {code for code in missing if not 1000 <= int(code) <= 1015} == set()


def test_every_error_code_is_in_the_protocol() -> None:
    page = protocol_page()
    assert {code for code in ERROR_CODES if f"`{code}`" not in page} == set()
    used: set[str] = set()
    for path in tracked("python/hivewire/core/*.py", "python/hivewire/handlers/*.py"):
        found = re.findall(r"(?:Rejection|CommandError)\(\s*(?:code=)?\"(\w+)\"", path.read_text())
        used |= set(found)
    assert used <= ERROR_CODES


JOURNEY_PATH = re.compile(r"`((?:rust|python|tests|benches)/[\w/.]+\.(?:rs|py|pyi))(?:::|`)")
JOURNEY_STEP = re.compile(
    r"`((?:rust|python)/[\w/.]+\.(?:rs|py))`[^`\n]*`([A-Za-z_][\w.:]*)(?:\(.*?\))?`"
)


def test_the_journey_is_true() -> None:
    """Each file that docs/journey.md names exists, and has the function that it names beside it."""
    text = (ROOT / "docs" / "journey.md").read_text()
    paths = JOURNEY_PATH.findall(text)
    assert len(paths) >= 8, "the way of a message has more steps"
    assert [path for path in paths if not (ROOT / path).exists()] == []
    steps = JOURNEY_STEP.findall(text)
    assert len(steps) >= 8, "each step names file and function"
    wrong = [(path, name) for path, name in steps if not _defines(ROOT / path, name)]
    assert wrong == []


def _defines(path: Path, name: str) -> bool:
    last = re.split(r"[.:]+", name)[-1]
    keyword = r"fn" if path.suffix == ".rs" else r"(?:def|class)"
    return re.search(rf"\b{keyword} {last}\b", path.read_text()) is not None


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in tracked("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_decision_records_say_what_confirms_them() -> None:
    for page in tracked("docs/decisions/*.md"):
        if not re.match(r"\d{4}-", page.name):
            continue
        text = page.read_text()
        for word in ("Context", "Decision", "Consequences", "Confirm"):
            assert word in text, f"{page.name} says nothing under {word}"


# -- nothing lies around --------------------------------------------------------------------------


def test_no_module_that_nothing_imports() -> None:
    everywhere: set[str] = set()
    for path in tracked("*.py"):
        everywhere |= imports(path)
    dead = [name for name in modules() if name not in everywhere and name not in NOT_IMPORTED]
    packages = {name.rsplit(".", 1)[0] for name in everywhere}
    assert [name for name in dead if name not in packages] == []


def test_no_test_support_that_nothing_imports() -> None:
    everywhere: set[str] = set()
    for path in tracked("tests/*.py"):
        everywhere |= imports(path)
    texts = "".join(path.read_text() for path in tracked("tests/*.py", "Makefile", ".ci/*"))
    dead = [
        str(path.relative_to(ROOT))
        for path in tracked("tests/*.py")
        if not path.name.startswith(("test_", "__init__", "conftest"))
        and "unit" not in path.parts
        and ".".join(path.relative_to(ROOT).with_suffix("").parts) not in everywhere
        and path.name not in texts
    ]
    assert dead == []


def test_no_document_that_nothing_links() -> None:
    pages = tracked("docs/*.md")
    texts = {page: page.read_text() for page in tracked("*.md")}
    sources = "".join(path.read_text() for path in tracked("Makefile", "*.toml", "tests/*.py"))
    lost = [
        str(page.relative_to(ROOT))
        for page in pages
        if page.name
        not in sources + "".join(text for other, text in texts.items() if other != page)
    ]
    assert lost == []


# -- size and words -------------------------------------------------------------------------------


def test_functions_fit_on_a_screen() -> None:
    long: list[str] = []
    for path in tracked("python/*.py", "tests/*.py", "benches/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} {lines}")
    assert long == []


def test_files_are_of_a_readable_size() -> None:
    """Sources without their tests; a test file may be a longer list."""
    long: list[str] = []
    for path in tracked("python/*.py", "rust/*/src/*.rs"):
        lines = path.read_text().split("#[cfg(test)]")[0].count("\n")
        if lines > FILE_LINES:
            long.append(f"{path.relative_to(ROOT)} {lines}")
    assert long == []


@pytest.mark.parametrize(
    "name", ["utils", "helpers", "common", "manager", "util", "helper", "misc"]
)
def test_no_file_is_named_after_nothing(name: str) -> None:
    assert [path for path in tracked("*.py", "*.rs") if path.stem == name] == []
