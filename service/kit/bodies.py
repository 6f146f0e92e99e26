"""Reading request bodies: bounded, of the right type, and strict about what JSON is."""

import json
from typing import Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers

from service.kit.problems import FieldError, Problem, pointer

Body = TypeVar("Body", bound=BaseModel)


def media_type(headers: Headers) -> str:
    """The Content-Type without parameters, lower-case; empty when there is none."""
    return headers.get("content-type", "").split(";")[0].strip().lower()


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises 413 as soon as it is known to be longer than `limit` bytes."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def too_large(limit: int) -> Problem:
    """413, naming the limit."""
    return Problem(
        "too-large", f"The body is larger than {limit} bytes.", headers={"Connection": "close"}
    )


def json_body(model: type[Body]) -> Any:
    """A dependency that reads the body as strict JSON of the given model."""

    async def read(request: Request) -> Body:
        require_json(request.headers)
        return parse_json(
            model, await read_body(request, request.app.state.settings.max_json_bytes)
        )

    return Depends(read)


def require_json(headers: Headers) -> None:
    """Raise 415 unless the body says that it is JSON, in plain."""
    kind = media_type(headers)
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem("unsupported-media-type", "Send Content-Type: application/json.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "This route reads uncompressed JSON only.")


def parse_json(model: type[Body], raw: bytes) -> Body:
    """Read bytes as the model: 400 when they are not JSON, 422 when they are but do not fit."""
    try:
        body = model.model_validate_json(raw)
    except ValidationError as error:
        raise validation_problem(error) from None
    refuse_twins(raw)
    return body


def may_have_twins(raw: bytes, keys: int) -> bool:
    """False when JSON that was read into `keys` distinct keys has certainly none of them twice.

    Each key has its colon, so there are no more keys than colons; a colon in a text may only
    make this True.
    """
    return raw.count(b":") != keys


def refuse_twins(raw: bytes) -> None:
    """Raise 400 when an object of well-formed JSON has the same key twice."""
    try:
        json.loads(raw, object_pairs_hook=_refuse_twins)
    except _Twin:
        raise Problem("malformed-json", "An object has the same key twice.") from None


class _Twin(ValueError):
    pass


def _refuse_twins(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Twin


def validation_problem(error: ValidationError, prefix: tuple[str, ...] = ()) -> Problem:
    """Pydantic's findings as a problem, without the values they were found in."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    for found in errors:
        if found["type"] == "json_invalid":
            return Problem("malformed-json", _position_only(found["msg"]))
    return fields_problem(
        [(prefix + found["loc"], found["msg"], found["type"]) for found in errors]
    )


def fields_problem(found: list[tuple[tuple[Any, ...], str, str]]) -> Problem:
    """422 for (path, sentence, code) triples."""
    shown = [FieldError(pointer(*path), sentence, code) for path, sentence, code in found[:100]]
    where = ", ".join(error.pointer or "the body" for error in shown[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return Problem("invalid-request", f"Not valid: {where}{more}. See errors.", shown)


def _position_only(message: str) -> str:
    """`Invalid JSON: expected value at line 1 column 3` never quotes the text itself."""
    return message.rstrip(".") + "."


def documented(model: type[BaseModel], **examples: Any) -> dict[str, Any]:
    """The OpenAPI part of a route whose body `json_body(model)` reads.

    The schema itself is added to the document's components by `service.kit.openapi`.
    """
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    DOCUMENTED[model.__name__] = model
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


DOCUMENTED: dict[str, type[BaseModel]] = {}
