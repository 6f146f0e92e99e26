"""Checkpoints of a run: written under its lease, a few kept, read back when it resumes."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session, undefer

from service.jobs.log import now
from service.jobs.messages import Resume, Snapshot
from service.jobs.states import FINAL
from service.kit.problems import not_found
from service.tables import Checkpoint, Job


def write(session: Session, job_id: str, snapshot: Snapshot, *, keep: int) -> list[str]:
    """Store a checkpoint and drop the oldest but `keep` and the best.

    Its epochs must be written in the same transaction, and the lease be checked in it. Returns
    the names of files to remove once it has committed.
    """
    same = (Checkpoint.job_id == job_id) & (Checkpoint.epoch == snapshot.epoch)
    replaced = session.scalars(select(Checkpoint.file).where(same)).all()
    session.execute(delete(Checkpoint).where(same))
    first(session, job_id, snapshot)
    dropped = _superfluous(known(session, job_id), keep)
    if dropped:
        epochs = [checkpoint.epoch for checkpoint in dropped]
        old = (Checkpoint.job_id == job_id) & Checkpoint.epoch.in_(epochs)
        session.execute(delete(Checkpoint).where(old))
    files = [*replaced, *(checkpoint.file for checkpoint in dropped)]
    return [name for name in files if name is not None and name != snapshot.file]


def first(session: Session, job_id: str, snapshot: Snapshot) -> None:
    """Store a checkpoint of a job that has none: nothing to replace, nothing to drop."""
    values = {
        "job_id": job_id,
        "epoch": snapshot.epoch,
        "created_at": now(),
        "best_epoch": snapshot.best_epoch,
        "seconds": snapshot.seconds,
        "train_loss": snapshot.train_loss,
        "validation_loss": snapshot.validation_loss,
        "size": snapshot.size,
        "sha256": snapshot.sha256,
        "state": snapshot.state,
        "file": snapshot.file,
    }
    session.execute(insert(Checkpoint), [values])


def _superfluous(found: Sequence[Checkpoint], keep: int) -> Sequence[Checkpoint]:
    best = min(found, key=_loss)
    return [checkpoint for checkpoint in found[:-keep] if checkpoint is not best]


def _loss(checkpoint: Checkpoint) -> float:
    for loss in (checkpoint.validation_loss, checkpoint.train_loss):
        if loss is not None:
            return loss
    return float("inf")


def known(session: Session, job_id: str) -> Sequence[Checkpoint]:
    """What is kept of a job, oldest first, without the states themselves."""
    found = select(Checkpoint).where(Checkpoint.job_id == job_id).order_by(Checkpoint.epoch)
    return session.scalars(found).all()


def best(found: Sequence[Checkpoint]) -> Checkpoint | None:
    """The one with the lowest loss, of the validation where there is one."""
    return min(found, key=_loss, default=None)


def get(session: Session, job_id: str, epoch: float | None = None) -> Checkpoint:
    """A checkpoint with its state; the newest for None. Raises Problem not-found."""
    found = select(Checkpoint).where(Checkpoint.job_id == job_id).options(undefer(Checkpoint.state))
    if epoch is not None:
        found = found.where(Checkpoint.epoch == epoch)
    checkpoint = session.scalars(found.order_by(Checkpoint.epoch.desc()).limit(1)).one_or_none()
    if checkpoint is None:
        raise not_found("checkpoint of this job")
    return checkpoint


def resume(session: Session, job_id: str) -> Resume | None:
    """What the next run of the job continues from; None to begin."""
    found = select(Checkpoint).where(Checkpoint.job_id == job_id).options(undefer(Checkpoint.state))
    last = session.scalars(found.order_by(Checkpoint.epoch.desc()).limit(1)).one_or_none()
    if last is None:
        return None
    return Resume(last.epoch, last.seconds, last.sha256, last.state, last.file)


def remove(folder: Path, names: Sequence[str]) -> None:
    """Delete files that no row names any more."""
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(folder / name)


def orphans(session: Session, folder: Path) -> list[str]:
    """Files that no row names nor ever will: their lease is over, or their job is gone."""
    found = []
    for path in folder.iterdir():
        job_id, fence = path.name.split(".")[:2]
        job = session.get(Job, job_id)
        if job is None or job.fence > int(fence) or job.state in FINAL:
            named = select(Checkpoint.epoch).where(
                Checkpoint.job_id == job_id, Checkpoint.file == path.name
            )
            if session.scalar(named) is None:
                found.append(path.name)
    return found
