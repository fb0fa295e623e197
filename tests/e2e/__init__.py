"""The wire contract, story by story, through clients that know only docs/protocol.md."""
