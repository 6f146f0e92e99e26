"""Queries on jobs, their epochs and events. Never commits: its caller's transaction does."""

from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from service.jobs.drain import queue_full
from service.jobs.log import now, record
from service.jobs.states import CLAIMABLE, HELD, State
from service.jobs.transitions import CLIENT, move, passage
from service.kit.ids import new_id
from service.kit.problems import Problem, not_found
from service.tables import EpochMetrics, Job, Json


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
    share: str = "",
) -> Job:
    """Put a job into the queue. Raises Problem queue-full; depth is counted in this transaction."""
    if waiting(session) >= max_queued:
        raise queue_full(session, max_queued)
    message = "The job is in the queue."
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
        losses=0,
        share=share,
        history=passage(State.QUEUED, message, CLIENT),
        epoch=0.0,
    )
    session.add(job)
    session.flush()
    record(session, job.id, "queued", message)
    return job


# Statements of every submission and every look at a job, put together once.
_WAITING = select(func.count()).where(Job.state.in_(CLAIMABLE))
_RUNNING = select(func.count()).where(Job.state.in_(HELD))
_AHEAD = _WAITING.where(
    (Job.rank < bindparam("rank")) | ((Job.rank == bindparam("rank")) & (Job.id < bindparam("id")))
)
_LAST_ENDED = (  # the jobs that an estimate looks back on
    select(Job.started_at, Job.finished_at)
    .where(Job.finished_at.is_not(None), Job.started_at.is_not(None))
    .order_by(Job.finished_at.desc())
    .limit(20)
)


def waiting(session: Session) -> int:
    """How many jobs wait for a worker."""
    return session.scalar(_WAITING) or 0


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
    return 1 + (session.scalar(_AHEAD, {"rank": job.rank, "id": job.id}) or 0)


def estimated_start(session: Session, position: int | None) -> datetime | None:
    """When a job in this place of the queue starts, if jobs take as long as the last ones did
    and as many run at once as do now.
    """
    if position is None:
        return None
    took = [row.finished_at - row.started_at for row in session.execute(_LAST_ENDED)]
    if not took:
        return None
    running = session.scalar(_RUNNING) or 1
    return now() + position * (sum(took, timedelta()) / len(took)) / running


def cancel(session: Session, job_id: str) -> Job:
    """Ask a job to stop: waiting and paused ones stop now, running ones within a moment. Once
    this is answered the job ends cancelled, whatever its run does meanwhile. Twice is once.

    Raises Problem conflict from another final state.
    """
    job = _locked(session, job_id)
    if not move(session, job_id, State.CANCELLED, "Cancelled before it ran.", actor=CLIENT,
                sources=[*CLAIMABLE, State.PAUSED]):  # fmt: skip
        move(session, job_id, State.CANCELLING, "Asked to stop.", actor=CLIENT)
    session.refresh(job)
    if job.state not in (State.CANCELLED, State.CANCELLING):
        raise _too_late(job, "stop")
    return job


def pause(session: Session, job_id: str) -> Job:
    """Let a job stand until it is resumed: waiting ones at once, running ones when they have
    saved where they are. One that ends before that has ended. Twice is once.

    Raises Problem conflict from a final state, or when it is being cancelled.
    """
    job = _locked(session, job_id)
    if not move(session, job_id, State.PAUSED, "Paused before it ran.", actor=CLIENT,
                sources=CLAIMABLE):  # fmt: skip
        move(session, job_id, State.PAUSING, "Asked to pause.", actor=CLIENT)
    session.refresh(job)
    if job.state not in (State.PAUSED, State.PAUSING):
        raise _too_late(job, "pause")
    return job


def resume(session: Session, job_id: str) -> Job:
    """Let a paused job go on, from where it was. Jobs that wait or run are left as they are.

    Raises Problem conflict from a final state, or when it is being cancelled.
    """
    job = _locked(session, job_id)
    if not move(session, job_id, State.QUEUED, "Resumed; it is in the queue.", actor=CLIENT):
        move(session, job_id, State.RUNNING, "Resumed before it had paused.", actor=CLIENT,
             sources=[State.PAUSING])  # fmt: skip
    session.refresh(job)
    if job.state not in (*CLAIMABLE, State.RUNNING):
        raise _too_late(job, "be resumed")
    return job


def _locked(session: Session, job_id: str) -> Job:
    """The job, which no other transaction changes until this one has ended."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise not_found("job")
    return job


def _too_late(job: Job, what: str) -> Problem:
    being = "is" if job.state == State.CANCELLING else "has"
    return Problem("conflict", f"The job {being} {job.state}; it can no longer {what}.")


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
    """The id of a job that trains on the data set or is judged by it; None when no job is."""
    judge = Job.spec["training"]["validation"]["dataset"].as_string()
    uses = or_(Job.dataset_id == dataset_id, judge == dataset_id)
    return session.scalar(select(Job.id).where(uses).limit(1))
