"""Other servers on the same work as hivewire: `make bench-peers`; see __main__.py and peer.py."""
