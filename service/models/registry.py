"""Publishing a trained network: the file first, then one transaction that names it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from core.several import title
from service.jobs import queue
from service.jobs.log import now
from service.jobs.messages import Trained
from service.jobs.queue import Lease
from service.jobs.recipe import target_names
from service.jobs.states import State
from service.tables import Json, Model, ModelVersion, RegistryClock


class LeaseLost(Exception):
    """Somebody else has the job by now; the transaction must not commit."""


# Of an evaluation, for everybody.
APPRAISED = ("intervals", "linear", "better_than_linear")
DETAILED = ("train_metrics", "per_class", "per_output", "folds")  # for the job's owner


@dataclass(frozen=True)
class StoredFile:
    """A file named by its content."""

    sha256: str
    path: Path
    content: bytes

    @property
    def bytes(self) -> int:
        """Its size."""
        return len(self.content)


@dataclass(frozen=True)
class Facts:
    """What is known of a version besides its file. No job made it when it was imported."""

    job_id: str | None
    task: str
    target: str
    signature: Json
    metrics: Json
    baseline: Json
    lineage: Json
    evaluation: Json | None = None


def file_of(folder: Path, sha256: str) -> Path:
    """Where the file with this content is."""
    return folder / f"{sha256}.safetensors"


def keep(folder: Path, content: bytes) -> StoredFile:
    """Write a model file that survives power loss: write, fsync, rename, fsync the folder."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = file_of(folder, sha256)
    if not path.exists():
        part = folder / f".{sha256}.{os.getpid()}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(folder)
    return StoredFile(sha256, path, content)


def sync_folder(folder: Path) -> None:
    """Make renames in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def advance(session: Session, *, deleting: bool = False) -> int:
    """Advance the registry's clock and hold it until the transaction ends; returns what it shows.

    Whoever changes what a name means calls this first: changes come one after another, and a
    process that reads the clock knows of all up to there.
    """
    clock = session.get_one(RegistryClock, 1, with_for_update=True, populate_existing=True)
    clock.generation += 1
    if deleting:
        clock.deleted = clock.generation
    return clock.generation


def next_version(session: Session, name: str, task: str) -> Model:
    """The model, made when it is new, with `latest_version` at the number now to be added."""
    generation = advance(session)
    model = session.get(Model, name)
    if model is None:
        model = Model(name=name, created_at=now(), description="", last_number=0)
        session.add(model)
    model.last_number += 1
    model.latest_version, model.task, model.generation = model.last_number, task, generation
    return model


def add_version(session: Session, name: str, file: StoredFile, facts: Facts) -> int:
    """Add the next version of a model, the model too when it is new; returns its number."""
    model = next_version(session, name, facts.task)
    keep(file.path.parent, file.content)  # again: an equal version may just have been deleted
    session.add(
        ModelVersion(
            model=name,
            version=model.latest_version,
            created_at=now(),
            sha256=file.sha256,
            bytes=file.bytes,
            **vars(facts),
        )
    )
    session.flush()
    return model.latest_version


def publish(session: Session, lease: Lease, trained: Trained, file: StoredFile) -> int:
    """Add the next version of the job's model and end the job, together.

    Raises LeaseLost, and then nothing is written.
    """
    facts = Facts(
        job_id=lease.job_id,
        task=trained.task,
        target=title(target_names(lease.spec)),
        signature=trained.signature,
        metrics=trained.metrics,
        baseline=trained.baseline,
        lineage=trained.lineage,
        evaluation=trained.evaluation,
    )
    version = add_version(session, lease.model, file, facts)
    result = _result(lease.model, version, trained)
    if not queue.settle(session, lease, State.SUCCEEDED, result=result, epoch=trained.epoch):
        raise LeaseLost
    return version


def confirm(session: Session, lease: Lease, trained: Trained) -> None:
    """End a verification: note what was found with the version, if that is still there.

    Raises LeaseLost, and then nothing is written.
    """
    assert lease.subject is not None
    name, number = lease.subject["model"], lease.subject["version"]
    found = {**(trained.verified or {}), "job": lease.job_id, "at": now().isoformat()}
    version = session.get(ModelVersion, (name, number))
    if version is not None and version.sha256 == lease.subject["sha256"]:
        version.verified = found
    result = {**_result(name, number, trained), "verified": found}
    if not queue.settle(session, lease, State.SUCCEEDED, result=result, epoch=trained.epoch):
        raise LeaseLost


def _result(name: str, number: int, trained: Trained) -> Json:
    return {
        "model": name,
        "version": number,
        "metrics": trained.metrics,
        "baseline": trained.baseline,
        **{name: trained.evaluation[name] for name in APPRAISED},
        **{name: trained.evaluation[name] for name in DETAILED if name in trained.evaluation},
        "best_epoch": trained.best_epoch,
        "stop_reason": trained.stop_reason,
        "training_seconds": trained.seconds,
    }
