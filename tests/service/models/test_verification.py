"""Versions whose training is repeated, in the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from sqlalchemy import update

from core.files import dump, load
from service.jobs.messages import Failed, Trained
from service.kit.database import Database
from service.models.registry import keep
from service.tables import ModelVersion
from service.worker.verifying import verify
from tests.service.models.conftest import Elsewhere

VERIFY = "/v1/models/penguins/versions/latest/verify"
WAIT = {"Prefer": "wait=60"}


def test_training_again_gives_the_very_same_weights(
    client: httpx2.Client, model: dict[str, Any]
) -> None:
    answer = client.post(VERIFY, headers=WAIT)

    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["kind"], job["state"]) == ("verify", "succeeded")
    found = job["result"]["verified"]
    assert found["identical"]
    assert found["same_file"]
    assert found["differing"] == 0
    assert found["largest_difference"] == 0
    assert job["result"]["metrics"] == model["result"]["metrics"]
    latest = client.get("/v1/models/penguins").json()["latest_version"]
    assert latest == model["result"]["version"], "nothing was published"
    card = client.get("/v1/models/penguins/versions/latest/card").json()
    assert card["verified"]["job"] == job["id"]
    report = client.get("/v1/models/penguins/versions/latest/report").text
    assert "bit for bit" in report
    assert "Verified" in report


def test_it_is_a_job_like_any_other(client: httpx2.Client, model: object) -> None:
    answer = client.post(VERIFY)

    assert answer.status_code == 202
    job = client.get(answer.headers["Location"]).json()
    assert job["kind"] == "verify"
    client.post(f"{answer.headers['Location']}/cancel")


def test_a_training_that_a_clock_ended_is_refused(client: httpx2.Client, penguins: str) -> None:
    body = {"dataset": penguins, "target": "species", "model": "hurried", "seed": 1,
            "training": {"epochs": 100_000, "max_seconds": 0.05, "early_stopping": None},
            }  # fmt: skip
    job = client.post("/v1/jobs", json=body, headers=WAIT).json()
    assert job["result"]["stop_reason"] == "time_budget"

    answer = client.post("/v1/models/hurried/versions/1/verify")

    assert answer.status_code == 409
    assert "clock" in answer.json()["detail"]


def test_what_is_not_there_is_not_found(client: httpx2.Client, model: object) -> None:
    assert client.post("/v1/models/penguins/versions/999/verify").status_code == 404


def test_one_changed_bit_is_found(elsewhere: Elsewhere) -> None:
    file = elsewhere.file
    model = load(file.read_bytes())
    model.theta.view(np.uint32)[5] ^= 1
    other = keep(file.parent, dump(model))
    with named(elsewhere, other.sha256):
        answer = elsewhere.client.post("/v1/models/m/versions/1/verify", headers=WAIT)
    other.path.unlink()

    verified = answer.json()["result"]["verified"]
    assert not verified["identical"]
    assert not verified["same_file"]
    assert verified["differing"] == 1
    assert 0 < verified["largest_difference"] < 1e-6


@contextmanager
def named(elsewhere: Elsewhere, sha256: str) -> Iterator[None]:
    """The version with another file than its training gave."""
    database, own = Database(f"sqlite:///{elsewhere.folder}/sigmoid.db"), elsewhere.file.stem
    rename(database, sha256)
    try:
        yield
    finally:
        rename(database, own)
        database.close()


def rename(database: Database, sha256: str) -> None:
    with database.write() as session:
        session.execute(update(ModelVersion).values(sha256=sha256))


def test_a_damaged_file_fails_the_job(tmp_path: Path) -> None:
    file = tmp_path / f"{'0' * 64}.safetensors"
    file.write_bytes(b"not what its name says")
    trained = Trained([], b"", {}, {}, {}, {"code_version": "1"}, {}, "binary", 1, 1, "", 1, [])

    for path in (file, tmp_path / "nothing"):
        found = verify(trained, path)
        assert isinstance(found, Failed)
        assert found.code == "model_unreadable"
