"""HTTP for predictions: bytes in, bytes out, one model call between."""

from typing import Any

import msgspec
import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from core.errors import DataError
from service.kit.bodies import documented, fields_problem, parse_json, read_body, require_json
from service.kit.openapi import answers
from service.kit.problems import FieldError, Problem, pointer
from service.models.addresses import Name, Reference, RoutingKey
from service.models.resolution import Wanted, parse_reference
from service.models.shadows import Shadows
from service.models.shelf import Shelved
from service.predictions.schemas import EXAMPLE, PredictRequest, PredictResponse
from service.state import State, state_of

router = APIRouter(prefix="/v1/models", tags=["predictions"])
FAILURES = answers(
    "malformed-json", "not-found", "too-large", "unsupported-media-type",
    "invalid-request", "rows-invalid", "model-unreadable",
)  # fmt: skip
SMALL_ROWS = 64  # more than these are computed in a thread, so that others are not kept waiting


class Rows(msgspec.Struct, forbid_unknown_fields=True):
    """The body; the model's own reader checks every cell, once."""

    rows: list[dict[str, Any] | list[Any]]


_decode = msgspec.json.Decoder(Rows).decode


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
    rows = read_rows(await read_body(request, state.settings.max_predict_bytes), state)
    shelved = state.shelf.at_hand(name, wanted, key)
    if shelved is None:
        shelved = await run_in_threadpool(state.shelf.fetch, name, wanted, key)
    if len(rows) > SMALL_ROWS:
        body = await run_in_threadpool(compute, shelved, rows, state.shadows)
    else:
        body = compute(shelved, rows, state.shadows)
    return Response(body, media_type="application/json")


def read_rows(raw: bytes, state: State) -> list[Any]:
    """The rows of a body. Raises 400 or 422 in the words of every other route."""
    try:
        rows = _decode(raw).rows
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        rows = None
    if not isinstance(rows, list) or not rows:
        parse_json(PredictRequest, raw)
        raise fields_problem([(("rows",), "Expected a list of records or of arrays.", "list_type")])
    if len(rows) > state.settings.max_predict_rows:
        sentence = f"At most {state.settings.max_predict_rows} rows at once."
        raise fields_problem([(("rows",), sentence, "too_long")])
    return rows


def compute(shelved: Shelved, rows: list[Any], shadows: Shadows) -> bytes:
    """The answer's bytes. Raises Problem rows-invalid naming row and column."""
    try:
        prediction = shelved.model.predict_records(rows)
    except DataError as error:
        raise _rows_invalid(error) from None
    shadows.note(shelved, rows, prediction)
    return orjson.dumps(
        {
            "model": shelved.name,
            "version": shelved.version,
            "predictions": shelved.model.listed(prediction),
            "warnings": prediction.warnings,
        }
    )


def _rows_invalid(error: DataError) -> Problem:
    parts = ["rows", *(part for part in (error.row, error.column) if part is not None)]
    found = FieldError(pointer(*parts), str(error), error.code)
    return Problem("rows-invalid", str(error), [found])
