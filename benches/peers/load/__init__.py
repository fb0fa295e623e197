"""The smallest honest load for peers that speak MQTT, NATS, XMPP or Socket.IO; see crew.py.

Its numbers are the server's CPU per operation, which a slow client does not change; rates may be
this client's where `client_busy` is near 1.
"""
