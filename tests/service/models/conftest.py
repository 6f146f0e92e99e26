"""A registry without a service: rows as training would have published them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.kit import migrations
from service.kit.database import Database
from service.models.registry import next_version
from service.tables import ModelVersion


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/registry.db")
    migrations.migrate(database)
    yield database
    database.close()


def add_version(database: Database, name: str, sha256: str | None = None) -> int:
    """Publish a version whose file is not there; returns its number."""
    with database.write() as session:
        model = next_version(session, name, "regression")
        number = model.latest_version
        session.add(
            ModelVersion(
                model=name, version=number, job_id=None, created_at=datetime.now(UTC),
                sha256=sha256 or f"{number:064x}", bytes=1, task="regression", target="y",
                signature={"features": [], "target": {"name": "y", "type": "number"}},
                metrics={}, baseline={}, lineage={},
            )
        )  # fmt: skip
    return number
