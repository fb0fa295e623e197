"""Bad input, limits and overload against a running node."""
