"""Conditional requests (RFC 9110, section 13): entity tags, 304, and no lost updates."""

import hashlib
from typing import Annotated, Any

import orjson
from fastapi import Header
from pydantic import BaseModel
from starlette.responses import Response

from service.kit.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(
        max_length=1024,
        description="Only change what still has this ETag; 412 otherwise.",
        examples=["*"],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(max_length=1024, description="`*`: only create, never replace; 412 otherwise."),
]
Held = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=1024,
        description="ETags that the caller holds; 304 when the present one is among them.",
    ),
]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The caller holds the present representation."}
}


def tag(value: Any) -> str:
    """The entity tag of JSON: equal content, equal tag."""
    return f'"{hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]}"'


def names(header: str, etag: str) -> bool:
    """Whether a list of entity tags names this one, weakly compared; `*` names everything."""
    held = (item.strip() for item in header.split(","))
    return any(item == "*" or item.removeprefix("W/") == etag for item in held)


def validators(etag: str) -> dict[str, str]:
    """Headers of an answer that may be kept, and has to be asked for again before use."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def not_modified(etag: str, held: str | None) -> Response | None:
    """304 when the caller holds this very representation."""
    if held is None or not names(held, etag):
        return None
    return Response(status_code=304, headers=validators(etag))


def tagged(response: Response, body: BaseModel, etag: str, held: str | None) -> Any:
    """The body with its ETag, or 304."""
    response.headers.update(validators(etag))
    return not_modified(etag, held) or body


def require(if_match: str | None, if_none_match: str | None, etag: str | None) -> None:
    """Raise 412 unless the state (None: not there) is one that the caller expects."""
    if if_match is not None and (etag is None or not names(if_match, etag)):
        raise Problem("precondition-failed", "If-Match names another state than the present one.")
    if if_none_match is not None and etag is not None and names(if_none_match, etag):
        raise Problem("precondition-failed", "If-None-Match excludes the present state.")
