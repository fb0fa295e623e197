"""RFC 6455 and RFC 7692: the Autobahn cases against the bare engine."""
