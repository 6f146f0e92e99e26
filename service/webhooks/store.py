"""Webhooks and their deliveries in the database. Never commits.

The events of jobs are the outbox: `fan_out` reads those behind a cursor and writes a delivery for
each webhook that wants it, moving the cursor in the same transaction. So an end of a job is told
to everybody who asked, at least once, whatever dies in between.
"""

import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from service.jobs.states import FINAL
from service.kit.ids import new_id
from service.kit.problems import not_found
from service.tables import Event, Job, Json, Webhook, WebhookCursor, WebhookDelivery
from service.webhooks.signing import new_secret

KINDS = tuple(f"job.{state.value}" for state in sorted(FINAL))
TEST = "webhook.test"
_BATCH = 500
LONGEST_PAUSE_SECONDS = 6 * 3600.0


class Outcome(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def create(session: Session, url: str, events: Sequence[str], description: str) -> Webhook:
    """Add a webhook. Ends of jobs from now on are told."""
    _cursor(session)
    hook = Webhook(
        id=new_id("wh"),
        url=url,
        events={"kinds": list(events)},
        description=description,
        secret=new_secret(),
        enabled=True,
        created_at=datetime.now(UTC),
    )
    session.add(hook)
    session.flush()
    return hook


def get(session: Session, webhook_id: str) -> Webhook:
    """The webhook. Raises Problem not-found."""
    hook = session.get(Webhook, webhook_id)
    if hook is None:
        raise not_found("webhook")
    return hook


def remove(session: Session, webhook_id: str) -> None:
    """Delete a webhook and its log."""
    get(session, webhook_id)
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id))
    session.execute(delete(Webhook).where(Webhook.id == webhook_id))


def deliveries(webhook_id: str) -> Select[WebhookDelivery]:
    """The log of a webhook."""
    return select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)


def enqueue(session: Session, hook: Webhook, kind: str, data: Json) -> WebhookDelivery:
    """Write a message that is due now."""
    made = datetime.now(UTC)
    stamp = made.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    delivery = WebhookDelivery(
        id=new_id("msg"),
        webhook_id=hook.id,
        type=kind,
        body=json.dumps({"type": kind, "timestamp": stamp, "data": data}, separators=(",", ":")),
        state=Outcome.PENDING,
        attempts=0,
        next_at=time.time(),
        created_at=made,
    )
    session.add(delivery)
    session.flush()
    return delivery


def _cursor(session: Session) -> WebhookCursor:
    cursor = session.get(WebhookCursor, 1)
    if cursor is None:
        newest = session.scalar(select(func.max(Event.id))) or 0
        cursor = WebhookCursor(id=1, event_id=newest)
        session.add(cursor)
        session.flush()
    return cursor


def has_news(session: Session) -> bool:
    """Whether there are events behind the cursor; False where nobody ever wanted any."""
    cursor = session.get(WebhookCursor, 1)
    newest = select(Event.id).where(Event.id > (cursor.event_id if cursor else 0)).limit(1)
    return cursor is not None and session.scalar(newest) is not None


def fan_out(session: Session) -> None:
    """Turn the next events into deliveries."""
    cursor = _cursor(session)
    found = select(Event).where(Event.id > cursor.event_id).order_by(Event.id).limit(_BATCH)
    events = session.scalars(found).all()
    hooks = session.scalars(select(Webhook).where(Webhook.enabled)).all()
    for event in events:
        kind = f"job.{event.type}"
        if kind in KINDS:
            job = session.get_one(Job, event.job_id)
            data = {
                "job": job.id,
                "model": job.model,
                "state": event.type,
                "message": event.message,
                "result": job.result,
                "error": job.error,
            }
            for hook in hooks:
                if kind in hook.events["kinds"]:
                    enqueue(session, hook, kind, data)
    if events:
        cursor.event_id = events[-1].id


def due(session: Session, limit: int) -> list[str]:
    """Ids of deliveries to try now, the longest due first."""
    found = select(WebhookDelivery.id).where(
        WebhookDelivery.state == Outcome.PENDING, WebhookDelivery.next_at <= time.time()
    )
    return list(session.scalars(found.order_by(WebhookDelivery.next_at).limit(limit)))


def take(session: Session, delivery_id: str, lease: float) -> WebhookDelivery | None:
    """Count an attempt and keep others away for `lease` seconds, after which it is due again."""
    return session.scalars(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == delivery_id,
            WebhookDelivery.state == Outcome.PENDING,
            WebhookDelivery.next_at <= time.time(),
        )
        .values(attempts=WebhookDelivery.attempts + 1, next_at=time.time() + lease)
        .returning(WebhookDelivery)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def pause(attempts: int, base: float) -> float:
    """Seconds until the next attempt: doubling fourfold, with jitter of a quarter either way."""
    return min(LONGEST_PAUSE_SECONDS, base * 4.0 ** (attempts - 1)) * random.uniform(0.75, 1.25)  # noqa: S311


def note(
    session: Session,
    delivery: WebhookDelivery,
    *,
    status: int | None,
    error: str | None,
    most: int,
    base: float,
) -> None:
    """Write what came of an attempt."""
    values: dict[str, object] = {"status": status, "error": error}
    if status is not None and 200 <= status < 300:
        values |= {"state": Outcome.DELIVERED, "finished_at": datetime.now(UTC)}
    elif status == 410 or delivery.attempts >= most:
        values |= {"state": Outcome.FAILED, "finished_at": datetime.now(UTC)}
    else:
        values["next_at"] = time.time() + pause(delivery.attempts, base)
    session.execute(
        update(WebhookDelivery).where(WebhookDelivery.id == delivery.id).values(**values)
    )
    if status == 410:  # Gone: the receiver wants no more
        session.execute(
            update(Webhook).where(Webhook.id == delivery.webhook_id).values(enabled=False)
        )
