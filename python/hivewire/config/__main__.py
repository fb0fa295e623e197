"""Print the reference of all settings: `python -m hivewire.config > docs/limits.md`."""

from __future__ import annotations

import sys

from hivewire.config.reference import reference

if __name__ == "__main__":
    sys.stdout.write(reference())
