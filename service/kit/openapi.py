"""The OpenAPI document: what FastAPI generates, completed with what it cannot know."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from service.kit.bodies import DOCUMENTED
from service.kit.dialects import DIALECTS, Dialect, dialect_of
from service.kit.problems import CATALOGUE, MEDIA_TYPE
from service.kit.schemas import ProblemDocument

EVERYWHERE = (
    "malformed-request", "unauthenticated", "invalid-request", "rate-limited", "internal",
    "database-busy", "overloaded",
)  # fmt: skip
CHANGING = ("insufficient-scope", "cross-origin-blocked")


def answers(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that can fail in these ways."""
    found: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        kind = CATALOGUE[slug]
        text = f"`{slug}`: {kind.explanation}"
        known = found.get(kind.status)
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
        joined = f"{known['description']}\n\n{text}" if known else text
        found[kind.status] = {"description": joined, "content": content}
    return found


def install(app: FastAPI) -> None:
    """Make `app.openapi()` give the completed document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    summary=app.summary,
                    description=app.description,
                    routes=app.routes,
                    tags=app.openapi_tags,
                    license_info=app.license_info,
                )
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the bodies read by hand, the problem schema and the failures every route shares."""
    models = [(model, "validation") for model in DOCUMENTED.values()]
    dialects = [(dialect.schema, "serialization") for dialect in DIALECTS]
    _, extra = models_json_schema(
        [*models, *dialects, (ProblemDocument, "serialization")],  # type: ignore[list-item]
        ref_template="#/components/schemas/{model}",
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(extra["$defs"])
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "Where the service has keys."}
    }
    document["security"] = [{}, {"key": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete_operation(method, operation)
            _translate(operation, dialect_of(path))
    return document


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    slugs = EVERYWHERE if method == "get" else (*EVERYWHERE, *CHANGING)
    responses = operation.setdefault("responses", {})
    validation = responses.get("422", {}).get("content", {})
    if "application/json" in validation and MEDIA_TYPE not in validation:
        del responses["422"]
    for status, response in answers(*slugs).items():
        responses.setdefault(str(status), response)


def _translate(operation: dict[str, Any], dialect: Dialect | None) -> None:
    """Errors in the words that are spoken at this address."""
    if dialect is None:
        return
    schema = {"$ref": f"#/components/schemas/{dialect.schema.__name__}"}
    for response in operation["responses"].values():
        if MEDIA_TYPE in response.get("content", {}):
            response["content"] = {"application/json": {"schema": schema}}
