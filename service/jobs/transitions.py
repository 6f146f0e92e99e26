"""The one way a job changes its state: a conditional write that records when, why and by whom."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson
from sqlalchemy import literal, update
from sqlalchemy.orm import Session

from service.jobs.log import now, record
from service.jobs.states import ENTERED_FROM, FINAL, State
from service.tables import Job, Json

CLIENT = "client"


class Passage(msgspec.Struct, frozen=True):
    """One line of a job's history: a state, and how it came to it."""

    state: State
    time: float
    cause: str
    actor: str


def passage(state: State, cause: str, actor: str) -> str:
    """A line of history, to be appended to those before."""
    line = {"state": state, "time": time.time(), "cause": cause, "actor": actor}
    return orjson.dumps(line).decode() + "\n"


_read = msgspec.json.Decoder(Passage)


def history(job: Job) -> list[Passage]:
    """All states the job was in, oldest first."""
    return _read.decode_lines(job.history)


def timings(passages: list[Passage], until: float) -> dict[str, float]:
    """Seconds spent in each state that does not end the job, up to the moment `until`."""
    spent: dict[str, float] = {}
    ends = [following.time for following in passages[1:]] + [until]
    for entered, end in zip(passages, ends, strict=True):
        if entered.state not in FINAL:
            stay = max(0.0, end - entered.time)
            spent[entered.state] = round(spent.get(entered.state, 0.0) + stay, 6)
    return spent


def move(
    session: Session,
    job_id: str,
    target: State,
    message: str,
    *,
    actor: str,
    fence: int | None = None,
    sources: Iterable[State] | None = None,
    level: str = "info",
    data: Json | None = None,
    **values: Any,
) -> bool:
    """Bring the job into `target` if it is in one of the sources, by default all that may.

    Workers name the fence of their lease: without it in force nothing changes. Returns whether
    it moved; then the job's history and log say so in the same transaction.
    """
    allowed = ENTERED_FROM[target]
    chosen = allowed if sources is None else allowed.intersection(sources)
    held = [] if fence is None else [Job.fence == fence]
    if target in FINAL:
        values |= {"finished_at": now()}
    if target not in (State.RUNNING, State.PAUSING, State.CANCELLING):
        values |= {"owner": None, "lease_until": None}
    line = passage(target, message, actor)
    moved = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(sorted(chosen)), *held)
        .values(state=target, history=Job.history + literal(line), **values)
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE
        return False
    record(session, job_id, target.value, message, level=level, data=data)
    return True
