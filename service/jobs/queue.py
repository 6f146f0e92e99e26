"""The queue's moves: claim, beat, settle, set aside, reap. Each is one conditional write.

A claim raises the job's `fence`; every later write names the fence it was given, so a worker
that lost its lease (paused, cut off, taken for dead) writes nothing more.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, case, func, literal, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from service.jobs import checkpoints
from service.jobs.log import now, record
from service.jobs.messages import Resume, Snapshot
from service.jobs.owners import is_dead, short
from service.jobs.states import CLAIMABLE, HELD, SET_ASIDE, State
from service.jobs.transitions import move, passage
from service.tables import Dataset, Job, Json

SUCCESS = {
    "train": "Training is done and the model is published.",
    "verify": "Training was repeated and its weights are compared.",
    "sweep": "The sweep is done and its best network is published.",
}
MAX_LOSSES = 20  # workers that may die under a job between two of its checkpoints
PROGRESS: dict[str, Any] = {"crashes": 0, "losses": 0}  # what comes next starts from here


@dataclass(frozen=True)
class Lease:
    """The right to run one job and to write what comes of it."""

    job_id: str
    fence: int
    model: str
    spec: Json
    dataset_sha256: str
    owner: str = ""
    resume: Resume | None = None
    kind: str = "train"
    subject: Json | None = None
    validation_sha256: str | None = None


def _taking(*turn: Any) -> ReturningUpdate[Any]:
    """The statement of a claim, in the order of rank, then turn, then age."""
    candidate = (
        select(Job.id)
        .where(Job.state.in_(CLAIMABLE))
        .order_by(Job.rank, *turn, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(Job)
        .where(Job.id == candidate, Job.state.in_(CLAIMABLE))
        .values(
            state=State.RUNNING,
            fence=Job.fence + 1,
            owner=bindparam("owner"),
            lease_until=bindparam("until"),
            started_at=func.coalesce(Job.started_at, bindparam("now", type_=Job.started_at.type)),
            history=Job.history + bindparam("line", type_=Job.history.type),
        )
        .returning(Job)
        .execution_options(synchronize_session=False)
    )


_TAKE_NEXT = _taking()
_SHA256 = select(Dataset.sha256).where(Dataset.id == bindparam("id"))
_ANY_WAITING = select(Job.id).where(Job.state.in_(CLAIMABLE)).limit(1)


def claim(session: Session, owner: str, ttl: float, *, fair: bool = False) -> Lease | None:
    """Take the next waiting job: highest priority, then, if fair, of the share with the fewest
    running, then the oldest. One statement, no gap.
    """
    message = "A worker has started it."
    values = {
        "owner": owner,
        "until": time.time() + ttl,
        "now": now(),
        "line": passage(State.RUNNING, message, short(owner)),
    }
    statement = _taking(_running_of_share(session)) if fair else _TAKE_NEXT
    job = session.scalars(statement, values).one_or_none()
    if job is None:
        return None
    record(session, job.id, "running", message)
    sha256 = session.scalars(_SHA256, {"id": job.dataset_id}).one()
    judge = (job.spec.get("training", {}).get("validation") or {}).get("dataset")
    judging = None
    if judge is not None:
        judging = session.scalar(_SHA256, {"id": judge})
    resume = checkpoints.resume(session, job.id) if job.fence > 1 else None
    return Lease(
        job.id,
        job.fence,
        job.model,
        job.spec,
        sha256,
        owner,
        resume,
        job.kind,
        job.subject,
        judging,
    )


def _running_of_share(session: Session) -> Any:
    """How many jobs of a job's share run now, as an expression."""
    found = session.execute(
        select(Job.share, func.count().label("count"))
        .where(Job.state.in_(HELD))
        .group_by(Job.share)
    )
    running = {row.share: row.count for row in found}
    return case(running, value=Job.share, else_=0) if running else literal(0)


def has_waiting(session: Session) -> bool:
    """Whether a claim would find something; reading first keeps idle workers from writing."""
    return session.scalar(_ANY_WAITING) is not None


