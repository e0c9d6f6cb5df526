"""Alembic's entry point: runs the migrations on the connection that :mod:`gateway.store.schema` hands over."""

from alembic import context

from gateway.store.models import Model

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Model.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite can't alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
