"""`python -m hivewire` is the `hivewire` command."""

from __future__ import annotations

from hivewire.cli import main

if __name__ == "__main__":
    main()
