"""Run by Alembic for every migration; `huiyao.storage.migrate` hands in the connection."""

from alembic import context

from huiyao.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
