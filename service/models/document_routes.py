"""HTTP for what is said about one version: its card, its row's schema, its own API, snippets."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field

from core.model import Model as Network
from service.kit.conditions import NOT_MODIFIED, Held, not_modified, tag, validators
from service.kit.openapi import answers
from service.kit.schemas import JsonObject
from service.kit.schemas import Response as Shown
from service.models import markdown, rows, store
from service.models.addresses import Name, Reference
from service.models.card import Card, collect
from service.models.document import document
from service.models.resolution import parse_reference
from service.models.rows import Policies
from service.models.snippets import snippets
from service.state import State, state_of
from service.tables import ModelVersion

router = APIRouter(prefix="/v1/models/{name}/versions/{version}", tags=["models"])
FAILURES = {**NOT_MODIFIED, **answers("not-found", "model-unreadable")}


class SnippetResponse(Shown):
    """A program of a few lines."""

    language: str
    title: str
    needs: str = Field(description="What has to be there to run it.")
    code: str


class Snippets(Shown):
    """Calls to paste, for one version."""

    model: str
    version: int
    data: list[SnippetResponse]


def opened(state: State, name: str, version: str) -> tuple[ModelVersion, Network]:
    """A version's row and its loaded network. Raises Problem not-found, model-unreadable."""
    shelved = state.shelf.fetch(name, parse_reference(version))
    with state.database.read() as session:
        return store.version(session, name, shelved.version), shelved.model


def gather(state: State, name: str, version: str) -> Card:
    """The card of a version. Raises Problem not-found, model-unreadable."""
    row, network = opened(state, name, version)
    with state.database.read() as session:
        return collect(session, row, network)


def _json(content: Any, held: str | None, kind: str = "application/json") -> Response:
    etag = tag(content)
    body = Response(orjson.dumps(content), media_type=kind, headers=validators(etag))
    return not_modified(etag, held) or body


@router.get(
    "/card",
    summary="Read the model card",
    response_model=Card,
    responses={
        **FAILURES,
        200: {"content": {"text/markdown": {"schema": {"type": "string"}}}},
    },
)
def read_card(request: Request, name: Name, version: Reference, held: Held = None) -> Response:
    """Everything on record about a version: what it predicts, how good it is beside the simplest
    answer, what it was trained on and how, and what to know before relying on it. JSON, or
    Markdown with `Accept: text/markdown`.
    """
    card = gather(state_of(request), name, version)
    content = card.model_dump(mode="json")
    if "text/markdown" not in request.headers.get("accept", ""):
        answer = _json(content, held)
    else:
        etag = tag(["markdown", content])
        body = Response(
            markdown.render(card),
            media_type="text/markdown; charset=utf-8",
            headers=validators(etag),
        )
        answer = not_modified(etag, held) or body
    answer.headers["Vary"] = "Accept"
    return answer


@router.get(
    "/schema",
    summary="Show a row's JSON Schema",
    response_model=JsonObject,
    responses={**FAILURES, 200: {"content": {"application/schema+json": {"schema": {}}}}},
)
def show_schema(request: Request, name: Name, version: Reference, held: Held = None) -> Response:
    """JSON Schema (2020-12) of a row as a record: the real columns, ranges and levels, and an
    example that predicts. It accepts what the model answers, and nothing else.
    """
    row, network = opened(state_of(request), name, version)
    address = f"/v1/models/{name}/versions/{row.version}/schema"
    policies = rows.policies_of(network)
    content = rows.schema(row.signature, policies, address)
    return _json(content, held, "application/schema+json")


@router.get(
    "/openapi.json",
    summary="Show the model's own OpenAPI document",
    response_model=JsonObject,
    responses=FAILURES,
)
def show_document(request: Request, name: Name, version: Reference, held: Held = None) -> Response:
    """OpenAPI 3.1 of this version's predict route: for client generators and agents. The example
    answer is what the model really says to the example row.
    """
    row, network = opened(state_of(request), name, version)
    prediction = network.predict_records([rows.example(row.signature)])
    answer = {
        "model": name,
        "version": row.version,
        "predictions": network.listed(prediction),
        "warnings": prediction.warnings,
    }
    address = f"/v1/models/{name}/versions/{row.version}/schema"
    policies: Policies = rows.policies_of(network)
    content = document(name, row.version, row.signature, policies, answer, address)
    return _json(content, held)


@router.get("/snippets", summary="Get calls to paste", responses=answers("not-found"))
def show_snippets(request: Request, name: Name, version: Reference) -> Snippets:
    """A call of this version with the example row, in several languages, ready to run."""
    state = state_of(request)
    found = state.names.find(name, parse_reference(version))
    with state.database.read() as session:
        row = store.version(session, name, found.version)
    base = str(request.base_url).rstrip("/")
    made = snippets(base, name, row.version, row.signature)
    return Snippets(
        model=name,
        version=row.version,
        data=[SnippetResponse(**vars(snippet)) for snippet in made],
    )
