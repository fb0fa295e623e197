"""Push notifications: for users who are away, from a durable outbox, by webhook and Web Push.

`Pusher` is all of it on a node. `dispatcher` looks when something is due, `outlook` decides what,
`transport` calls; `dead` is about what was given up.
"""

from hivewire.push.pusher import Pusher, pusher_for

__all__ = ["Pusher", "pusher_for"]
