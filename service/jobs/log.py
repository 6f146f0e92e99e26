"""The durable log of a job: events whose ids only grow."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.tables import Event, Json


def now() -> datetime:
    """The present moment, for display."""
    return datetime.now(UTC)


_INSERT = insert(Event)


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
    session.execute(_INSERT, [{**values, "data": data}])


def events(session: Session, job_id: str, *, after: int, limit: int) -> Sequence[Event]:
    """Events with an id above `after`, oldest first."""
    found = select(Event).where(Event.job_id == job_id, Event.id > after)
    return session.scalars(found.order_by(Event.id).limit(limit)).all()
