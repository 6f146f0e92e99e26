"""TensorFlow Serving's REST API, under a prefix of its own.

https://www.tensorflow.org/tfx/serving/api_rest: predict, status and metadata of models.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field, model_validator
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from core.model import Model as Network
from core.several import Quantiles, Several
from core.targets import Classes
from service.compatible.rows import from_columns, from_list, predict_rows, said, shelved_for
from service.kit import schemas
from service.kit.bodies import documented, parse_json, read_body
from service.kit.dialects import DIALECTS, Dialect
from service.kit.openapi import answers
from service.models.addresses import Name, Reference
from service.models.resolution import Wanted, parse_reference
from service.state import State, state_of
from service.tables import ModelVersion

PREFIX = "/tensorflow/v1"
SHOWN_VERSIONS = 100
router = APIRouter(prefix=f"{PREFIX}/models", tags=["compatible routes"])
FAILURES = answers("malformed-json", "not-found", "too-large", "rows-invalid", "model-unreadable")
Label = Annotated[str, Path(pattern="^[a-z][a-z0-9._-]{0,63}$", description="An alias.",
                            examples=["latest"])]  # fmt: skip


class ServingError(schemas.Response):
    """Any failure."""

    error: str


DIALECTS.append(Dialect("/tensorflow", ServingError, lambda problem: {"error": said(problem)}))


class ServingRequest(schemas.Request):
    """`instances` row by row, or `inputs` column by column."""

    signature_name: str | None = Field(None, description="Of no meaning here.")
    instances: list[Any] | None = Field(None, description="Records, or arrays in signature order.")
    inputs: dict[str, list[Any]] | list[Any] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "ServingRequest":
        if (self.instances is None) == (self.inputs is None):
            raise ValueError("expected either instances or inputs")
        return self


class ServingResponse(schemas.Response):
    """`predictions` for instances, `outputs` for inputs."""

    predictions: list[Any] | None = None
    outputs: Any = None


class VersionStatus(schemas.Response):
    """One version, as it can be asked."""

    version: str
    state: str
    status: dict[str, str]


class StatusResponse(schemas.Response):
    """Versions, newest first."""

    model_version_status: list[VersionStatus]


class MetadataResponse(schemas.Response):
    """The signature, in TensorFlow's words."""

    model_spec: dict[str, Any]
    metadata: dict[str, Any]


EXAMPLE = {
    "instances": [
        {
            "island": "Biscoe", "bill_length_mm": 46.1, "bill_depth_mm": 13.2,
            "flipper_length_mm": 211, "body_mass_g": 4500, "sex": "female", "year": 2007,
        }
    ]
}  # fmt: skip
_PREDICT: dict[str, Any] = {
    "openapi_extra": documented(ServingRequest, penguin=EXAMPLE),
    "responses": FAILURES,
    "response_model_exclude_none": True,
}


@router.post("/{name}:predict", summary="Predict as TensorFlow Serving", **_PREDICT)
async def predict(request: Request, name: Name) -> ServingResponse:
    """With the version in traffic. `instances` are answered by `predictions`, `inputs` by
    `outputs`; a prediction is a value, or a label with probabilities in the order of the labels.
    """
    return await _answer(request, name, None)


@router.post("/{name}/versions/{version}:predict", summary="Predict with one version", **_PREDICT)
async def predict_version(request: Request, name: Name, version: Reference) -> ServingResponse:
    """As the shorter address, with a version that never changes."""
    return await _answer(request, name, parse_reference(version))


@router.post("/{name}/labels/{label}:predict", summary="Predict with an alias", **_PREDICT)
async def predict_label(request: Request, name: Name, label: Label) -> ServingResponse:
    """As the shorter address, with the version an alias means now."""
    return await _answer(request, name, label)


async def _answer(request: Request, name: str, wanted: Wanted) -> ServingResponse:
    state = state_of(request)
    raw = await read_body(request, state.settings.max_predict_bytes)
    return await run_in_threadpool(_predict, state, name, wanted, raw)


