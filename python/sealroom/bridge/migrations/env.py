"""Entry point of alembic. `database.migrate` hands over the connection; no ini file is read."""

from alembic import context

from sealroom.bridge.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
