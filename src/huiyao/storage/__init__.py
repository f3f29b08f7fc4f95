"""Everything that touches a database: one contract, two backends, the schema and its migrations.

SQL lives here and nowhere else. `contract` says what a backend does, `open_storage` chooses one by URL.
"""