def holds(session: Session, lease: Lease, **values: Any) -> bool:
    """Change a running job under its lease; False when that was lost, and nothing changed."""
    result = session.execute(
        update(Job)
        .where(Job.id == lease.job_id, Job.fence == lease.fence, Job.state.in_(HELD))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE


def beat(
    session: Session,
    lease: Lease,
    ttl: float,
    points: Sequence[Json],
    snapshot: Snapshot | None = None,
    *,
    keep: int = 3,
    **progress: Any,
) -> list[str] | None:
    """Prolong the lease and note progress, epochs and checkpoint together.

    None when the lease was lost: nothing was written. Else the names of files to remove once
    this has committed.
    """
    if snapshot is not None:
        progress |= PROGRESS
    if not holds(session, lease, lease_until=time.time() + ttl, **progress):
        return None
    write_epochs(session, lease.job_id, points)
    if snapshot is None:
        return []
    return checkpoints.write(session, lease.job_id, snapshot, keep=keep)


def wishes(session: Session, leases: Sequence[Lease]) -> dict[str, State | None]:
    """What is asked of each job under way, by its id: its state, or None for a lost lease."""
    ids = [lease.job_id for lease in leases]
    found = select(Job.id, Job.fence, Job.state).where(Job.id.in_(ids), Job.state.in_(HELD))
    valid = {(row.id, row.fence): State(row.state) for row in session.execute(found)}
    return {lease.job_id: valid.get((lease.job_id, lease.fence)) for lease in leases}


_WRITE_EPOCHS = text(
    "INSERT INTO epoch_metrics (job_id, epoch, point) VALUES (:job_id, :epoch, :point) "
    "ON CONFLICT (job_id, epoch) DO UPDATE SET point = excluded.point"
)


def write_epochs(session: Session, job_id: str, points: Sequence[Json]) -> None:
    """Store epochs; those computed a second time replace the first, which were equal.

    Plain SQL, for a short job spends more time in here than in training otherwise.
    """
    if points:
        rows = [
            {"job_id": job_id, "epoch": point["epoch"], "point": orjson.dumps(point).decode()}
            for point in points
        ]
        session.execute(_WRITE_EPOCHS, rows)


def settle(
    session: Session,
    lease: Lease,
    state: State,
    *,
    result: Json | None = None,
    error: Json | None = None,
    **values: Any,
) -> bool:
    """End the job as succeeded or failed; False when the lease was lost or somebody cancelled."""
    message = SUCCESS[lease.kind]
    if error is not None:
        message = error["message"]
    return move(
        session,
        lease.job_id,
        state,
        message,
        actor=short(lease.owner) if lease.owner else "worker",
        fence=lease.fence,
        level="error" if state == State.FAILED else "info",
        data=error or result,
        result=result,
        error=error,
        **values,
    )


def set_aside(session: Session, lease: Lease, reason: str, **values: Any) -> State | None:
    """Let go of a job whose run ended before its work: it is cancelled or paused if that was
    asked, else it waits for its next run. Returns its new state; None when the lease was lost.
    """
    actor = short(lease.owner) if lease.owner else "worker"
    return _set_aside(session, lease.job_id, lease.fence, reason, actor, **values)


_MESSAGES = {
    State.CANCELLED: "Stopped as asked.",
    State.PAUSED: "Paused; it goes on from here when it is resumed.",
}


def _set_aside(
    session: Session, job_id: str, fence: int, reason: str, actor: str, **values: Any
) -> State | None:
    held = select(Job.state).where(Job.id == job_id, Job.fence == fence, Job.state.in_(HELD))
    state = session.scalar(held.with_for_update())
    if state is None:
        return None
    target = SET_ASIDE[State(state)]
    message = _MESSAGES.get(target, f"Interrupted: {reason}. It will run again.")
    level = "warning" if target == State.INTERRUPTED else "info"
    move(session, job_id, target, message, actor=actor, fence=fence, level=level, **values)
    return target


def crashed(
    session: Session, lease: Lease, reason: str, last_words: Sequence[str], *, limit: int
) -> State | None:
    """Count a death of the job's process; the job that caused `limit` of them without a
    checkpoint between fails as poison, with what is known. None when the lease was lost.
    """
    found = select(Job.crashes, Job.epoch).where(Job.id == lease.job_id, Job.fence == lease.fence)
    row = session.execute(found).one_or_none()
    if row is None:
        return None
    crashes = row.crashes + 1
    if crashes >= limit:
        message = f"Its process died {crashes} times, last of {reason}, after {row.epoch:g} epochs."
        if last_words:
            message += " Its last words: " + " | ".join(last_words)
        error = {"code": "poison", "message": message, "pointer": None}
        if settle(session, lease, State.FAILED, error=error, crashes=crashes):
            return State.FAILED
    return set_aside(session, lease, reason, crashes=crashes)


def stale(session: Session, dead: Callable[[str], bool] = is_dead) -> list[tuple[str, int]]:
    """Id and fence of jobs whose worker is dead, or silent past its lease."""
    found = session.execute(
        select(Job.id, Job.fence, Job.owner, Job.lease_until).where(Job.state.in_(HELD))
    )
    clock = time.time()
    return [
        (row.id, row.fence)
        for row in found
        if row.lease_until is None or row.lease_until < clock or (row.owner and dead(row.owner))
    ]


def reap(session: Session, dead: Callable[[str], bool] = is_dead) -> list[str]:
    """Take jobs away from dead or silent workers; returns their ids.

    From here on no lease on them is in force, so a worker that was only slow writes nothing more.
    """
    taken = []
    for job_id, fence in stale(session, dead):
        losses = session.scalars(select(Job.losses).where(Job.id == job_id)).one() + 1
        if losses >= MAX_LOSSES:
            message = f"{losses} workers died under it without a checkpoint between."
            error = {"code": "poison", "message": message, "pointer": None}
            if move(
                session, job_id, State.FAILED, message,
                actor="reaper", fence=fence, level="error", data=error, error=error, losses=losses,
            ):  # fmt: skip
                taken.append(job_id)
                continue
        if _set_aside(session, job_id, fence, "its worker is gone", "reaper", losses=losses):
            taken.append(job_id)
    return taken
