"""What the janitor does. Each step is one short transaction, and does nothing that was done before.

Files go after the rows that name them, or are found to be named by none.
"""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, Select, delete, func, select, text
from sqlalchemy.orm import Session

from service.jobs.states import FINAL
from service.jobs.thinning import thin
from service.kit.database import Database
from service.settings import Settings
from service.tables import (
    Checkpoint,
    Dataset,
    EpochMetrics,
    Event,
    IdempotencyKey,
    Job,
    WebhookCursor,
    WebhookDelivery,
)

BATCH = 500
PAGES_A_STEP = 500
SPARE_PAGES = 250  # kept free for what is written next


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _deleted(session: Session, table: Any, key: Any, old: Select[Any]) -> int:
    """Delete a batch of those selected; how many there were."""
    doomed = list(session.scalars(old.limit(BATCH)))
    if doomed:
        session.execute(delete(table).where(key.in_(doomed)))
    return len(doomed)


def forget_keys(session: Session, settings: Settings) -> int:
    """Idempotency keys whose time is over."""
    old = IdempotencyKey.created_at < _ago(settings.idempotency_seconds)
    return _deleted(
        session, IdempotencyKey, IdempotencyKey.scope, select(IdempotencyKey.scope).where(old)
    )


def forget_deliveries(session: Session, settings: Settings) -> int:
    """Deliveries that have ended long ago."""
    old = WebhookDelivery.finished_at < _ago(settings.keep_deliveries_seconds)
    return _deleted(
        session, WebhookDelivery, WebhookDelivery.id, select(WebhookDelivery.id).where(old)
    )


def forget_events(session: Session, settings: Settings) -> int:
    """Events of jobs that ended long ago, but for the end itself and what webhooks wait for."""
    cursor = session.get(WebhookCursor, 1)
    old = (
        select(Event.id)
        .join(Job, Job.id == Event.job_id)
        .where(
            Job.finished_at < _ago(settings.keep_events_seconds),
            Event.type.not_in([state.value for state in FINAL]),
        )
    )
    if cursor is not None:
        old = old.where(Event.id <= cursor.event_id)
    return _deleted(session, Event, Event.id, old)


def forget_checkpoints(session: Session, settings: Settings) -> tuple[int, list[str]]:
    """Checkpoints of jobs that ended long ago, and the files to remove once that is committed."""
    old = session.execute(
        select(Checkpoint.job_id, Checkpoint.epoch, Checkpoint.file)
        .join(Job, Job.id == Checkpoint.job_id)
        .where(Job.finished_at < _ago(settings.keep_checkpoints_seconds))
        .limit(BATCH)
    ).all()
    for job_id, epoch, _ in old:
        same = (Checkpoint.job_id == job_id) & (Checkpoint.epoch == epoch)
        session.execute(delete(Checkpoint).where(same))
    return len(old), [name for _, _, name in old if name is not None]


def old_curves(session: Session, settings: Settings, since: datetime) -> list[tuple[str, datetime]]:
    """Jobs that ended after `since` and before the bound, and when; the oldest first."""
    found = session.execute(
        select(Job.id, Job.finished_at)
        .where(Job.finished_at > since, Job.finished_at < _ago(settings.keep_metrics_seconds))
        .order_by(Job.finished_at)
        .limit(BATCH)
    )
    return [(job_id, ended) for job_id, ended in found if ended is not None]


def thin_curve(session: Session, settings: Settings, job_id: str) -> int:
    """Thin one learning curve, keeping the extremes of each stretch; how many points went."""
    mine = EpochMetrics.job_id == job_id
    count = session.scalar(select(func.count()).select_from(EpochMetrics).where(mine)) or 0
    if count <= settings.keep_metrics_points:
        return 0
    points = list(
        session.scalars(select(EpochMetrics.point).where(mine).order_by(EpochMetrics.epoch))
    )
    kept = {point["epoch"] for point in thin(points, settings.keep_metrics_points)}
    gone = [point["epoch"] for point in points if point["epoch"] not in kept]
    for start in range(0, len(gone), BATCH):
        some = EpochMetrics.epoch.in_(gone[start : start + BATCH])
        session.execute(delete(EpochMetrics).where(mine, some))
    return len(gone)


def sweep_unfinished(settings: Settings) -> int:
    """Files in `tmp` that nobody has touched for long: their request or process is gone."""
    return _remove(settings.folder("tmp"), settings, lambda _: True)


def sweep_tables(database: Database, settings: Settings) -> int:
    """Files of data sets that no row names: a crash came between the two."""

    def is_orphan(path: Path) -> bool:
        return session.scalar(select(Dataset.id).where(Dataset.sha256 == path.stem)) is None

    doomed = [path for path in settings.folder("datasets").iterdir() if _is_old(path, settings)]
    with database.write() as session:  # adding one renames its file within a transaction
        return sum(_unlink(path) for path in doomed if is_orphan(path))


def sweep_checkpoints(database: Database, settings: Settings) -> int:
    """Files of checkpoints that no row names."""
    doomed = [path for path in settings.folder("checkpoints").iterdir() if _is_old(path, settings)]
    with database.read() as session:
        named = set(session.scalars(select(Checkpoint.file).where(Checkpoint.file.is_not(None))))
    return sum(_unlink(path) for path in doomed if path.name not in named)


def _remove(folder: Path, settings: Settings, condition: Callable[[Path], bool]) -> int:
    return sum(
        _unlink(path) for path in folder.iterdir() if _is_old(path, settings) and condition(path)
    )


def _is_old(path: Path, settings: Settings) -> bool:
    with contextlib.suppress(OSError):
        return path.is_file() and path.stat().st_mtime < time.time() - settings.keep_orphan_seconds
    return False


def _unlink(path: Path) -> bool:
    with contextlib.suppress(OSError):
        path.unlink()
        return True
    return False


def give_space_back(database: Database) -> int:
    """Return a few free pages of SQLite's file to the disk; how many."""
    if not database.is_sqlite:
        return 0
    with database.write() as session:
        free = session.execute(text("PRAGMA freelist_count")).scalar_one()
        pages = min(PAGES_A_STEP, free - SPARE_PAGES)
        if pages <= 0:
            return 0
        result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
            text(f"PRAGMA incremental_vacuum({int(pages)})")
        )
        result.close()
        left = session.execute(text("PRAGMA freelist_count")).scalar_one()
    return int(free - left)
