"""One conformance script for all SDKs: the same faults, the same story told to the application."""
