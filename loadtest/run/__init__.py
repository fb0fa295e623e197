"""One run of Locust: the node, the processes with the sockets, the phases, the verdict."""
