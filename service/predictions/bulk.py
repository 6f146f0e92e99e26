"""Whole tables over HTTP: CSV, NDJSON, Arrow or Parquet in, and any of them out.

The body is spooled to disk, typed by the rules of uploads, predicted a block of rows at a time
into a second file, and that one is sent. So memory does not grow with the table, and a 200 is
only said when every row has its prediction.
"""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core.errors import DataError
from service.datasets.library import invalid_dataset, limits_of
from service.datasets.reading import DatasetInvalid, Format, UnsupportedMedia, convert, format_of
from service.datasets.uploads import Upload, receive
from service.kit.problems import Problem
from service.models.shelf import Shelved
from service.predictions.answering import rows_invalid
from service.predictions.plan import Options
from service.predictions.shaping import misfit
from service.predictions.tables import Outcome, predict_table, wanted_kinds
from service.predictions.writers import FORMS
from service.predictions.writers import Format as Form
from service.settings import Settings
from service.state import State

_CHUNK = 1 << 18
_HEADER_BYTES = 4_000
_FORMS: dict[Format, Form] = {
    "csv": "csv", "tsv": "csv", "ndjson": "ndjson", "json": "ndjson", "arrow": "arrow",
    "parquet": "parquet",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """A file of predictions, already without a name: it is gone once it is closed."""

    file: BinaryIO
    size: int
    form: Form
    outcome: Outcome


async def answer_table(
    request: Request, state: State, shelved: Shelved, threshold: float | None
) -> Response:
    """Predict the table in the body. Raises 406, 413, 415, 422 or 507."""
    wrong = misfit(Options(threshold=threshold), shelved.model)
    if wrong is not None:
        raise wrong
    accept = request.headers.get("accept", "*/*")
    async with receive(request, state.settings) as upload:
        answer = await run_in_threadpool(
            predict_upload, state.settings, shelved, upload, accept, threshold
        )
    state.shadows.skip(shelved, answer.outcome.rows)
    headers = {
        "Content-Length": str(answer.size),
        "X-Model-Version": str(shelved.version),
        "X-Rows": str(answer.outcome.rows),
    }
    if answer.outcome.warnings:
        headers["X-Prediction-Warnings"] = _short(answer.outcome.warnings)
    media_type = FORMS[answer.form].media_type
    return _FileResponse(answer.file, headers, media_type)


def form_for(accept: str, same: Form) -> Form:
    """The format that Accept asks for; the body's own where it has no wish. Raises 406."""
    for part in accept.split(","):
        wish = part.split(";")[0].strip().lower()
        if wish in ("*/*", ""):
            return same
        for form, kind in FORMS.items():
            if wish in (kind.media_type, kind.media_type.replace("x-ndjson", "ndjson")):
                return form
    known = ", ".join(kind.media_type for kind in FORMS.values())
    raise Problem("not-acceptable", f"Predictions of a table come as {known}.")


def predict_upload(
    settings: Settings, shelved: Shelved, upload: Upload, accept: str, threshold: float | None
) -> Answer:
    """Predict an upload into a file of the format that `accept` asks for. Raises Problem."""
    with upload.path.open("rb") as file:
        head = file.read(4096)
    try:
        kind = format_of(upload.content_type, upload.filename, head)
    except UnsupportedMedia as error:
        raise Problem("unsupported-media-type", str(error)) from error
    form = form_for(accept, _FORMS[kind])
    name = uuid.uuid4().hex
    table, result = (settings.folder("tmp") / f"{name}.{part}" for part in ("table", "result"))
    try:
        _convert(settings, shelved, upload, kind, table)
        outcome = predict_table(shelved.model, table, result, form, threshold=threshold)
        return Answer(result.open("rb"), result.stat().st_size, form, outcome)
    except DataError as error:
        raise rows_invalid(error) from None
    finally:
        table.unlink(missing_ok=True)
        result.unlink(missing_ok=True)


def _convert(
    settings: Settings, shelved: Shelved, upload: Upload, kind: Format, table: Path
) -> None:
    def as_found(kinds: Any) -> Any:
        return kinds

    try:
        convert(
            upload.path,
            format=kind,
            destination=table,
            limits=limits_of(settings),
            compression=upload.compression,
            prefer=wanted_kinds(shelved.model) if kind in ("csv", "tsv") else as_found,
        )
    except DatasetInvalid as error:
        raise invalid_dataset(error) from error


def _short(warnings: list[dict[str, Any]]) -> str:
    """The warnings as JSON in ASCII, as many as fit a header."""
    shown = [json.dumps(warning) for warning in warnings]
    while sum(len(one) + 2 for one in shown) > _HEADER_BYTES:
        shown.pop()
    return f"[{', '.join(shown)}]"


class _FileResponse(StreamingResponse):
    """Sends an open file, and closes it whether or not the caller stays to the end."""

    def __init__(self, file: BinaryIO, headers: dict[str, str], media_type: str) -> None:
        super().__init__(iter(lambda: file.read(_CHUNK), b""), 200, headers, media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await super().__call__(scope, receive, send)
