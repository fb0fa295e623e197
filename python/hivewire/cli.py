"""The `hivewire` command (protocol.md section 10).

Standard output holds only what was asked for; problems are one line each on standard error. Each
command imports what it needs when it runs, so that `hivewire --help` is quick.

Exit status: 0 all is well · 1 it is not · 2 the command line or the settings cannot be used.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

import hivewire

if TYPE_CHECKING:
    from collections.abc import Generator

    from hivewire.config import Settings
    from hivewire.hooks import App

cli = typer.Typer(
    help="A durable chat connection server: a Rust engine holds the sockets, Python decides.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

push = typer.Typer(help="Push notifications that were given up.", no_args_is_help=True)
cli.add_typer(push, name="push")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings as TOML.", metavar="FILE")
]
DataDirectory = Annotated[
    Path | None, typer.Option("--data", help="Data directory (default: ./data).", metavar="DIR")
]
BACKUP_SECONDS = 24 * 3600.0
"""How long a node may take to copy what it has to another disk."""
HostPort = Annotated[str | None, typer.Option(metavar="HOST:PORT")]


def main() -> None:
    """Run the command line; the entry point of `hivewire` and `python -m hivewire`."""
    with contextlib.suppress(KeyboardInterrupt):
        cli(prog_name="hivewire")


@cli.callback(invoke_without_command=True)
def options(*, version: Annotated[bool, typer.Option(help="Print the version.")] = False) -> None:
    """Answer what needs no command."""
    if version:
        typer.echo(f"hivewire {hivewire.__version__}")
        raise typer.Exit


@cli.command()
def serve(
    app: Annotated[
        str | None,
        typer.Argument(metavar="[MODULE:OBJECT]", help="An application: a hivewire.App."),
    ] = None,
    *,
    config: ConfigFile = None,
    edge: HostPort = None,
    api: HostPort = None,
    data: DataDirectory = None,
    dev: Annotated[bool, typer.Option("--dev", help="Keep a generated secret in --data.")] = False,
) -> None:
    """Run a node until SIGTERM; prints one `ready` line when it accepts."""
    application = None if app is None else find(app)
    with problems():
        flags: dict[str, dict[str, object]] = {
            "edge": {"address": edge},
            "api": {"address": api},
            "store": {"path": data},
        }
        settings = read_settings(config, **flags)
        from hivewire import log, supervisor
        from hivewire.auth import dev_settings
        from hivewire.launch import Launch

        if dev:
            settings = dev_settings(settings)
        log.configure(settings.log)
        launch = Launch(app, config, flags, dev)
        raise typer.Exit(supervisor.serve(settings, application, launch))


@cli.command()
def reload(config: ConfigFile = None, data: DataDirectory = None) -> None:
    """Have the running node read settings and application again; no connection ends."""
    with problems():
        from hivewire.control import ask

        settings = read_settings(config, store={"path": data})
        done, text = ask(settings.store.path, "reload")
        if not done:
            refuse(f"not reloaded: {text}", status=1)
        typer.echo(text)


@cli.command()
def token(
    user: Annotated[str, typer.Option("--user", help="Whom the token is for.")],
    device: Annotated[
        str | None, typer.Option("--device", help="Bind the token to this device.")
    ] = None,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it lives: 30s, 1h, 7d.")] = "1h",
    config: ConfigFile = None,
    data: DataDirectory = None,
) -> None:
    """Print a token, signed with auth.secret or the development secret in --data."""
    with problems():
        from hivewire.auth import mint_token
        from hivewire.config import parse_duration

        check_id("--user", user)
        if device is not None:
            check_id("--device", device)
        try:
            seconds = parse_duration(ttl) // 1000
        except ValueError as error:
            refuse(f"--ttl: {error}")
        settings = with_key(read_settings(config, store={"path": data}))
        typer.echo(mint_token(settings.auth, user, device, ttl=seconds))


@cli.command("check-config")
def check_config(
    config: ConfigFile = None,
    *,
    dev: Annotated[bool, typer.Option("--dev", help="As for `serve --dev`.")] = False,
) -> None:
    """Read the settings as `serve` would, and say what is wrong with them."""
    with problems():
        from hivewire.auth import Verifier, keyring_of, weakness

        settings = read_settings(config)
        if not (dev and settings.auth.algorithm == "HS256"):
            Verifier(settings.auth, keyring_of(settings, time.monotonic))
        warning = weakness(settings.auth) if settings.auth.secret else None
        if warning:
            typer.echo(f"warning: {warning}", err=True)
        typer.echo("the settings are fine")


@cli.command()
def doctor(config: ConfigFile = None, data: DataDirectory = None) -> None:
    """Look at this machine: limits, kernel, disk, ports, libraries."""
    with problems():
        settings = read_settings(config, store={"path": data})
        from hivewire.doctor import examine

        healthy = True
        for finding in examine(settings):
            typer.echo(finding.line())
            healthy &= not finding.is_error
        raise typer.Exit(0 if healthy else 1)


@cli.command()
def verify(
    data: Annotated[Path, typer.Option("--data", help="Data directory.", metavar="DIR")],
) -> None:
    """Prove on disk what the protocol promises; the node must not be running."""
    with problems():
        from hivewire.store.rocks import Rocks
        from hivewire.store.verify import verify as prove

        if not data.is_dir():
            refuse(f"{data}: no such directory")
        with contextlib.closing(Rocks.open(data)) as store:
            report = prove(store)
        for problem in report.problems:
            typer.echo(f"{problem.rule}: {problem.where}: {problem.message}")
        counted = ", ".join(f"{count} {name}" for name, count in sorted(report.counts.items()))
        typer.echo(f"{'ok' if report.ok else 'NOT ok'}: {counted}")
        raise typer.Exit(0 if report.ok else 1)


@push.command("dead")
def push_dead(
    data: Annotated[Path, typer.Option("--data", help="Data directory.", metavar="DIR")],
    user: Annotated[str | None, typer.Option("--user", help="Of this user alone.")] = None,
) -> None:
    """Print the pushes that were given up, a JSON object a line; the node must not be running."""
    with problems():
        import msgspec

        from hivewire.push.dead import dead_letters
        from hivewire.store.rocks import Rocks

        with contextlib.closing(Rocks.open(data, create=False)) as store:
            for letter in dead_letters(store, user):
                typer.echo(msgspec.json.encode(letter.to_dict()).decode())


@push.command("replay")
def push_replay(
    data: Annotated[Path, typer.Option("--data", help="Data directory.", metavar="DIR")],
    user: Annotated[str | None, typer.Option("--user", help="Of this user alone.")] = None,
) -> None:
    """Put them back, so that the node delivers them when it runs again."""
    with problems():
        from hivewire.clock import wall_ms
        from hivewire.push.dead import dead_letters, replay
        from hivewire.store.rocks import Rocks

        with contextlib.closing(Rocks.open(data, create=False)) as store:
            count = replay(store, dead_letters(store, user), wall_ms())
        typer.echo(f"{count} to be delivered")


@cli.command()
def inspect(
    data: Annotated[Path, typer.Option("--data", help="Data directory.", metavar="DIR")],
    user: Annotated[str | None, typer.Option("--user", help="This user and his timeline.")] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="This conversation and its log.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="What --user used this key for.")] = None,
    after: Annotated[int, typer.Option("--after", help="Events behind this place.", min=0)] = 0,
    limit: Annotated[int, typer.Option("--limit", help="So many events.", min=0)] = 100,
) -> None:
    """Look into a data directory, a JSON object a line; changes nothing, a node may run."""
    with problems():
        import msgspec

        from hivewire import look
        from hivewire.store.rocks import Rocks

        if key is not None and user is None:
            refuse("--key: say whose with --user")
        with Rocks.open_to_read(data) as store:
            if key is not None and user is not None:
                lines = look.key(store, user, key)
            elif user is not None:
                lines = look.user(store, user, after, limit)
            elif conversation is not None:
                lines = look.conversation(store, conversation, after, limit)
            else:
                lines = look.overview(store)
            for line in lines:
                typer.echo(msgspec.json.encode(line))


@cli.command()
def backup(
    to: Annotated[Path, typer.Option("--to", help="A new directory.", metavar="DIR")],
    config: ConfigFile = None,
    data: DataDirectory = None,
) -> None:
    """Make a backup, through the node if one runs on the data directory."""
    with problems():
        from hivewire.backup import describe, make_backup, source_of
        from hivewire.control import NotRunning, ask
        from hivewire.store.rocks import Rocks

        settings, to = read_settings(config, store={"path": data}), to.absolute()
        if "\n" in str(to):
            refuse("--to: a line break in its name")
        try:
            done, text = ask(settings.store.path, f"backup {to}", seconds=BACKUP_SECONDS)
        except NotRunning:
            with contextlib.closing(Rocks.open(settings.store.path, create=False)) as store:
                done, text = True, describe(to, make_backup(source_of(store, settings), to))
        if not done:
            refuse(text, status=1)
        typer.echo(text)


@cli.command()
def restore(
    backup: Annotated[Path, typer.Option("--from", help="The backup.", metavar="DIR")],
    data: DataDirectory = None,
) -> None:
    """Make a data directory of a backup; clients start again from it, under a new epoch."""
    with problems():
        from hivewire.backup import restore as read_back

        path = read_settings(None, store={"path": data}).store.path
        record = read_back(backup, path)
        typer.echo(f"restored {record.bytes} bytes to {path}")


@cli.command()
def top(
    url: Annotated[str, typer.Option(help="The api listener's.")] = "http://127.0.0.1:8001",
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1)] = 1.0,
    rounds: Annotated[int | None, typer.Option(help="End after so many.", min=1)] = None,
) -> None:
    """Show a node's figures in this terminal, live."""
    with problems():
        from rich.console import Console

        from hivewire.top import Unreachable, watch

        try:
            watch(url, interval, rounds, Console())
        except Unreachable as problem:
            refuse(str(problem), status=1)


