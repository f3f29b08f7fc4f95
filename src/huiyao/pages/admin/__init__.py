"""The operators' pages below /admin/: what is going on, and what operators change without a command line."""
