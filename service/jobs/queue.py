"""The queue's moves: claim, beat, settle, give back, reap. Each is one conditional write.

A claim raises the job's `fence`; every later write names the fence it was given, so a worker
that lost its lease (paused, cut off, taken for dead) writes nothing more.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from service.jobs.states import CLAIMABLE, HELD, State
from service.jobs.store import held_write, now, record
from service.tables import Dataset, Job, Json

SUCCESS = {
    "train": "Training is done and the model is published.",
    "verify": "Training was repeated and its weights are compared.",
}


@dataclass(frozen=True)
class Lease:
    """The right to run one job and to write what comes of it."""

    job_id: str
    fence: int
    model: str
    spec: Json
    dataset_sha256: str
    crashes: int
    kind: str = "train"
    subject: Json | None = None


def owner_name() -> str:
    """Name this process, told apart across reboots, containers and reused pids."""
    return "/".join((_boot(), os.readlink("/proc/self/ns/pid"), str(os.getpid()), _started("self")))


def is_dead(owner: str) -> bool:
    """Whether the owner certainly lives no more. False when it cannot be seen from here."""
    boot, namespace, pid, started = owner.split("/")
    if namespace != os.readlink("/proc/self/ns/pid"):
        return False
    return boot != _boot() or _started(pid) != started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: str) -> str:
    """Start time of a process in clock ticks since boot (proc(5), field 22); empty when gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def claim(session: Session, owner: str, ttl: float) -> Lease | None:
    """Take the next waiting job: highest priority, then oldest. One statement, no gap."""
    candidate = (
        select(Job.id)
        .where(Job.state.in_(CLAIMABLE))
        .order_by(Job.rank, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    job = session.scalars(
        update(Job)
        .where(Job.id == candidate, Job.state.in_(CLAIMABLE))
        .values(
            state=State.RUNNING,
            fence=Job.fence + 1,
            owner=owner,
            lease_until=time.time() + ttl,
            started_at=now(),
            epoch=0.0,
        )
        .returning(Job)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if job is None:
        return None
    record(session, job.id, "running", "A worker has started it.")
    sha256 = session.scalars(select(Dataset.sha256).where(Dataset.id == job.dataset_id)).one()
    return Lease(job.id, job.fence, job.model, job.spec, sha256, job.crashes, job.kind, job.subject)


def has_waiting(session: Session) -> bool:
    """Whether a claim would find something; reading first keeps idle workers from writing."""
    return session.scalar(select(Job.id).where(Job.state.in_(CLAIMABLE)).limit(1)) is not None


def beat(session: Session, lease: Lease, ttl: float, **progress: Any) -> bool:
    """Prolong the lease and note progress; False when it was lost."""
    return held_write(session, lease.job_id, lease.fence, lease_until=time.time() + ttl, **progress)


def unwanted(session: Session, leases: Sequence[Lease]) -> list[Lease]:
    """The leases whose job was asked to stop, or that belong to somebody else by now."""
    ids = [lease.job_id for lease in leases]
    found = select(Job.id, Job.fence).where(Job.id.in_(ids), Job.state == State.RUNNING)
    valid = {(row.id, row.fence) for row in session.execute(found)}
    return [lease for lease in leases if (lease.job_id, lease.fence) not in valid]


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
    """End the job; False when the lease was lost."""
    message = {
        State.SUCCEEDED: SUCCESS[lease.kind],
        State.CANCELLED: "Stopped as asked.",
    }.get(state, error["message"] if error else "Failed.")
    done = held_write(
        session,
        lease.job_id,
        lease.fence,
        state=state,
        result=result,
        error=error,
        finished_at=now(),
        owner=None,
        lease_until=None,
        **values,
    )
    if done:
        level = "error" if state == State.FAILED else "info"
        record(session, lease.job_id, state.value, message, level=level, data=error or result)
    return done


def give_back(
    session: Session, lease: Lease, reason: str, *, crashed: bool, max_crashes: int
) -> None:
    """Let somebody run the job again, or fail it as poison when it killed too many processes."""
    crashes = lease.crashes + crashed
    if crashes >= max_crashes:
        message = f"Its process died {crashes} times: {reason}."
        settle(
            session,
            lease,
            State.FAILED,
            error={"code": "poison", "message": message, "pointer": None},
            crashes=crashes,
        )
        return
    values = {"owner": None, "lease_until": None, "crashes": crashes}
    if held_write(session, lease.job_id, lease.fence, state=State.INTERRUPTED, **values):
        record(
            session,
            lease.job_id,
            "interrupted",
            f"Interrupted: {reason}. It will run again.",
            level="warning",
        )


def stale(session: Session, dead: Callable[[str], bool] = is_dead) -> list[str]:
    """Ids of jobs whose worker is dead, or silent past its lease."""
    found = session.execute(
        select(Job.id, Job.owner, Job.lease_until).where(Job.state.in_(HELD)).with_for_update()
    )
    clock = time.time()
    return [
        row.id
        for row in found
        if row.lease_until is None or row.lease_until < clock or (row.owner and dead(row.owner))
    ]


def reap(session: Session, dead: Callable[[str], bool] = is_dead) -> list[str]:
    """Take jobs away from dead or silent workers and queue them again; returns their ids."""
    taken = stale(session, dead)
    for job_id in taken:
        job = session.get_one(Job, job_id)
        if job.state == State.CANCELLING:
            job.state, job.finished_at = State.CANCELLED, now()
            record(session, job.id, "cancelled", "Stopped as asked; its worker was gone.")
        else:
            job.state = State.INTERRUPTED
            message = "Its worker is gone. It will run again."
            record(session, job.id, "interrupted", message, level="warning")
        job.fence, job.owner, job.lease_until = job.fence + 1, None, None
    return taken
