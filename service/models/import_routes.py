"""HTTP for bringing a model in."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from service.kit.bodies import media_type, read_body
from service.kit.idempotency import FAILURES, Idempotent, Once
from service.kit.openapi import answers
from service.kit.problems import Problem
from service.models import importing, registry, store
from service.models.alias_routes import announce
from service.models.routes import described
from service.models.schemas import VersionResponse
from service.state import State, state_of

router = APIRouter(prefix="/v1/models/{name}/import", tags=["models"])
MEDIA_TYPES = ("application/octet-stream", "application/vnd.safetensors")
NewName = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$",
        description="Name of the model, new or not: lower-case letters, digits, dot, dash, "
        "underscore.",
        examples=["penguins"],
    ),
]
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "",
    summary="Import a model",
    status_code=201,
    openapi_extra={
        "requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _BINARY)}
    },
    responses=answers("too-large", "unsupported-media-type", "model-invalid", *FAILURES),
)
async def import_model(
    request: Request, response: Response, name: NewName, once: Idempotent
) -> VersionResponse:
    """Publish a model file of this program (safetensors, as exported) as the next version.

    The file is checked to the last byte and tried; it is data and holds no code. Metrics are not
    taken over, since nobody here has measured them; lineage is, as the file's own claim.
    """
    if media_type(request.headers) not in MEDIA_TYPES:
        detail = f"Send the file itself, with Content-Type: {MEDIA_TYPES[0]}."
        raise Problem("unsupported-media-type", detail)
    state = state_of(request)
    content = await read_body(request, state.settings.max_model_bytes)
    shown = await run_in_threadpool(_publish, state, name, content, once)
    response.headers["Location"] = f"/v1/models/{name}/versions/{shown.version}"
    return shown


def _publish(state: State, name: str, content: bytes, once: Once) -> VersionResponse:
    once.compare(hashlib.sha256(content).hexdigest())
    model = importing.read(content, state.settings)
    file = registry.keep(state.settings.folder("models"), content)
    with state.database.write() as session:
        number = importing.publish(session, name, model, file)
        shown = described(store.version(session, name, number))
        once.keep(session, 201, shown, f"/v1/models/{name}/versions/{number}")
    announce(state)
    return shown
