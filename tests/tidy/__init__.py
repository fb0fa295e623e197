"""Style that runs: rules of the project that a reviewer need not remember."""
