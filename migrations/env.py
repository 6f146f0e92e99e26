"""Runs revisions on the connection it is given, or on the configured database."""

from alembic import context
from sqlalchemy import Connection

from service.kit.migrations import VERSION_TABLE, ignore_driver_noise
from service.tables import Table


def run(connection: Connection) -> None:
    """Bring the schema where Alembic was asked to bring it."""
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite alters a table by copying it
        compare_type=True,
        include_object=ignore_driver_noise,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from service.kit.database import Database
    from service.settings import Settings

    with Database(Settings().url).engine.begin() as own:
        run(own)
