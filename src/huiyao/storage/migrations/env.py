"""Run by Alembic for every migration; `huiyao.storage.migrate` hands in the connection."""

from alembic import context

from huiyao.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # On PostgreSQL others read on, and would wait for every lock of a migration until all of them are done.
    transaction_per_migration=connection.dialect.name == "postgresql",
)
with context.begin_transaction():
    context.run_migrations()
