"""HTTP for the report of a version."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.jobs import store as jobs
from service.jobs.thinning import thin
from service.kit.conditions import NOT_MODIFIED, Held, not_modified, tag, validators
from service.kit.openapi import answers
from service.models.addresses import Name, Reference
from service.models.document_routes import gather
from service.models.report.page import CONTENT_SECURITY_POLICY, render
from service.state import state_of

router = APIRouter(prefix="/v1/models/{name}/versions/{version}", tags=["models"])
MOST_POINTS = 300  # of a curve: more than the page has places for


@router.get(
    "/report",
    summary="Read the report",
    response_class=Response,
    responses={
        200: {
            "description": "One HTML page with everything inside.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        },
        **NOT_MODIFIED,
        **answers("not-found", "model-unreadable"),
    },
)
def read_report(request: Request, name: Name, version: Reference, held: Held = None) -> Response:
    """A version as one self-contained HTML page, light and dark: how good it is beside the
    simplest answer, what it confuses, how it learned, how the gradient flowed, its columns and
    where it comes from. No script, nothing loaded from elsewhere: keep it, print it, send it on.
    """
    state = state_of(request)
    card = gather(state, name, version)
    points = []
    if card.training.job is not None:
        with state.database.read() as session:
            points = thin(jobs.epochs(session, card.training.job), MOST_POINTS)
    page = render(card, points)
    etag = tag(page)
    headers = {**validators(etag), "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    answer = Response(page, media_type="text/html; charset=utf-8", headers=headers)
    return not_modified(etag, held) or answer
