"""The verbs of push notifications, one file each."""

from hivewire.handlers.push import register, unregister

__all__ = ["register", "unregister"]
