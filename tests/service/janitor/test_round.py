"""What is old goes and what is young stays, on a real database; twice is once."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from service.janitor.round import Janitor
from service.jobs import store
from service.kit import migrations
from service.kit.database import Database
from service.settings import Settings
from service.tables import Checkpoint, Dataset, EpochMetrics, Event, Job

OLD = datetime.now(UTC) - timedelta(days=365)


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path, keep_metrics_points=20)


@pytest.fixture
def database(settings):
    database = Database(settings.url)
    migrations.migrate(database)
    with database.write() as session:
        session.add(
            Dataset(id="ds_1", name="x", created_at=OLD, sha256="named", format="csv", rows=1,
                    bytes=1, columns=[], warnings=[])
        )  # fmt: skip
    yield database
    database.close()


def ended(database, when, epochs=500):
    with database.write() as session:
        job = store.submit(
            session, dataset_id="ds_1", model="m", spec={"target": "y"}, warnings=[], tags={},
            priority=0, max_queued=1000, share="",
        )  # fmt: skip
        job.state, job.finished_at = "succeeded", when
        store_end = Event(
            job_id=job.id, time=when, level="info", type="succeeded", message="Done.", data=None
        )
        session.add(store_end)
        session.add(
            Checkpoint(
                job_id=job.id, epoch=1.0, created_at=when, best_epoch=1, seconds=1.0,
                train_loss=1.0, validation_loss=1.0, size=1, sha256="0", state=None, file="kept",
            )
        )  # fmt: skip
        for epoch in range(1, epochs + 1):
            loss = 1000.0 if epoch == 250 else 1.0 / epoch
            point = {"epoch": epoch, "train_loss": loss, "validation_loss": loss}
            session.add(EpochMetrics(job_id=job.id, epoch=epoch, point=point))
        return job.id


def counts(database, job_id):
    with database.read() as session:
        return [
            session.scalar(select(func.count()).select_from(table).where(table.job_id == job_id))
            for table in (Event, Checkpoint, EpochMetrics)
        ]


def test_old_jobs_keep_their_end_and_the_extremes_of_their_curve(database, settings):
    settings.folder("checkpoints").joinpath("kept").touch()
    old, young = ended(database, OLD), ended(database, datetime.now(UTC))
    janitor = Janitor(settings)
    janitor.round()
    left = counts(database, old)
    assert left[:2] == [1, 0]
    assert 10 <= left[2] <= 20
    with database.read() as session:
        epochs = [point["epoch"] for point in store.epochs(session, old)]
        assert session.scalar(select(Job.state).where(Job.id == old)) == "succeeded"
    assert {1, 250, 500} <= set(epochs)
    assert counts(database, young) == [2, 1, 500]
    janitor.round()
    assert counts(database, old) == left


def test_files_that_nothing_names_go_once_they_are_old(database, settings):
    past = time.time() - 86_400
    for folder, name, age in (
        ("tmp", "half.part", past), ("tmp", "fresh.part", time.time()),
        ("datasets", "named.parquet", past), ("datasets", "orphan.parquet", past),
        ("checkpoints", "orphan", past),
    ):  # fmt: skip
        path = settings.folder(folder) / name
        path.touch()
        os.utime(path, (age, age))
    Janitor(settings).round()
    found = {
        f"{folder}/{path.name}"
        for folder in ("tmp", "datasets", "checkpoints")
        for path in settings.folder(folder).iterdir()
    }
    assert found == {"tmp/fresh.part", "datasets/named.parquet"}


def test_sqlite_gives_space_back(database, settings):
    for _ in range(8):
        ended(database, OLD, epochs=3_000)
    path = settings.data_dir / "sigmoid.db"
    with database.write() as session:
        session.execute(text("DELETE FROM epoch_metrics"))

    def pages():
        with database.read() as session:
            return session.execute(text("PRAGMA page_count")).scalar_one()

    before = pages()
    Janitor(settings).round()
    assert path.exists()
    assert pages() < before
