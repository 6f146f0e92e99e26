"""HTTP of the Open Inference Protocol v2. Bodies are read raw: its clients name no media type."""

from dataclasses import dataclass
from importlib.metadata import version as installed_version
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from service.inference_protocol.compression import compress, decompress
from service.inference_protocol.errors import refused
from service.inference_protocol.inference import infer
from service.inference_protocol.metadata import (
    EXTENSIONS,
    PLATFORM,
    SERVER,
    configuration,
    tensors_of,
)  # fmt: skip
from service.inference_protocol.schemas import (
    EXAMPLE,
    IndexEntry,
    IndexRequest,
    InferRequest,
    InferResponse,
    Live,
    ModelConfig,
    ModelMetadata,
    Nothing,
    Ready,
    ServerMetadata,
    StatisticsResponse,
)  # fmt: skip
from service.inference_protocol.statistics import Statistics
from service.kit.bodies import documented, read_body
from service.kit.openapi import answers
from service.kit.problems import Problem
from service.models import store
from service.models.addresses import Name, Reference, RoutingKey
from service.models.resolution import Wanted, parse_reference
from service.models.shelf import Shelved
from service.operations.routes import readyz
from service.state import State, state_of
from service.tables import Model, ModelVersion

router = APIRouter(prefix="/v2", tags=["open inference protocol"])
FAILURES = answers("inference-invalid", "not-found", "too-large", "unsupported-media-type",
                   "model-unreadable")  # fmt: skip
SMALL_BYTES = 1 << 14  # a larger body is computed in a thread, so that others are not kept waiting
SHOWN_VERSIONS = 100
HEADER = "Inference-Header-Content-Length"
_statistics = Statistics()
_index_request = TypeAdapter(IndexRequest)
HeaderLength = Annotated[
    str | None, Header(alias=HEADER, description="Length of the JSON before binary tensors.")
]
ContentEncoding = Annotated[str, Header(description="gzip or deflate.")]
AcceptEncoding = Annotated[str, Header(description="gzip or deflate, for long answers.")]
_INFER: dict[str, Any] = {
    "openapi_extra": documented(InferRequest, penguin=EXAMPLE),
    "response_model": InferResponse,
    "responses": {
        200: {
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
            "description": "JSON, or JSON with binary tensors behind it.",
        },
        **FAILURES,
    },
}


@router.get("", summary="Describe the server")
def describe_server() -> ServerMetadata:
    """Name, version and the protocol's extensions that are spoken."""
    return ServerMetadata(name=SERVER, version=installed_version("sigmoid"), extensions=EXTENSIONS)


@router.get("/health/live", summary="Is the server alive?")
async def is_live() -> Live:
    """200 while the process answers."""
    return Live(live=True)


@router.get(
    "/health/ready",
    summary="Is the server ready?",
    responses=answers("shutting-down", "database-busy"),
)
def is_ready(request: Request) -> Ready:
    """200 when models can be asked; 503 otherwise."""
    readyz(request)
    return Ready(ready=True)


@router.get("/models/stats", summary="Count all inferences")
def count_all() -> StatisticsResponse:
    """How often and how long each version was asked, by this protocol, in this process."""
    return StatisticsResponse(model_stats=_statistics.shown())


def _shelved(request: Request, name: str, wanted: Wanted) -> Shelved:
    shelf = state_of(request).shelf
    return shelf.at_hand(name, wanted) or shelf.fetch(name, wanted)


def _describe(request: Request, name: str, wanted: Wanted) -> ModelMetadata:
    inputs, outputs = tensors_of(_shelved(request, name, wanted).model)
    with state_of(request).database.read() as session:
        found = select(ModelVersion.version).where(ModelVersion.model == name)
        newest = session.scalars(found.order_by(ModelVersion.version.desc()).limit(SHOWN_VERSIONS))
        versions = [str(number) for number in newest]
    return ModelMetadata.model_validate(
        {
            "name": name,
            "versions": versions[::-1],
            "platform": PLATFORM,
            "inputs": inputs,
            "outputs": outputs,
        }
    )


@router.get("/models/{name}", summary="Describe a model", responses=FAILURES)
def describe_model(request: Request, name: Name) -> ModelMetadata:
    """Tensors in and out of the version in traffic; its newest 100 versions."""
    return _describe(request, name, None)


@router.get("/models/{name}/versions/{version}", summary="Describe a version", responses=FAILURES)
def describe_version(request: Request, name: Name, version: Reference) -> ModelMetadata:
    """Tensors in and out of one version. An alias goes wherever a number does."""
    return _describe(request, name, parse_reference(version))


@router.get("/models/{name}/ready", summary="Is a model ready?", responses=FAILURES)
def is_model_ready(request: Request, name: Name) -> Ready:
    """200 once its file is read and can answer."""
    return Ready(ready=True, name=_shelved(request, name, None).name)


@router.get(
    "/models/{name}/versions/{version}/ready", summary="Is a version ready?", responses=FAILURES
)
def is_version_ready(request: Request, name: Name, version: Reference) -> Ready:
    """200 once its file is read and can answer."""
    return Ready(ready=True, name=_shelved(request, name, parse_reference(version)).name)


@router.get("/models/{name}/config", summary="Show a configuration", responses=FAILURES)
def show_config(request: Request, name: Name) -> ModelConfig:
    """The tensors again, in the words of a Triton server."""
    found = _shelved(request, name, None)
    return ModelConfig.model_validate(configuration(name, found.model))


