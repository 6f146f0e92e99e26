"""HTTP for operators: is it alive, is it ready, what are its limits, what do its problems mean."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import PlainTextResponse

from service.kit.migrations import is_current
from service.kit.openapi import answers
from service.kit.problems import CATALOGUE, Problem, not_found
from service.kit.schemas import Response
from service.state import state_of

router = APIRouter(tags=["operations"])


LIMITS = ("max_", "min_", "job_memory", "idempotency_", "webhook_", "keep_")


class Alive(Response):
    """The process answers."""

    status: str


class ProblemDescription(Response):
    """What one kind of failure means."""

    type: str
    title: str
    status: int
    explanation: str


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Alive:
    """200 as long as the process answers at all; asks nothing of database or workers."""
    return Alive(status="alive")


@router.get("/readyz", summary="Can it serve?", responses=answers("shutting-down", "database-busy"))
def readyz(request: Request) -> Alive:
    """200 when the database answers and has the right schema, 503 otherwise and while stopping."""
    state = state_of(request)
    if state.changes.draining:
        raise Problem("shutting-down", "The service is stopping.", headers={"Retry-After": "5"})
    if not is_current(state.database):
        raise Problem(
            "database-busy", "The database is not migrated.", headers={"Retry-After": "5"}
        )
    return Alive(status="ready")


@router.get(
    "/metrics",
    summary="Read the figures",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def read_metrics(request: Request) -> PlainTextResponse:
    """All that is counted, summed over the API processes, as Prometheus reads it."""
    from service.operations import exposition  # its library is loaded where somebody scrapes

    text = exposition.expose(state_of(request))
    return PlainTextResponse(text, media_type=exposition.CONTENT_TYPE)


@router.get("/v1/limits", summary="Show the limits")
def show_limits(request: Request) -> dict[str, Any]:
    """Every bound that can refuse a request; each can be set by `SIGMOID_<NAME>`."""
    settings = state_of(request).settings
    return {name: value for name, value in settings.model_dump().items() if name.startswith(LIMITS)}


@router.get("/problems/{slug}", summary="Explain a problem", responses=answers("not-found"))
def explain_problem(
    slug: Annotated[
        str,
        Path(max_length=64, description="The end of a problem's type.", examples=["job-invalid"]),
    ],
) -> ProblemDescription:
    """What a problem document's `type` means and what to do about it."""
    kind = CATALOGUE.get(slug)
    if kind is None:
        raise not_found("kind of problem")
    return ProblemDescription(
        type=kind.uri, title=kind.title, status=kind.status, explanation=kind.explanation
    )
