"""Bringing the schema up to date, once, by one process, whatever else starts beside it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from service.kit.database import Database
from service.kit.problems import Problem

VERSION_TABLE = "sigmoid_schema"  # Alembic's own name may belong to another tool in the database
FOLDER = Path(__file__).resolve().parents[2] / "migrations"


class NewerSchema(Exception):
    """The database was written by a later version of this service."""


def ignore_driver_noise(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Leave SQLite's own bookkeeping and our version table out of comparisons."""
    return not (kind == "table" and name in {"sqlite_sequence", VERSION_TABLE})


def head() -> str:
    """The revision this code expects."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory(str(FOLDER)).get_current_head()
    assert revision is not None
    return revision


def current(connection: Connection) -> str | None:
    """The revision the database has; None for an empty one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(
        text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
    ).scalar()
    return revision


def migrate(database: Database) -> None:
    """Upgrade to the newest revision in one transaction.

    Raises NewerSchema when the database knows a revision that this code does not.
    """
    _alembic(database, lambda command, config: command.upgrade(config, "head"))


def downgrade(database: Database, revision: str) -> None:
    """Go back to `revision` (`base` empties the database)."""
    _alembic(database, lambda command, config: command.downgrade(config, revision))


def is_current(database: Database) -> bool:
    """Whether the schema is the one this code expects."""
    with database.read() as session:
        return current(session.connection()) == head()


def _alembic(database: Database, act: Callable[[Any, Any], None]) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with database.engine.begin() as connection:
        if not database.is_sqlite:  # SQLite's write lock is taken already
            connection.execute(text("SELECT pg_advisory_xact_lock(7241)"))
        known = {step.revision for step in ScriptDirectory(str(FOLDER)).walk_revisions()}
        present = current(connection)
        if present is not None and present not in known:
            raise NewerSchema(
                f"The database has schema {present}, which this version does not know. "
                "Install the version that wrote it, or choose another data folder."
            )
        config.attributes["connection"] = connection
        act(command, config)


def differences(database: Database) -> list[Any]:
    """What Alembic would change to make the database equal to `service.tables`."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from service.tables import Table

    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": ignore_driver_noise,
                "version_table": VERSION_TABLE,
            },
        )
        return list(compare_metadata(context, Table.metadata))


def main() -> int:
    """`python -m service.kit.migrations`: migrate an empty database and compare with the tables."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/check.db")
        try:
            migrate(database)
            found = differences(database)
        except Problem as problem:
            found = [problem.detail]
        database.close()
    for difference in found:
        sys.stderr.write(f"migrations and service/tables.py differ: {difference}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
