"""Alembic's way in: `mflow.store.migrations` starts it and passes a connection, or a dialect to render for."""

from alembic import context

from mflow.store.tables import VERSION_TABLE, metadata

options = {
    "target_metadata": metadata,
    "version_table": VERSION_TABLE,
    "transaction_per_migration": False,
}

if context.is_offline_mode():
    context.configure(
        dialect_name=context.config.attributes["dialect"],
        output_buffer=context.config.output_buffer,
        **options,
    )
else:
    context.configure(connection=context.config.attributes["connection"], **options)

with context.begin_transaction():
    context.run_migrations()
