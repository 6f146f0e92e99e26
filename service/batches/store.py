"""Batch predictions in the database: the record and the queue at once. Never commits.

    queued → running → succeeded | failed | cancelled

As with training jobs, a claim is one conditional update that takes a lease with a growing fence,
and every later write names the fence: a worker that lost its lease changes nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from service.kit.ids import new_id
from service.kit.problems import Problem, not_found
from service.models.resolution import Resolved
from service.settings import Settings
from service.tables import BatchPrediction, Dataset, Json


class State(StrEnum):
    """Where a batch stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Lease:
    """A claimed batch, and all that its process needs."""

    id: str
    fence: int
    model_sha256: str
    dataset_sha256: str
    format: str
    threshold: float | None
    crashes: int


def result_path(settings: Settings, batch_id: str, form: str) -> Path:
    """The file of a batch's predictions."""
    return settings.folder("predictions") / f"{batch_id}.{form}"


def submit(
    session: Session,
    resolved: Resolved,
    dataset: Dataset,
    *,
    form: str,
    threshold: float | None,
    max_queued: int,
) -> BatchPrediction:
    """Put a batch into the queue. Raises Problem queue-full."""
    waiting = select(func.count()).where(BatchPrediction.state == State.QUEUED)
    if (session.scalar(waiting) or 0) >= max_queued:
        detail = f"{max_queued} batches are waiting already."
        raise Problem("queue-full", detail, headers={"Retry-After": "5"})
    batch = BatchPrediction(
        id=new_id("bat"),
        state=State.QUEUED,
        model=resolved.name,
        version=resolved.version,
        model_sha256=resolved.sha256,
        dataset_id=dataset.id,
        dataset_sha256=dataset.sha256,
        rows=dataset.rows,
        done=0,
        format=form,
        threshold=threshold,
        created_at=datetime.now(UTC),
        fence=0,
        crashes=0,
    )
    session.add(batch)
    session.flush()
    return batch


def get(session: Session, batch_id: str) -> BatchPrediction:
    """The batch. Raises Problem not-found."""
    batch = session.get(BatchPrediction, batch_id)
    if batch is None:
        raise not_found("batch")
    return batch


def query(*, state: str | None, model: str | None) -> Select[BatchPrediction]:
    """Batches that pass the filters."""
    found = select(BatchPrediction)
    if state is not None:
        found = found.where(BatchPrediction.state == state)
    if model is not None:
        found = found.where(BatchPrediction.model == model)
    return found


def needing(session: Session, dataset_id: str) -> str | None:
    """The id of an open batch that reads the data set."""
    wanted = (BatchPrediction.dataset_id == dataset_id, BatchPrediction.state.in_(OPEN))
    return session.scalar(select(BatchPrediction.id).where(*wanted).limit(1))


def cancel(session: Session, batch_id: str) -> BatchPrediction:
    """Stop a batch that waits or runs; twice is once. Raises Problem not-found, conflict."""
    batch = get(session, batch_id)
    _end(session, batch_id, BatchPrediction.state.in_(OPEN), state=State.CANCELLED)
    session.refresh(batch)
    if batch.state != State.CANCELLED:
        raise Problem("conflict", f"The batch has {batch.state}; only open ones can be cancelled.")
    return batch


def remove(session: Session, batch_id: str) -> BatchPrediction:
    """Delete the record; its file may go. Raises Problem not-found, conflict while it is open."""
    batch = get(session, batch_id)
    ended = BatchPrediction.state.not_in(OPEN)
    gone = session.execute(delete(BatchPrediction).where(BatchPrediction.id == batch_id, ended))
    if not gone.rowcount:  # type: ignore[attr-defined]  # a CursorResult, as for every DELETE
        raise Problem("conflict", f"The batch is {batch.state}; cancel it first.")
    return batch


def has_waiting(session: Session) -> bool:
    """Whether a claim would find something; reading first keeps idle workers from writing."""
    return session.scalar(select(BatchPrediction.id).where(_claimable()).limit(1)) is not None


def claim(session: Session, ttl: float) -> Lease | None:
    """Take the oldest batch that waits, or whose worker has been silent past its lease."""
    oldest = select(BatchPrediction.id).where(_claimable()).order_by(BatchPrediction.id).limit(1)
    batch = session.scalars(
        update(BatchPrediction)
        .where(
            BatchPrediction.id == oldest.with_for_update(skip_locked=True).scalar_subquery(),
            _claimable(),
        )
        .values(
            state=State.RUNNING,
            fence=BatchPrediction.fence + 1,
            lease_until=time.time() + ttl,
            started_at=datetime.now(UTC),
            done=0,
        )
        .returning(BatchPrediction)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if batch is None:
        return None
    return Lease(
        batch.id, batch.fence, batch.model_sha256, batch.dataset_sha256, batch.format,
        batch.threshold, batch.crashes,
    )  # fmt: skip


def beat(session: Session, lease: Lease, ttl: float, done: int) -> bool:
    """Prolong the lease and note progress; False when it was lost, or the batch cancelled."""
    values = {"lease_until": time.time() + ttl, "done": done}
    return _write(session, lease.id, _held(lease), **values)


def succeed(session: Session, lease: Lease, result: Json, warnings: Sequence[Json]) -> bool:
    """End well; False when the lease was lost."""
    return _end(
        session, lease.id, _held(lease),
        state=State.SUCCEEDED, result=result, warnings=list(warnings), done=result["rows"],
    )  # fmt: skip


def fail(session: Session, lease: Lease, error: Json) -> bool:
    """End badly; False when the lease was lost."""
    return _end(session, lease.id, _held(lease), state=State.FAILED, error=error)


def give_back(session: Session, lease: Lease, *, crashes: int) -> bool:
    """Let somebody run it again; False when the lease was lost."""
    values = {"state": State.QUEUED, "lease_until": None, "crashes": crashes}
    return _write(session, lease.id, _held(lease), **values)


def _claimable() -> ColumnElement[bool]:
    silent = and_(BatchPrediction.state == State.RUNNING, BatchPrediction.lease_until < time.time())
    return or_(BatchPrediction.state == State.QUEUED, silent)


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(BatchPrediction.fence == lease.fence, BatchPrediction.state == State.RUNNING)


def _end(session: Session, batch_id: str, when: ColumnElement[bool], **values: Any) -> bool:
    ended = {"finished_at": datetime.now(UTC), "lease_until": None}
    return _write(session, batch_id, when, **ended, **values)


def _write(session: Session, batch_id: str, when: ColumnElement[bool], **values: Any) -> bool:
    done = session.execute(
        update(BatchPrediction)
        .where(BatchPrediction.id == batch_id, when)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE
