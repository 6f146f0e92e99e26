"""HTTP for predictions: bytes in, bytes out, one model call between."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.kit.bodies import documented, read_body, require_json
from service.kit.openapi import answers
from service.models.addresses import Name, Reference, RoutingKey
from service.models.resolution import Wanted, parse_reference
from service.predictions.answering import SMALL_BYTES, answer
from service.predictions.schemas import EXAMPLE, PredictRequest, PredictResponse
from service.state import state_of

router = APIRouter(prefix="/v1/models", tags=["predictions"])
FAILURES = answers(
    "malformed-json", "not-found", "too-large", "unsupported-media-type",
    "invalid-request", "rows-invalid", "model-unreadable",
)  # fmt: skip


@router.post(
    "/{name}/predict",
    summary="Predict with the version in traffic",
    response_model=PredictResponse,
    openapi_extra=documented(PredictRequest, penguin=EXAMPLE),
    responses=FAILURES,
)
async def predict(request: Request, name: Name, routing_key: RoutingKey = None) -> Response:
    """One prediction a row. Rows are records by column name, or arrays in signature order.

    The version is the latest, unless the model's traffic is split; `version` says which it was.
    """
    return await _answer(request, name, None, routing_key)


@router.post(
    "/{name}/versions/{version}/predict",
    summary="Predict with one version",
    response_model=PredictResponse,
    openapi_extra=documented(PredictRequest, penguin=EXAMPLE),
    responses=FAILURES,
)
async def predict_version(request: Request, name: Name, version: Reference) -> Response:
    """As the shorter address, with a version that never changes, an alias, or `latest`."""
    return await _answer(request, name, parse_reference(version), None)


async def _answer(request: Request, name: str, wanted: Wanted, key: str | None) -> Response:
    state = state_of(request)
    require_json(request.headers)
    raw = await read_body(request, state.settings.max_predict_bytes)
    shelved = state.shelf.at_hand(name, wanted, key)
    if shelved is None:
        shelved = await run_in_threadpool(state.shelf.fetch, name, wanted, key)
    if len(raw) > SMALL_BYTES:
        body = await run_in_threadpool(answer, state, shelved, raw)
    else:
        body = answer(state, shelved, raw)
    return Response(body, media_type="application/json")