def _predict(state: State, name: str, wanted: Wanted, raw: bytes) -> ServingResponse:
    body = parse_json(ServingRequest, raw)
    shelved = shelved_for(state, name, wanted)
    if body.instances is not None:
        rows = from_list(body.instances, "/instances")
        prediction = predict_rows(shelved, rows, state.settings)
        return ServingResponse(predictions=_by_row(shelved.model.listed(prediction)))
    columns = isinstance(body.inputs, dict)
    rows = from_columns(body.inputs, "/inputs") if columns else from_list(body.inputs, "/inputs")  # type: ignore[arg-type]
    listed = _by_row(shelved.model.listed(predict_rows(shelved, rows, state.settings)))
    if not isinstance(listed[0], dict):
        return ServingResponse(outputs=listed)
    return ServingResponse(outputs={key: [row[key] for row in listed] for key in listed[0]})


def _by_row(listed: list[dict[str, Any]]) -> list[Any]:
    """A value alone; probabilities as a list."""
    return [
        row["value"] if row.keys() == {"value"}
        else {
            key: list(part.values()) if isinstance(part, dict) else part
            for key, part in row.items()
        }
        for row in listed
    ]  # fmt: skip


def _status(request: Request, name: str, wanted: Wanted) -> StatusResponse:
    state = state_of(request)
    shelved = shelved_for(state, name, wanted)
    numbers = [shelved.version]
    if wanted is None:
        with state.database.read() as session:
            found = select(ModelVersion.version).where(ModelVersion.model == name)
            newest = found.order_by(ModelVersion.version.desc()).limit(SHOWN_VERSIONS)
            numbers = list(session.scalars(newest))
    fine = {"error_code": "OK", "error_message": ""}
    shown = [VersionStatus(version=str(n), state="AVAILABLE", status=fine) for n in numbers]
    return StatusResponse(model_version_status=shown)


@router.get("/{name}", summary="Show a model's status", responses=FAILURES)
def show_status(request: Request, name: Name) -> StatusResponse:
    """Its newest 100 versions; each can be asked."""
    return _status(request, name, None)


@router.get("/{name}/versions/{version}", summary="Show a version's status", responses=FAILURES)
def show_version_status(request: Request, name: Name, version: Reference) -> StatusResponse:
    """Whether a version can be asked."""
    return _status(request, name, parse_reference(version))


@router.get("/{name}/metadata", summary="Show a model's signature", responses=FAILURES)
def show_metadata(request: Request, name: Name) -> MetadataResponse:
    """Inputs and outputs, as `serving_default`."""
    shelved = shelved_for(state_of(request), name, None)
    spec = {"name": name, "signature_name": "", "version": str(shelved.version)}
    signature = {"serving_default": {**_tensors(shelved.model),
                                     "method_name": "tensorflow/serving/predict"}}  # fmt: skip
    return MetadataResponse(
        model_spec=spec, metadata={"signature_def": {"signature_def": signature}}
    )


def _several_tensors(target: Several | Quantiles, tensor: Callable[..., Any]) -> dict[str, Any]:
    """Of what `_by_row` lists: numbers or labels in the order of the targets, or of the levels."""
    if isinstance(target, Quantiles):
        return {"quantiles": tensor("DT_DOUBLE", target.outputs)}
    if target.task == "regression":
        return {"values": tensor("DT_DOUBLE", target.outputs)}
    kinds = {part.kind for part in target.parts}
    kind = _TYPES[kinds.pop()] if len(kinds) == 1 else "DT_VARIANT"
    return {
        "labels": tensor(kind, target.outputs),
        "probabilities": tensor("DT_DOUBLE", target.outputs),
    }


_TYPES = {"number": "DT_DOUBLE", "category": "DT_STRING", "boolean": "DT_BOOL"}


def _tensors(network: Network) -> dict[str, Any]:
    def tensor(kind: str, *sizes: int) -> dict[str, Any]:
        dims = [{"size": str(size), "name": ""} for size in (-1, *sizes)]
        return {"dtype": kind, "tensor_shape": {"dim": dims, "unknown_rank": False}}

    features = network.signature()["features"]
    inputs = {feature["name"]: tensor(_TYPES[feature["type"]]) for feature in features}
    target = network.target
    if isinstance(target, Several | Quantiles):
        return {"inputs": inputs, "outputs": _several_tensors(target, tensor)}
    outputs = {"value": tensor("DT_DOUBLE")}
    if isinstance(network.target, Classes):
        shares = tensor("DT_DOUBLE", len(network.target.labels))
        outputs = {"label": tensor(_TYPES[network.target.kind]), "probabilities": shares}
    return {"inputs": inputs, "outputs": outputs}
