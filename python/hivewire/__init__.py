"""hivewire: a durable chat connection server.

The Rust engine holds the sockets, Python decides. Run a node with `hivewire serve`; talk to one
with `hivewire.client.Client`.
"""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
