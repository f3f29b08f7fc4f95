"""The documentation under test: every example is run, the reference is written by what the server answers."""