@cli.command()
def why(
    conv: Annotated[str, typer.Argument(metavar="CONV", help="E.g. direct:ann,ben.")],
    n: Annotated[int, typer.Argument(metavar="N", help="The message's number in it.", min=1)],
    config: ConfigFile = None,
    data: DataDirectory = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the node's answer.")] = False,
) -> None:
    """Tell what became of a message on the running node, for each device and with times."""
    with problems():
        from hivewire.control import ask

        settings = read_settings(config, store={"path": data})
        found, told = ask(settings.store.path, f"why {conv} {n}")
        if not found:
            refuse(told, status=1)
        if as_json:
            typer.echo(told)
            return
        from hivewire.why import show

        show(told)


@cli.command()
def echo(
    edge: Annotated[str, typer.Option(metavar="HOST:PORT")] = "127.0.0.1:8000",
    max_message: Annotated[str, typer.Option(help="Longest message, e.g. 16M.")] = "64KiB",
    max_fragments: Annotated[int, typer.Option(help="Frames of one message.")] = 1024,
    *,
    deflate: Annotated[bool, typer.Option("--deflate", help="permessage-deflate.")] = False,
) -> None:
    """Run the bare engine as an echo server at `/`, without rate limits."""
    with problems():
        from hivewire.config import parse_size

        try:
            message_bytes = parse_size(max_message)
        except ValueError as error:
            refuse(f"--max-message: {error}")
        from hivewire import echo as bare

        raise typer.Exit(bare.serve(edge, message_bytes, max_fragments, deflate=deflate))


