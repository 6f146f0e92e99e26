"""Queries on trials. Never commits: its caller's transaction does."""

from collections.abc import Sequence

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session, undefer

from service.kit.problems import not_found
from service.sweeps import messages
from service.tables import Job, Trial

_WRITE = text(
    "INSERT INTO trials "
    "(job_id, number, turn, candidate, repeat, point, share, loss, outcome, losses) VALUES "
    "(:job_id, :number, :turn, :candidate, :repeat, :point, :share, :loss, :outcome, :losses) "
    "ON CONFLICT (job_id, number) DO UPDATE SET loss = excluded.loss, "
    "outcome = excluded.outcome, losses = excluded.losses"
)


def write(session: Session, job_id: str, trials: Sequence[messages.Trial]) -> None:
    """Store trials that have ended."""
    if trials:
        rows = [
            {
                "job_id": job_id,
                "number": one.number,
                "turn": one.turn,
                "candidate": one.candidate,
                "repeat": one.repeat,
                "point": orjson.dumps(one.point).decode(),
                "share": one.share,
                "loss": one.loss,
                "outcome": orjson.dumps(one.outcome).decode(),
                "losses": one.losses,
            }
            for one in trials
        ]
        session.execute(_WRITE, rows)


def losses(session: Session, job_id: str) -> dict[int, float | None]:
    """The loss of each trial that has ended, by number."""
    found = select(Trial.number, Trial.loss).where(Trial.job_id == job_id)
    return {row.number: row.loss for row in session.execute(found)}


def trials(session: Session, job_id: str) -> Sequence[Trial]:
    """All trials of a sweep that have ended, in order, with their losses."""
    found = select(Trial).where(Trial.job_id == job_id).options(undefer(Trial.losses))
    return session.scalars(found.order_by(Trial.number)).all()


def get(session: Session, sweep_id: str) -> Job:
    """The sweep. Raises Problem not-found."""
    job = session.get(Job, sweep_id)
    if job is None or job.kind != "sweep":
        raise not_found("sweep")
    return job
