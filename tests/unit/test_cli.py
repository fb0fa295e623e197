"""The command line (protocol section 10): output, problems, exit statuses."""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hivewire
from hivewire.auth import Verifier, dev_secret
from hivewire.cli import cli
from hivewire.config import load
from hivewire.config.settings import environment_names

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_the_version() -> None:
    assert run("--version") == (0, f"hivewire {hivewire.__version__}\n", "")


def test_the_version_is_that_of_the_manifests() -> None:
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert hivewire.__version__ == python == rust


def test_help_names_every_command() -> None:
    status, out, _ = run("--help")
    assert status == 0
    for command in ("serve", "token", "check-config", "doctor", "verify", "echo", "chat"):
        assert command in out


def test_help_is_quick() -> None:
    """Nothing heavy is imported before a command runs."""
    code = "import sys, hivewire.cli; print([m for m in ('jwt', 'pydantic', 'uvicorn', 'rocksdict',"
    code += " 'hivewire.app', 'picows', 'structlog') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_a_token_is_for_the_user_and_lives_as_long_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HIVEWIRE_AUTH__SECRET", SECRET)
    status, out, err = run("token", "--user", "u1", "--device", "phone", "--ttl", "90s")
    identity = Verifier(load().auth).verify(out.strip(), int(time.time()))
    assert (status, err) == (0, "")
    assert (identity.user, identity.device) == ("u1", "phone")
    assert identity.expires == pytest.approx(time.time() + 90, abs=5)


def test_a_token_is_signed_with_the_development_secret_in_the_data_directory(
    tmp_path: Path,
) -> None:
    data = tmp_path / "d"
    secret = dev_secret(data)
    status, out, _ = run("token", "--user", "u1", "--data", str(data))
    assert status == 0
    verifier = Verifier(load(auth={"secret": secret}).auth)
    assert verifier.verify(out.strip(), int(time.time())).user == "u1"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--user", "u1"), "auth.secret: not set, and no `serve --dev` left one in data"),
        (("--user", "two words"), "--user: 'two words' is no id"),
        (("--user", "u1", "--device", ""), "--device: '' is no id"),
        (("--user", "u1", "--ttl", "60"), "--ttl: not a duration"),
    ],
)
def test_a_token_that_cannot_be_made_says_why(arguments: tuple[str, ...], problem: str) -> None:
    status, out, err = run("token", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"hivewire: {problem}")


def test_check_config_is_content_with_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_AUTH__SECRET", SECRET)
    assert run("check-config")[0] == 0
    monkeypatch.delenv("HIVEWIRE_AUTH__SECRET")
    assert run("check-config", "--dev")[0] == 0


def test_check_config_names_each_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f.toml"
    file.write_text("[limits]\nwach = 1\n[auht]\nx = 1\n")
    status, out, err = run("check-config", "--config", str(file))
    assert (status, out) == (2, "")
    assert "hivewire: limits.wach: unknown setting\n" in err
    assert "hivewire: auht: unknown setting\n" in err
    monkeypatch.setenv("HIVEWIRE_LIMITS__WACH", "1")
    assert "HIVEWIRE_LIMITS__WACH" in run("check-config")[2]


def test_check_config_wants_a_key() -> None:
    status, _, err = run("check-config")
    assert status == 2
    assert "auth.secret: HS256 needs one" in err


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("hooks", "'hooks' is not MODULE:OBJECT"),
        ("no_such_module_here:app", "No module named 'no_such_module_here'"),
        ("os:no_such_object", "module os has no no_such_object"),
        ("os:path", "os:path: path is a module, not a hivewire.App"),
    ],
)
def test_serve_says_which_application_is_missing(spec: str, problem: str) -> None:
    status, out, err = run("serve", spec)
    assert (status, out) == (2, "")
    assert problem in err


def test_serve_refuses_a_plain_listener_beyond_loopback() -> None:
    status, _, err = run("serve", "--dev", "--edge", "0.0.0.0:0")
    assert status == 2
    assert "edge.insecure" in err


def test_verify_wants_a_directory_that_exists(tmp_path: Path) -> None:
    status, _, err = run("verify", "--data", str(tmp_path / "nowhere"))
    assert status == 2
    assert "no such directory" in err


def test_echo_refuses_what_is_no_size() -> None:
    status, _, err = run("echo", "--max-message", "big")
    assert status == 2
    assert "--max-message: not a size" in err


def test_chat_says_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_AUTH__SECRET", SECRET)
    arguments = ("chat", "--as", "a", "--to", "b", "--url", "ws://127.0.0.1:1/v1/ws")
    status, _, err = run(*arguments)
    assert status == 1
    assert "127.0.0.1" in err
