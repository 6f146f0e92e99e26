"""How fast the queue empties, and so when it is worth asking again."""

import math
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.kit.problems import Problem
from service.tables import Job

WINDOW_SECONDS = 60.0
UNKNOWN_SECONDS = 30  # where no job has ended within the window


def seconds_until_room(ended: int, window: float = WINDOW_SECONDS) -> int:
    """Retry-After, 1 to 60: the time a place takes to become free at the present rate."""
    if ended == 0:
        return UNKNOWN_SECONDS
    return max(1, min(60, math.ceil(window / ended)))


def queue_full(session: Session, waiting: int) -> Problem:
    """429 with the Retry-After that the last minute's rate suggests."""
    since = datetime.now(UTC) - timedelta(seconds=WINDOW_SECONDS)
    ended = session.scalar(select(func.count()).where(Job.finished_at >= since)) or 0
    detail = f"{waiting} jobs are waiting already."
    return Problem("queue-full", detail, headers={"Retry-After": str(seconds_until_room(ended))})
