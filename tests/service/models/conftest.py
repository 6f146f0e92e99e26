"""A registry without a service: rows as training would have published them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from service.kit import migrations
from service.kit.database import Database
from service.models.registry import next_version
from service.tables import ModelVersion
from tests.conftest import running


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/registry.db")
    migrations.migrate(database)
    yield database
    database.close()


@dataclass(frozen=True)
class Elsewhere:
    """Another service, whose folder a test may look into, with one version of a model `m`."""

    client: httpx2.Client
    folder: Path

    @property
    def file(self) -> Path:
        """The model's file."""
        sha256 = self.client.get("/v1/models/m/versions/1").json()["sha256"]
        return self.folder / "models" / f"{sha256}.safetensors"


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("elsewhere")
    with (
        running(folder, SIGMOID_MAX_MODEL_BYTES="100000") as service,
        httpx2.Client(base_url=service.url, timeout=90) as client,
    ):
        dataset = client.post("/v1/datasets/samples/penguins").json()["id"]
        body = {"dataset": dataset, "target": "species", "model": "m", "seed": 1,
                "training": {"epochs": 5}}  # fmt: skip
        job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
        assert job.json()["state"] == "succeeded", job.text
        yield Elsewhere(client, folder)


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
