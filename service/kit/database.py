"""The one place that opens the database, begins and ends transactions, and sets SQLite up."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from service.kit.problems import Problem

BUSY_SECONDS = 5.0
_JSON: Any = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


def sqlite_module() -> ModuleType:
    """The driver to use: `pysqlite3`, which bundles a current SQLite, where its wheel exists."""
    try:
        import pysqlite3
    except ImportError:
        return sqlite3
    module: ModuleType = pysqlite3
    return module


def resets_wal_safely(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite has the repair of the WAL-reset race (sqlite.org/wal.html#walresetbug).

    Before it, a checkpoint beside a commit that resets the log can lose that commit: 3.51.3 is
    the first release with the repair, 3.50.7 and 3.44.6 have it too, 3.52.0 was withdrawn.
    """
    if version == (3, 52, 0):
        return False
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51, 0)
        or (3, 44, 6) <= version < (3, 45, 0)
    )


class Database:
    """A connection pool and the two kinds of transaction: `read` and `write`."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.sqlite = sqlite_module()
        self.wal_is_safe = not self.is_sqlite or resets_wal_safely(self.sqlite.sqlite_version_info)
        self._owner = os.getpid()
        self.engine = self._open()

    def _open(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(
                self.url, pool_pre_ping=True, pool_size=10, max_overflow=0, **_JSON
            )
        engine = create_engine(
            self.url,
            module=self.sqlite,
            pool_size=8,
            max_overflow=0,
            pool_timeout=BUSY_SECONDS,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            **_JSON,
        )
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "checkout", self._refuse_other_process)
        return engine

    def _configure(self, connection: Any, _record: object) -> None:
        """Settings of every connection, in this order (each trusted project's reason beside it)."""
        connection.isolation_level = None  # the driver begins nothing; `_begin` does
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={int(BUSY_SECONDS * 1000)}",  # first: switching to WAL may itself wait
            "auto_vacuum=INCREMENTAL",  # before the first table: freed pages can be given back
            "journal_mode=WAL",  # readers and the writer do not block each other
            "synchronous=FULL",  # an answered 202 is on the disk; costs 0.4 ms a commit
            "foreign_keys=ON",  # SQLite's default is off
            "journal_size_limit=67108864",  # a log once grown large gives its space back
            "cache_size=-16000",  # 16 MB a connection
            "temp_store=MEMORY",
            "trusted_schema=OFF",  # a doctored file cannot run functions
            "cell_size_check=ON",  # notice a damaged page early
            "mmap_size=0",  # an I/O error stays an error instead of a SIGBUS
            # With the race open nobody checkpoints by chance; `checkpoint` does it under the lock.
            f"wal_autocheckpoint={1000 if self.wal_is_safe else 0}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        cursor.close()
        if mode != "wal":
            raise RuntimeError(f"SQLite answered journal_mode={mode}; WAL needs a local disk")

    def _begin(self, connection: Any) -> None:
        # A deferred transaction that writes later fails at once beside another writer, whatever
        # the busy timeout; an immediate one waits its turn.
        readonly = connection.get_execution_options().get("readonly", False)
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    def _refuse_other_process(self, _connection: Any, _record: object, _proxy: object) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError("a database connection must not cross a fork")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of the database and changes nothing."""
        with _as_problems(), self.engine.connect().execution_options(readonly=True) as connection:
            with Session(connection, expire_on_commit=False, autoflush=False) as session:
                yield session
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits when the block ends, and not at all when it raises.

        Keep blocks short: no file, network or numerical work inside.
        """
        with _as_problems(), Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    def ping(self) -> None:
        """Raise `Problem` unless the database answers."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def checkpoint(self) -> None:
        """Copy the log into the database file while nobody can commit.

        Only needed where `wal_is_safe` is false: holding the write lock keeps every commit, and
        so every reset of the log, away from the checkpoint.
        """
        if self.wal_is_safe:
            return
        guard, worker = self.engine.raw_connection(), self.engine.raw_connection()
        try:
            guard.cursor().execute("BEGIN IMMEDIATE")
            worker.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            guard.rollback()
            guard.close()
            worker.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _as_problems() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise _busy() from error
    except OperationalError as error:
        if "full" in str(error.orig):
            raise Problem("storage-full", "The database's disk is full.") from error
        raise _busy() from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _busy() from error
        raise


def _busy() -> Problem:
    detail = "The database is busy or away. Nothing was written."
    return Problem("database-busy", detail, headers={"Retry-After": "2"})
