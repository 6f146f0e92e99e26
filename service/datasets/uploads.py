"""Getting an upload onto the disk: streamed, bounded, and gone again whatever happens."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from service.kit.bodies import media_type, too_large
from service.kit.disk import require_room
from service.kit.problems import Problem, invalid
from service.settings import Settings

Compression = Literal["gzip", "zstd"]
_COPY_BYTES = 1 << 20
_COMPRESSIONS: dict[str, Compression] = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}


@dataclass(frozen=True)
class Upload:
    """A file as it was sent."""

    path: Path
    filename: str | None
    content_type: str | None
    compression: Compression | None


@asynccontextmanager
async def receive(request: Request, settings: Settings) -> AsyncIterator[Upload]:
    """The upload, on disk while the block runs. Raises 400, 413, 415, 422 or 507."""
    compression = _compression(request)
    limit = settings.max_upload_bytes
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isdigit() else 0
    if length > limit:
        raise too_large(limit)
    require_room(settings, length)
    path = settings.folder("tmp") / uuid.uuid4().hex
    bounded = Request(request.scope, _Bounded(request, limit).receive)
    try:
        if media_type(request.headers) == "multipart/form-data":
            filename, content_type = await _save_part(bounded, path)
        else:
            filename, content_type = None, request.headers.get("content-type")
            await _save_body(bounded, path)
        yield Upload(path, filename, content_type, compression)
    finally:
        path.unlink(missing_ok=True)


def _compression(request: Request) -> Compression | None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return None
    if encoding not in _COMPRESSIONS:
        raise Problem("unsupported-media-type", "Content-Encoding may be gzip or zstd, once.")
    return _COMPRESSIONS[encoding]


class _Bounded:
    """A `receive` that stops an upload at the limit, however it is framed."""

    def __init__(self, request: Request, limit: int) -> None:
        self._receive = request.receive
        self._limit = limit
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise too_large(self._limit)
        return message


async def _save_body(request: Request, path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in request.stream():
            file.write(chunk)


async def _save_part(request: Request, path: Path) -> tuple[str | None, str | None]:
    try:
        async with request.form(max_files=1, max_fields=16, max_part_size=64 << 10) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise invalid(
                    "/file", "Send the table as the multipart field `file`.", code="missing"
                )
            with path.open("wb") as file:
                while chunk := await part.read(_COPY_BYTES):
                    file.write(chunk)
            return os.path.basename(part.filename or "") or None, part.content_type
    except MultiPartException as error:
        raise Problem("malformed-request", "The multipart body cannot be read.") from error
