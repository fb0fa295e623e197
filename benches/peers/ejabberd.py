"""ejabberd (Erlang), an XMPP server, from Debian's package, with its archive on for messages.

Users log in anonymously, which spares it the check of a password. Its schedulers do not spin while
they wait: that would be counted as work.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from peers.peer import CACHE, Peer, debian_packages, free_port, fresh, python_load, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.works import Work
    from processes import Server, Tools

CONFIGURATION: Final = """\
hosts: [localhost]
loglevel: warning
auth_method: [anonymous]
anonymous_protocol: both
allow_multiple_connections: true
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: false
    max_stanza_size: 65536
    shaper: none
    access: all
modules:
"""
ROOMS: Final = """\
  mod_muc:
    access: all
    max_users: 20000
    max_users_presence: 0
    history_size: 0
    default_room_options:
      presence_broadcast: []
      max_users: 20000
      mam: false
"""
ARCHIVE: Final = """\
  mod_mam:
    default: always
    db_type: mnesia
    assume_mam_usage: true
"""
FLAGS: Final = ("-noinput", "+K", "true", "+P", "250000", "+Q", "65536", "+S", "1:1")
# It let some 25 in a second here, whatever its CPU: a crowd would take minutes to stand.
MOST: Final = 100
NO_SPINNING: Final = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")


@contextmanager
def serve(tools: Tools, work: Work) -> Iterator[Server]:
    """A node without distribution, its files in a folder of its own."""
    port, folder = free_port(), fresh(tools.work / "ejabberd")
    modules = ARCHIVE if work.kind == "messages" else ROOMS
    (folder / "ejabberd.yml").write_text(CONFIGURATION.format(port=port) + modules)
    root = CACHE / "ejabberd"
    erlang, libraries = root / "usr/lib/erlang", root / "usr/lib/x86_64-linux-gnu"
    programs = next(erlang.glob("erts-*/bin"))
    settings = {
        "ROOTDIR": str(erlang),
        "BINDIR": str(programs),
        "EMU": "beam",
        "PROGNAME": "erl",
        "ERL_LIBS": str(libraries),
        "LD_LIBRARY_PATH": str(libraries),
        "HOME": str(folder),
        "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
    }
    mnesia = ["-mnesia", "dir", f'"{folder}/spool"', "-s", "ejabberd"]
    words = [str(programs / "erlexec"), *FLAGS, *NO_SPINNING, *mnesia]
    with serving(tools, words, port, settings) as server:
        yield server


PEER: Final = Peer(
    "ejabberd",
    "in both users' archives (mod_mam on Mnesia), no sync; counted when the partner has it, "
    "as XMPP does not answer",
    frozenset({"idle", "connect", "echo", "fanout", "messages"}),
    lambda: (debian_packages("ejabberd", "ejabberd"), None)[1],
    serve,
    lambda tools, server, work: python_load(tools, server, work, "xmpp"),
    most=MOST,
)
