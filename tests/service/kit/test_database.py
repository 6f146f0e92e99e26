"""The database's settings, transactions and schema."""

import contextlib
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from service.kit import migrations
from service.kit.database import Database, resets_wal_safely
from service.kit.problems import Problem


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/test.db")
    yield database
    database.close()


def test_every_connection_has_the_settings_that_keep_data(database: Database) -> None:
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000,
                "trusted_schema": 0, "mmap_size": 0}  # fmt: skip
    with database.read() as session:
        for pragma, value in expected.items():
            assert session.execute(text(f"PRAGMA {pragma}")).scalar() == value, pragma


def test_concurrent_writers_wait_for_each_other(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE counter (n INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))

    def count() -> None:
        for _ in range(50):
            with database.write() as session:
                n = session.execute(text("SELECT n FROM counter")).scalar_one()
                session.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as session:
        assert session.execute(text("SELECT n FROM counter")).scalar() == 200


def test_a_block_that_raises_writes_nothing(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
    with contextlib.suppress(ZeroDivisionError), database.write() as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
        raise ZeroDivisionError

    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM t")).scalar() == 0


def test_a_busy_database_is_a_problem_with_retry_after(tmp_path: Path, database: Database) -> None:
    holder = database.sqlite.connect(f"{tmp_path}/test.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(Problem) as caught:
        database.ping()

    holder.close()
    assert caught.value.slug == "database-busy"
    assert caught.value.headers["Retry-After"]


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 50, 6), False),
     ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), False),
     ((3, 53, 4), True)],
)  # fmt: skip
def test_only_repaired_versions_count_as_safe(version: tuple[int, int, int], safe: bool) -> None:
    assert resets_wal_safely(version) is safe


def test_a_guarded_checkpoint_empties_the_log_beside_a_writer(database: Database) -> None:
    database.wal_is_safe = False
    with database.write() as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))

    database.checkpoint()

    with database.write() as session:
        session.execute(text("INSERT INTO t VALUES (1)"))


def test_migrations_go_up_down_and_equal_the_tables(database: Database) -> None:
    migrations.migrate(database)
    assert migrations.is_current(database)
    assert migrations.differences(database) == []

    migrations.downgrade(database, "base")
    with database.read() as session:
        tables = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        assert {name for (name,) in tables} <= {migrations.VERSION_TABLE, "sqlite_sequence"}

    migrations.migrate(database)
    assert migrations.differences(database) == []


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    migrations.migrate(database)
    with database.write() as session:
        session.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))

    with pytest.raises(migrations.NewerSchema, match="9999"):
        migrations.migrate(database)
