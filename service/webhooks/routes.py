"""HTTP for webhooks."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, Field
from sqlalchemy import select

from service.kit import schemas
from service.kit.bodies import documented, json_body
from service.kit.idempotency import FAILURES, Idempotent
from service.kit.keys import ADMIN
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.schemas import Moment, Page, Text
from service.state import state_of
from service.tables import Webhook, WebhookDelivery
from service.webhooks import store

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], dependencies=[ADMIN])
Kind = Literal["job.cancelled", "job.failed", "job.succeeded"]
WebhookId = Annotated[
    str, Path(max_length=64, description="Identifier of a webhook.", examples=["wh_0"])
]
EXAMPLE = {"url": "https://example.com/hooks/sigmoid", "events": ["job.succeeded", "job.failed"]}
_BODY = ("malformed-json", "too-large", "unsupported-media-type")


def _http(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.fragment or not url.isascii() or " " in url:
        raise ValueError("expected an http or https address without user name or fragment")
    return url


class WebhookRequest(schemas.Request):
    """A webhook to be."""

    url: Annotated[Text, Field(max_length=2000), AfterValidator(_http)]
    events: list[Kind] = Field(
        ["job.cancelled", "job.failed", "job.succeeded"],
        min_length=1,
        max_length=3,
    )
    description: Annotated[Text, Field(max_length=200)] = ""


class WebhookChange(schemas.Request):
    """What can be changed."""

    enabled: bool


class WebhookResponse(schemas.Response):
    """A webhook."""

    id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    created_at: Moment


class WebhookCreated(WebhookResponse):
    """A webhook, with the secret that is shown this once."""

    secret: str = Field(description="Verifies signatures. It is not shown again.")


class DeliveryResponse(schemas.Response):
    """One message and what came of it."""

    id: str
    type: str
    state: str
    attempts: int
    status: int | None = Field(description="The receiver's last HTTP status.")
    error: str | None
    created_at: Moment
    finished_at: Moment | None


def _shown(hook: Webhook) -> WebhookResponse:
    return WebhookResponse(
        id=hook.id,
        url=hook.url,
        events=hook.events["kinds"],
        description=hook.description,
        enabled=hook.enabled,
        created_at=hook.created_at,
    )


def _told(row: WebhookDelivery) -> DeliveryResponse:
    return DeliveryResponse.model_validate(
        {name: getattr(row, name) for name in DeliveryResponse.model_fields}
    )


@router.post(
    "",
    summary="Add a webhook",
    status_code=201,
    openapi_extra=documented(WebhookRequest, jobs=EXAMPLE),
    responses=answers(*_BODY, *FAILURES, "insufficient-scope"),
)
def add_webhook(
    request: Request,
    response: Response,
    body: Annotated[WebhookRequest, json_body(WebhookRequest)],
    once: Idempotent,
) -> WebhookCreated:
    """Every end of a job from now on is sent to `url` as a signed POST (Standard Webhooks), again
    and again until it is taken. The secret is shown in this answer only.
    """
    once.compare(body)
    with state_of(request).database.write() as session:
        hook = store.create(session, body.url, sorted(set(body.events)), body.description)
        made = WebhookCreated(**_shown(hook).model_dump(), secret=hook.secret)
        once.keep(session, 201, made, f"/v1/webhooks/{hook.id}")
    response.headers["Location"] = f"/v1/webhooks/{hook.id}"
    return made


@router.get("", summary="List webhooks", responses=answers("insufficient-scope"))
def list_webhooks(
    request: Request, response: Response, limit: Limit = 20, after: After = None
) -> Page[WebhookResponse]:
    """Webhooks, newest first, without their secrets."""
    with state_of(request).database.read() as session:
        rows, more = fetch(session, select(Webhook), Webhook.id, limit=limit, after=after)
    return page([_shown(row) for row in rows], [row.id for row in rows], more, request, response)


@router.get(
    "/{webhook_id}", summary="Show a webhook", responses=answers("not-found", "insufficient-scope")
)
def show_webhook(request: Request, webhook_id: WebhookId) -> WebhookResponse:
    """The webhook without its secret."""
    with state_of(request).database.read() as session:
        return _shown(store.get(session, webhook_id))


@router.patch(
    "/{webhook_id}",
    summary="Switch a webhook on or off",
    openapi_extra=documented(WebhookChange, off={"enabled": False}),
    responses=answers("not-found", *_BODY),
)
def change_webhook(
    request: Request,
    webhook_id: WebhookId,
    body: Annotated[WebhookChange, json_body(WebhookChange)],
) -> WebhookResponse:
    """Ends of jobs while it is off are not told later; what is on its way still is."""
    with state_of(request).database.write() as session:
        hook = store.get(session, webhook_id)
        hook.enabled = body.enabled
        return _shown(hook)


@router.delete(
    "/{webhook_id}", summary="Delete a webhook", status_code=204, responses=answers("not-found")
)
def delete_webhook(request: Request, webhook_id: WebhookId) -> None:
    """Remove it with its log; nothing more is sent."""
    with state_of(request).database.write() as session:
        store.remove(session, webhook_id)


@router.post(
    "/{webhook_id}/test",
    summary="Send a test message",
    status_code=202,
    responses=answers("not-found"),
)
def test_webhook(request: Request, webhook_id: WebhookId) -> DeliveryResponse:
    """Queue a message of the type `webhook.test`; its delivery tells how it went."""
    state = state_of(request)
    with state.database.write() as session:
        hook = store.get(session, webhook_id)
        told = _told(store.enqueue(session, hook, store.TEST, {"webhook": hook.id}))
    state.changes.doorbell.ring("webhooks")
    return told


@router.get(
    "/{webhook_id}/deliveries",
    summary="Read the deliveries",
    responses=answers("not-found", "insufficient-scope"),
)
def list_deliveries(
    request: Request,
    response: Response,
    webhook_id: WebhookId,
    limit: Limit = 20,
    after: After = None,
) -> Page[DeliveryResponse]:
    """Messages of a webhook, newest first, with attempts and the receiver's last status."""
    with state_of(request).database.read() as session:
        store.get(session, webhook_id)
        found = store.deliveries(webhook_id)
        rows, more = fetch(session, found, WebhookDelivery.id, limit=limit, after=after)
    return page([_told(row) for row in rows], [row.id for row in rows], more, request, response)
