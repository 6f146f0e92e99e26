"""HTTP for predictions: bytes in, bytes out, one model call between."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from service.kit.bodies import documented, fields_problem, media_type, read_body, require_json
from service.kit.openapi import answers
from service.models.addresses import Name, Reference, RoutingKey
from service.models.resolution import Wanted, parse_reference
from service.predictions.answering import SMALL_BYTES, answer
from service.predictions.schemas import CSV_EXAMPLE, EXAMPLE, PredictRequest, PredictResponse
from service.state import state_of

router = APIRouter(prefix="/v1/models", tags=["predictions"])
FAILURES = answers(
    "malformed-json", "not-found", "too-large", "unsupported-media-type",
    "invalid-request", "rows-invalid", "model-unreadable", "dataset-invalid", "not-acceptable",
    "storage-full",
)  # fmt: skip
_TABLES = ("text/csv", "text/tab-separated-values", "application/x-ndjson", "application/ndjson",
           "application/jsonl", "application/vnd.apache.arrow.stream",
           "application/vnd.apache.arrow.file", "application/vnd.apache.parquet",
           "application/parquet")  # fmt: skip
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OUT = ("text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet")  # fmt: skip


def _described() -> dict[str, Any]:
    """The OpenAPI part: rows as JSON, or a table in any of its formats."""
    found = documented(PredictRequest, penguin=EXAMPLE)
    found["requestBody"]["content"] |= {
        "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
        **dict.fromkeys(_OUT[1:], _BINARY),
    }
    return found


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One prediction a row, in order. A table's warnings are in "
        "`X-Prediction-Warnings`, as JSON; `X-Model-Version` and `X-Rows` say what answered.",
        "content": dict.fromkeys(_OUT, _BINARY),
    },
    **FAILURES,
}
Threshold = Annotated[
    float | None,
    Query(
        ge=0,
        le=1,
        description="For a table: the second of two labels is predicted from this probability on. "
        "With JSON it is a field of the body.",
    ),
]


@router.post(
    "/{name}/predict",
    summary="Predict with the version in traffic",
    response_model=PredictResponse,
    openapi_extra=_described(),
    responses=_ANSWERS,
)
async def predict(
    request: Request, name: Name, routing_key: RoutingKey = None, threshold: Threshold = None
) -> Response:
    """One prediction a row. Rows are records by column name, or arrays in signature order.

    The version is the latest, unless the model's traffic is split; `version` says which it was.
    A whole table, as CSV, NDJSON, Arrow or Parquet, is told by Content-Type; Accept chooses the
    form of the answer, else it is the table's own. Columns that the model does not ask for are
    left alone.
    """
    return await _answer(request, name, None, routing_key, threshold)


@router.post(
    "/{name}/versions/{version}/predict",
    summary="Predict with one version",
    response_model=PredictResponse,
    openapi_extra=_described(),
    responses=_ANSWERS,
)
async def predict_version(
    request: Request, name: Name, version: Reference, threshold: Threshold = None
) -> Response:
    """As the shorter address, with a version that never changes, an alias, or `latest`."""
    return await _answer(request, name, parse_reference(version), None, threshold)


async def _answer(
    request: Request, name: str, wanted: Wanted, key: str | None, threshold: float | None
) -> Response:
    state = state_of(request)
    is_table = media_type(request.headers) in _TABLES
    if is_table:
        from service.predictions.bulk import answer_table  # PyArrow: 40 MB that JSON needs not
    else:
        require_json(request.headers)
        raw = await read_body(request, state.settings.max_predict_bytes)
    shelved = state.shelf.at_hand(name, wanted, key)
    if shelved is None:
        shelved = await run_in_threadpool(state.shelf.fetch, name, wanted, key)
    if is_table:
        return await answer_table(request, state, shelved, threshold)
    if threshold is not None:
        raise fields_problem([(("query", "threshold"), "Give it in the body.", "not_a_table")])
    if len(raw) > SMALL_BYTES:
        body = await run_in_threadpool(answer, state, shelved, raw)
    else:
        body = answer(state, shelved, raw)
    return Response(body, media_type="application/json")
