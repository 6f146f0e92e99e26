"""HTTP for traffic: which versions answer the calls that name none, and which only watch."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from service.kit.bodies import documented, json_body
from service.kit.conditions import NOT_MODIFIED, Held, IfMatch, tagged
from service.kit.openapi import answers
from service.kit.schemas import Moment
from service.kit.schemas import Request as Body
from service.kit.schemas import Response as Shown
from service.models import store, traffic
from service.models.addresses import Name
from service.models.alias_routes import announce
from service.models.traffic import Plan
from service.state import state_of
from service.tables import ShadowRecord

router = APIRouter(prefix="/v1/models/{name}/traffic", tags=["models"])
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Share(Body):
    """One version's part of the calls."""

    version: Version
    percent: int = Field(ge=1, le=100)


class TrafficRequest(Body):
    """The whole plan; what is not in it ends."""

    split: list[Share] = Field(
        default_factory=list,
        max_length=10,
        description="Whole percentages that sum to 100; empty: the latest version, whichever it "
        "comes to be.",
    )
    shadows: list[Version] = Field(
        default_factory=list,
        max_length=5,
        description="Versions that compute the same rows afterwards, for comparison only.",
    )


class ShareResponse(Shown):
    """One version's part of the calls."""

    version: int
    percent: int


class TrafficResponse(Shown):
    """Which versions answer calls that name none."""

    model: str
    split: list[ShareResponse]
    shadows: list[int]


class Comparison(Shown):
    """A shadow's answers beside those that were given, over `rows` rows."""

    version: int = Field(description="The version that answered.")
    shadow: int
    rows: int
    agreement: float | None = Field(
        description="Share of rows with the same label; of numbers, those closer than a tenth of "
        "the target's standard deviation."
    )
    mean_difference: float | None = Field(
        description="Shadow minus answer: of the value, or of the probability of the label given."
    )
    mean_absolute_difference: float | None
    largest_difference: float | None
    skipped: int = Field(description="Rows left out because the service had no time for them.")
    failed: int = Field(description="Rows that the shadow cannot read.")
    first_at: Moment
    last_at: Moment


class Comparisons(Shown):
    """What the shadows of a model have shown so far."""

    model: str
    data: list[Comparison]


def shown(name: str, plan: Plan) -> TrafficResponse:
    """A plan as it goes out."""
    split = [ShareResponse(version=version, percent=percent) for version, percent in plan.split]
    return TrafficResponse(model=name, split=split, shadows=list(plan.shadows))


@router.get(
    "",
    summary="Show the traffic",
    response_model=TrafficResponse,
    responses={**NOT_MODIFIED, **answers("not-found")},
)
def show_traffic(request: Request, response: Response, name: Name, held: Held = None) -> Any:
    """Shares and shadows; an empty split means that the latest version answers. The `ETag` is
    for `If-Match` when changing it.
    """
    with state_of(request).database.read() as session:
        store.get(session, name)
        plan = traffic.read(session, name)
    return tagged(response, shown(name, plan), plan.etag, held)


@router.put(
    "",
    summary="Split the traffic",
    openapi_extra=documented(TrafficRequest, first={"split": [{"version": 1, "percent": 100}]}),
    responses=answers(
        "malformed-json", "not-found", "precondition-failed", "too-large",
        "unsupported-media-type", "invalid-request",
    ),
)  # fmt: skip
def split_traffic(
    request: Request,
    response: Response,
    name: Name,
    body: Annotated[TrafficRequest, json_body(TrafficRequest)],
    if_match: IfMatch = None,
) -> TrafficResponse:
    """Replace the plan, at once, live in every process within a second.

    A call with an `X-Routing-Key` always gets the same version while the plan stands: the key's
    bucket is the first 8 bytes of SHA-256("<model>:<key>"), big endian, modulo 100, and the
    versions own ranges of buckets in ascending order. Shadows never answer and never delay.
    """
    asked = Plan(
        tuple(sorted((share.version, share.percent) for share in body.split)),
        tuple(sorted(body.shadows)),
    )
    state = state_of(request)
    with state.database.write() as session:
        traffic.replace(session, name, asked, if_match=if_match)
    announce(state)
    response.headers["ETag"] = asked.etag
    return shown(name, asked)


@router.delete(
    "",
    summary="End the split",
    status_code=204,
    responses=answers("not-found", "precondition-failed"),
)
def end_split(request: Request, name: Name, if_match: IfMatch = None) -> None:
    """From now on the latest version answers, and no shadow computes."""
    state = state_of(request)
    with state.database.write() as session:
        traffic.replace(session, name, Plan(), if_match=if_match)
    announce(state)


@router.get("/shadows", summary="Compare the shadows", responses=answers("not-found"))
def compare_shadows(request: Request, name: Name) -> Comparisons:
    """How the answers of shadows differ from those that were given; a second behind at most."""
    with state_of(request).database.read() as session:
        store.get(session, name)
        records = traffic.comparisons(session, name)
    return Comparisons(model=name, data=[_compared(record) for record in records])


def _compared(record: ShadowRecord) -> Comparison:
    rows = record.rows
    return Comparison(
        version=record.version,
        shadow=record.shadow,
        rows=rows,
        agreement=record.agreed / rows if rows else None,
        mean_difference=record.difference / rows if rows else None,
        mean_absolute_difference=record.absolute_difference / rows if rows else None,
        largest_difference=record.largest_difference if rows else None,
        skipped=record.skipped,
        failed=record.failed,
        first_at=record.first_at,
        last_at=record.last_at,
    )
