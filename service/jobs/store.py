"""Queries on jobs, their epochs and events. Never commits: its caller's transaction does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from service.jobs.states import CLAIMABLE, FINAL, HELD, State
from service.kit.ids import new_id
from service.kit.problems import Problem, not_found
from service.tables import EpochMetrics, Event, Job, Json


def now() -> datetime:
    """The present moment, for display."""
    return datetime.now(UTC)


def submit(
    session: Session,
    *,
    dataset_id: str,
    model: str,
    spec: Json,
    warnings: list[Json],
    tags: Json,
    priority: int,
    max_queued: int,
    kind: str = "train",
    subject: Json | None = None,
) -> Job:
    """Put a job into the queue. Raises Problem queue-full; depth is counted in this transaction."""
    if waiting(session) >= max_queued:
        detail = f"{max_queued} jobs are waiting already."
        raise Problem("queue-full", detail, headers={"Retry-After": "5"})
    job = Job(
        id=new_id("job"),
        kind=kind,
        subject=subject,
        state=State.QUEUED,
        dataset_id=dataset_id,
        model=model,
        spec=spec,
        warnings=warnings,
        tags=tags,
        rank=-priority,
        created_at=now(),
        fence=0,
        crashes=0,
        epoch=0.0,
    )
    session.add(job)
    session.flush()
    record(session, job.id, "queued", "The job is in the queue.")
    return job


def waiting(session: Session) -> int:
    """How many jobs wait for a worker."""
    return session.scalar(select(func.count()).where(Job.state.in_(CLAIMABLE))) or 0


def get(session: Session, job_id: str) -> Job:
    """The job. Raises Problem not-found."""
    job = session.get(Job, job_id)
    if job is None:
        raise not_found("job")
    return job


def query(*, state: str | None, model: str | None, tags: dict[str, str]) -> Select[Job]:
    """Jobs that pass the filters."""
    found = select(Job)
    if state is not None:
        found = found.where(Job.state == state)
    if model is not None:
        found = found.where(Job.model == model)
    for key, value in tags.items():
        found = found.where(Job.tags[key].as_string() == value)
    return found


def queue_position(session: Session, job: Job) -> int | None:
    """1 for the job that is claimed next; None when it does not wait."""
    if job.state not in CLAIMABLE:
        return None
    ahead = (Job.rank < job.rank) | ((Job.rank == job.rank) & (Job.id < job.id))
    return 1 + (session.scalar(select(func.count()).where(Job.state.in_(CLAIMABLE), ahead)) or 0)


def cancel(session: Session, job_id: str) -> Job:
    """Ask a job to stop. Waiting ones stop now, running ones within a moment; twice is once.

    Raises Problem conflict from a final state other than cancelled.
    """
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise not_found("job")
    if job.state in CLAIMABLE:
        job.state, job.finished_at = State.CANCELLED, now()
        record(session, job_id, "cancelled", "Cancelled before it ran.")
    elif job.state == State.RUNNING:
        job.state = State.CANCELLING
        record(session, job_id, "cancelling", "Asked to stop.")
    elif job.state in FINAL and job.state != State.CANCELLED:
        raise Problem("conflict", f"The job has {job.state}; only waiting and running jobs stop.")
    return job


def record(
    session: Session,
    job_id: str,
    kind: str,
    message: str,
    *,
    level: str = "info",
    data: Json | None = None,
) -> None:
    """Append to the job's durable log."""
    values = {"job_id": job_id, "time": now(), "type": kind, "message": message, "level": level}
    session.execute(insert(Event), [{**values, "data": data}])


def events(session: Session, job_id: str, *, after: int, limit: int) -> Sequence[Event]:
    """Events with an id above `after`, oldest first."""
    found = select(Event).where(Event.job_id == job_id, Event.id > after)
    return session.scalars(found.order_by(Event.id).limit(limit)).all()


def epochs(
    session: Session, job_id: str, *, after: int = 0, limit: int | None = None
) -> list[Json]:
    """Epoch points above `after`, in order."""
    found = (
        select(EpochMetrics.point)
        .where(EpochMetrics.job_id == job_id, EpochMetrics.epoch > after)
        .order_by(EpochMetrics.epoch)
        .limit(limit)
    )
    return list(session.scalars(found))


def needed_by(session: Session, dataset_id: str) -> str | None:
    """The id of a job that uses the data set; None when no job does."""
    return session.scalar(select(Job.id).where(Job.dataset_id == dataset_id).limit(1))


def held_write(session: Session, job_id: str, fence: int, **values: Any) -> bool:
    """Change a job under its lease; False when the lease was lost, and nothing changed."""
    result = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.fence == fence, Job.state.in_(HELD))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE
