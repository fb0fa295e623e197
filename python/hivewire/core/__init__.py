"""What commands mean, as pure functions: no clock, no sockets, no tasks, no disk of its own.

A frame becomes commands (`commands`), a command and a view of the state become an entry or a
refusal (`plan`), an entry becomes rows and deliveries (`apply`). The same entry gives the same
bytes on any machine, so this core can be simulated, checked and replayed.
"""
