"""What can go wrong with the data directory, by what the operator has to do about it."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot do what was asked; the message says why, in the operator's words."""


class DataDirectoryHeld(StoreError):
    """Another process has this data directory open. Stop it, or choose another directory."""


class FormatTooNew(StoreError):
    """A newer version of hivewire wrote this data directory. Nothing was changed in it."""


class StoreBroken(StoreError):
    """A write, a sync or a read of the disk failed: this process must end without answering.

    After a failed fsync the kernel may have dropped the dirty pages, so a later fsync that
    succeeds proves nothing. Only a new process that reads the disk again knows what is there.
    """


class StoreCorrupt(StoreError):
    """The rows on disk contradict each other; `hivewire verify` tells all that do."""