@cli.command()
def chat(
    me: Annotated[str, typer.Option("--as", help="Your user id.")],
    to: Annotated[str, typer.Option("--to", help="Whom you talk to.")],
    url: Annotated[str, typer.Option(help="The node's address.")] = "ws://127.0.0.1:8000/v1/ws",
    data: DataDirectory = None,
    token: Annotated[str | None, typer.Option("--token", help="Instead of minting one.")] = None,
) -> None:
    """Talk to someone in this terminal; open it twice and talk to yourself."""
    with problems():
        check_id("--as", me)
        check_id("--to", to)
        if token is None:
            from hivewire.auth import mint_token

            settings = with_key(read_settings(None, store={"path": data}))
            token = mint_token(settings.auth, me, ttl=24 * 3600)
        from hivewire.chat import run

        raise typer.Exit(run(url, token, me, to))


@contextlib.contextmanager
def problems() -> Generator[None]:
    """Turn what a person can put right into lines on standard error and an exit status."""
    try:
        yield
    except OSError as error:
        refuse(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), 1)
    except typer.Exit:
        raise
    except Exception as error:
        from hivewire.auth import KeyProblem
        from hivewire.backup import BackupError
        from hivewire.config import ConfigError
        from hivewire.control import NoNode
        from hivewire.store.errors import StoreError

        if isinstance(error, ConfigError | KeyProblem):
            refuse(str(error))
        if isinstance(error, StoreError | BackupError | NoNode):
            refuse(str(error), status=1)
        raise


def refuse(text: str, status: int = 2) -> NoReturn:
    """Say why not, a line each, and end."""
    for line in text.splitlines():
        sys.stderr.write(f"hivewire: {line}\n")
    raise typer.Exit(status)


def read_settings(config: Path | None, **flags: dict[str, object]) -> Settings:
    """The settings with the given flags on top. Raises ConfigError."""
    from hivewire.config import load

    return load(config, **flags)


def with_key(settings: Settings) -> Settings:
    """The settings with the secret of an earlier `serve --dev` where none is configured."""
    from hivewire.auth import KeyProblem, read_dev_secret, with_secret

    auth = settings.auth
    if auth.algorithm != "HS256" or auth.secret is not None:
        return settings
    secret = read_dev_secret(settings.store.path)
    if secret is None:
        directory = settings.store.path
        raise KeyProblem(f"auth.secret: not set, and no `serve --dev` left one in {directory}")
    return with_secret(settings, secret)


def check_id(option: str, value: str) -> None:
    """End with a sentence when `value` is no id (protocol.md section 2)."""
    from hivewire.auth.identity import is_id

    if not is_id(value):
        refuse(f"{option}: {value!r} is no id: 1 to 64 of A-Z a-z 0-9 . _ ~ @ + = / -")


def find(spec: str) -> App:
    """The application that `serve` was given; what its module raises is shown as it is."""
    from hivewire.hooks.finding import AppNotFound, find_app

    try:
        return find_app(spec)
    except AppNotFound as error:
        refuse(str(error))
