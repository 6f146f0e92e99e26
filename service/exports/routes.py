"""HTTP for exports."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service.exports.shop import MEDIA_TYPES, Export, export
from service.kit.conditions import NOT_MODIFIED, Held, not_modified, validators
from service.kit.openapi import answers
from service.kit.schemas import Response as Shown
from service.models import store
from service.models.addresses import Name, Reference
from service.models.resolution import parse_reference
from service.state import state_of

router = APIRouter(prefix="/v1/models/{name}/versions/{version}/export", tags=["models"])
FormatName = Annotated[
    Literal["onnx", "safetensors", "json", "python", "javascript", "c"],
    Query(alias="format", description="What to write it as."),
]
FAILURES = {
    **NOT_MODIFIED,
    **answers("not-found", "model-unreadable", "export-unsupported", "overloaded"),
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Certificate(Shown):
    """What the export was tried on when it was made, and how far it was from the model itself."""

    model: str
    version: int
    sha256: str = Field(description="Of the model file.")
    format: str
    export_sha256: str
    bytes: int
    code_version: str
    real_rows: int = Field(description="Rows such as it learned from.")
    real_rows_from: Literal["dataset", "signature"] = Field(
        description="Where those come from: `signature` when the data set is gone, and they are "
        "drawn from the ranges and levels that the model remembers."
    )
    adversarial_rows: int = Field(
        description="Missing values, unseen levels, ends of ranges and numbers far beyond."
    )
    executed: bool = Field(description="Whether the file was run; `reason` says why not.")
    executed_by: str | None
    largest_absolute_difference: float | None = Field(
        description="Between its probabilities or values and the model's, over all rows."
    )
    largest_relative_difference: float | None
    other_labels: int | None = Field(description="Rows to which it gave another label.")
    reason: str | None


def _exported(request: Request, name: str, version: str, format: str) -> Export:
    state = state_of(request)
    shelved = state.shelf.fetch(name, parse_reference(version))
    with state.database.read() as session:
        row = store.version(session, name, shelved.version)
    return export(state.settings, row, format)


@router.get(
    "",
    summary="Export a version",
    response_class=Response,
    responses={
        200: {
            "description": "The file. `Link` leads to its certificate.",
            "content": dict.fromkeys(sorted(set(MEDIA_TYPES.values())), _BINARY),
        },
        **FAILURES,
    },
)
def export_version(
    request: Request, name: Name, version: Reference, format: FormatName = "onnx", held: Held = None
) -> Response:
    """The model with preprocessing and labels inside, as an ONNX graph, our own safetensors file,
    JSON, one Python file, one JavaScript module or one C99 header. It is run when it is made, on
    real rows and on adversarial ones; the certificate says what came of it.
    """
    found = _exported(request, name, version, format)
    etag = f'"{found.certificate["export_sha256"]}"'
    same = not_modified(etag, held)
    if same is not None:
        return same
    headers = {
        **validators(etag),
        "Content-Disposition": f'attachment; filename="{found.filename}"',
        "Link": f"</v1/models/{name}/versions/{version}/export/certificate?format={format}>; "
        'rel="describedby"',
    }
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.get("/certificate", summary="Show an export's certificate", responses=FAILURES)
def show_certificate(
    request: Request, name: Name, version: Reference, format: FormatName = "onnx"
) -> Certificate:
    """How the export was tried: rows, differences, checksums, and what ran it."""
    return Certificate.model_validate(_exported(request, name, version, format).certificate)
