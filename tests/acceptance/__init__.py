"""Real processes, real sockets, real databases: what a user of the `huiyao` command sees."""
