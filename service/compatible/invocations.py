"""`/ping` and `/invocations`, as MLflow's scoring server and SageMaker's containers have them.

The model is the one the setting `invocations_model` names, else the only one there is.
"""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request
from pydantic import Field, model_validator
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from service.compatible.rows import from_columns, from_list, from_split, predict_rows, said
from service.datasets.uploads import receive
from service.kit import schemas
from service.kit.bodies import documented, media_type, parse_json, read_body, require_json
from service.kit.dialects import DIALECTS, Dialect
from service.kit.openapi import answers
from service.kit.problems import Problem, invalid
from service.models.resolution import parse_reference
from service.models.shelf import Shelved
from service.state import State, state_of
from service.tables import Model

router = APIRouter(tags=["compatible routes"])
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CSV_TYPES = ("text/csv", "text/tab-separated-values")


class ScoringError(schemas.Response):
    """Any failure, in MLflow's words."""

    error_code: str
    message: str


class Split(schemas.Request):
    """A pandas frame with orient="split"; `index` is let be."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


class InvocationRequest(schemas.Request):
    """Exactly one of the four forms."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = Field(None, description="Records, or arrays in signature order.")
    inputs: dict[str, list[Any]] | list[Any] | None = Field(
        None, description="A list of cells a column, or rows as in `instances`."
    )
    params: dict[str, Any] | None = Field(
        None, description="`probabilities: true` answers them beside the label."
    )

    @model_validator(mode="after")
    def _one_form(self) -> "InvocationRequest":
        if sum(getattr(self, form) is not None for form in FORMS) != 1:
            raise ValueError(f"expected exactly one of {', '.join(FORMS)}")
        if self.params is not None and self.params.keys() - {"probabilities"}:
            raise ValueError("params: expected nothing but probabilities")
        return self


class InvocationResponse(schemas.Response):
    """One answer a row: the label or the value."""

    predictions: list[Any]


EXAMPLE = {
    "dataframe_split": {
        "columns": [
            "island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex",
            "year",
        ],
        "data": [["Biscoe", 46.1, 13.2, 211, 4500, "female", 2007]],
    }
}  # fmt: skip
_STATUS = {400: "BAD_REQUEST", 404: "RESOURCE_DOES_NOT_EXIST", 422: "BAD_REQUEST"}
DIALECTS.append(
    Dialect(
        "/invocations",
        ScoringError,
        lambda problem: {
            "error_code": _STATUS.get(problem.type.status, problem.slug.upper().replace("-", "_")),
            "message": said(problem),
        },
    )
)


@router.get("/ping", summary="Can models be invoked?", responses=answers("not-found", "conflict"))
def ping(request: Request) -> dict[str, str]:
    """200 when `/invocations` has a model to ask, as SageMaker's health check wants it."""
    return {"model": _chosen(state_of(request), None).name}


_DOCUMENTED = documented(InvocationRequest, penguin=EXAMPLE)
_DOCUMENTED["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}}


@router.post(
    "/invocations",
    summary="Invoke the model",
    openapi_extra=_DOCUMENTED,
    responses=answers(
        "malformed-json", "not-found", "too-large", "unsupported-media-type", "rows-invalid",
        "dataset-invalid", "storage-full", "model-unreadable", "conflict",
    ),
)  # fmt: skip
async def invoke(
    request: Request,
    target: Annotated[
        str | None,
        Header(
            alias="X-Amzn-SageMaker-Target-Model",
            max_length=165,
            description="A model's name, with `:version` or `:alias` behind it if need be.",
        ),
    ] = None,
) -> InvocationResponse:
    """MLflow's four JSON forms (`dataframe_split`, `dataframe_records`, `instances`, `inputs`), or
    CSV with a header. Answers the label or the value of every row.
    """
    state = state_of(request)
    shelved = await run_in_threadpool(_chosen, state, target)
    if media_type(request.headers) in CSV_TYPES:
        from service.predictions.bulk import predict_upload  # PyArrow: 40 MB that JSON needs not

        async with receive(request, state.settings) as upload:
            answer = await run_in_threadpool(
                predict_upload, state.settings, shelved, upload, "application/x-ndjson", None
            )
        with answer.file as file:
            return InvocationResponse(
                predictions=[_plain(orjson.loads(line)) for line in file.readlines()]
            )
    require_json(request.headers)
    raw = await read_body(request, state.settings.max_predict_bytes)
    return await run_in_threadpool(_invoke, state, shelved, raw)


def _chosen(state: State, target: str | None) -> Shelved:
    """The model that is meant. Raises Problem not-found or conflict."""
    named = target or state.settings.invocations_model
    if named is None:
        with state.database.read() as session:
            names = session.scalars(select(Model.name).limit(2)).all()
        if len(names) != 1:
            detail = "There is no model yet." if not names else (
                "There are several models: name one by SIGMOID_INVOCATIONS_MODEL or by the header "
                "X-Amzn-SageMaker-Target-Model."
            )  # fmt: skip
            raise Problem("conflict" if names else "not-found", detail)
        named = names[0]
    name, _, reference = named.partition(":")
    try:
        wanted = parse_reference(reference) if reference else None
    except ValueError:
        raise Problem("not-found", "There is no such version of this model.") from None
    return state.shelf.at_hand(name, wanted) or state.shelf.fetch(name, wanted)


def _invoke(state: State, shelved: Shelved, raw: bytes) -> InvocationResponse:
    body = parse_json(InvocationRequest, raw)
    prediction = predict_rows(shelved, _rows(body), state.settings)
    listed = shelved.model.listed(prediction)
    if body.params and body.params.get("probabilities") is True:
        return InvocationResponse(predictions=listed)
    return InvocationResponse(predictions=[_plain(row) for row in listed])


def _rows(body: InvocationRequest) -> list[Any]:
    if body.dataframe_split is not None:
        split = body.dataframe_split
        return from_split(split.columns, split.data, "/dataframe_split")
    if body.dataframe_records is not None:
        return from_list(body.dataframe_records, "/dataframe_records")
    if body.instances is not None:
        return from_list(body.instances, "/instances")
    if isinstance(body.inputs, dict):
        return from_columns(body.inputs, "/inputs")
    if body.inputs is None:
        raise invalid("/inputs", "Expected a list or an object of columns.")
    return from_list(body.inputs, "/inputs")


def _plain(row: dict[str, Any]) -> Any:
    """The answer alone."""
    for name in ("label", "value", "labels", "values", "quantiles"):
        if row.get(name) is not None:
            return row[name]
    return row