@router.get(
    "/models/{name}/versions/{version}/config",
    summary="Show a version's configuration",
    responses=FAILURES,
)
def show_version_config(request: Request, name: Name, version: Reference) -> ModelConfig:
    """The tensors again, in the words of a Triton server."""
    found = _shelved(request, name, parse_reference(version))
    return ModelConfig.model_validate(configuration(name, found.model))


@router.get("/models/{name}/stats", summary="Count a model's inferences", responses=FAILURES)
def count_model(request: Request, name: Name) -> StatisticsResponse:
    """As above, of one model."""
    found = _shelved(request, name, None)
    counted = _statistics.shown(name) or _statistics.shown(name, found.version)
    return StatisticsResponse(model_stats=counted)


@router.get(
    "/models/{name}/versions/{version}/stats",
    summary="Count a version's inferences",
    responses=FAILURES,
)
def count_version(request: Request, name: Name, version: Reference) -> StatisticsResponse:
    """As above, of one version."""
    found = _shelved(request, name, parse_reference(version))
    return StatisticsResponse(model_stats=_statistics.shown(name, found.version))


@router.post("/models/{name}/infer", summary="Infer with the version in traffic", **_INFER)
async def infer_model(
    request: Request,
    name: Name,
    header_length: HeaderLength = None,
    content_encoding: ContentEncoding = "",
    accept_encoding: AcceptEncoding = "",
    routing_key: RoutingKey = None,
) -> Response:
    """One tensor a column, of shape [n] or [n, 1], or one matrix [n, columns] for models of numbers
    alone. Any numeric datatype does for numbers; null and NaN are missing values.
    """
    call = Call(name, None, routing_key, header_length, content_encoding, accept_encoding)
    return await _answer(request, call)


@router.post("/models/{name}/versions/{version}/infer", summary="Infer with one version", **_INFER)
async def infer_version(
    request: Request,
    name: Name,
    version: Reference,
    header_length: HeaderLength = None,
    content_encoding: ContentEncoding = "",
    accept_encoding: AcceptEncoding = "",
) -> Response:
    """As the shorter address, with a version that never changes, an alias, or `latest`."""
    wanted = parse_reference(version)
    call = Call(name, wanted, None, header_length, content_encoding, accept_encoding)
    return await _answer(request, call)


@dataclass(frozen=True, slots=True)
class Call:
    """Whom a call asks, and how its bodies are written."""

    name: str
    wanted: Wanted
    routing_key: str | None
    header_length: str | None
    encoded: str
    taken: str


async def _answer(request: Request, asked: Call) -> Response:
    state = state_of(request)
    raw = await read_body(request, state.settings.max_predict_bytes)
    shelved = state.shelf.at_hand(asked.name, asked.wanted, asked.routing_key)
    if len(raw) > SMALL_BYTES or asked.encoded or shelved is None:
        return await run_in_threadpool(_infer, state, asked, shelved, raw)
    return _infer(state, asked, shelved, raw)


def _infer(state: State, asked: Call, shelved: Shelved | None, raw: bytes) -> Response:
    raw = decompress(raw, asked.encoded, state.settings.max_predict_bytes)
    if shelved is None:
        shelved = state.shelf.fetch(asked.name, asked.wanted, asked.routing_key)
    most = state.settings.max_predict_rows
    found = infer(shelved, raw, asked.header_length, most, _statistics)
    body, encoding = compress(found.body, asked.taken)
    headers = {} if encoding is None else {"Content-Encoding": encoding, "Vary": "Accept-Encoding"}
    kind = "application/json"
    if found.header_length is not None:
        headers[HEADER] = str(found.header_length)
        kind = "application/octet-stream"
    return Response(body, media_type=kind, headers=headers)


@router.post(
    "/repository/index",
    summary="List the repository",
    openapi_extra=documented(IndexRequest, all={}),
    responses=answers("inference-invalid", "too-large"),
)
async def list_repository(request: Request) -> list[IndexEntry]:
    """Every model with its latest version. All are ready: files are read when they are asked."""
    raw = await read_body(request, 1 << 16)
    try:
        _index_request.validate_json(raw or b"{}")
    except ValidationError:
        raise refused('expected {"ready": true}, {"ready": false} or {}') from None
    return await run_in_threadpool(_index, state_of(request))


def _index(state: State) -> list[IndexEntry]:
    with state.database.read() as session:
        found = session.execute(select(Model.name, Model.latest_version).order_by(Model.name))
        return [
            IndexEntry(name=name, version=str(latest), state="READY", reason="")
            for name, latest in found
        ]


@router.post("/repository/models/{name}/load", summary="Load a model", responses=FAILURES)
async def load_model(request: Request, name: Name) -> Nothing:
    """Read the latest version's file now, so that its first answer is as quick as the next."""
    await run_in_threadpool(_shelved, request, name, None)
    return Nothing()


@router.post("/repository/models/{name}/unload", summary="Unload a model", responses=FAILURES)
async def unload_model(request: Request, name: Name) -> Nothing:
    """Free the memory its versions take in this process. It stays where it is: the next question
    loads it again. To take a model away, delete it.
    """
    await run_in_threadpool(_unload, state_of(request), name)
    return Nothing()


def _unload(state: State, name: str) -> None:
    with state.database.read() as session:
        store.get(session, name)
        found = session.scalars(select(ModelVersion.sha256).where(ModelVersion.model == name))
        for sha256 in found:
            state.shelf.drop(sha256)


@router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
def nothing_here(path: str) -> None:
    """404 in the protocol's words."""
    raise Problem("not-found", "the protocol has nothing at this address")
