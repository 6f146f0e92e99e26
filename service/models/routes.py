"""HTTP for models."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.schemas import Page
from service.models import aliases, store
from service.models.addresses import Name, Reference
from service.models.resolution import parse_reference
from service.models.schemas import ModelDetail, ModelResponse, VersionResponse
from service.state import state_of
from service.tables import Model, ModelVersion

router = APIRouter(prefix="/v1/models", tags=["models"])


def described(row: ModelVersion) -> VersionResponse:
    """A version as it goes out."""
    fields = VersionResponse.model_fields.keys() - {"job"}
    return VersionResponse.model_validate(
        {**{name: getattr(row, name) for name in fields}, "job": row.job_id}
    )


def _brief(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "latest_version": model.latest_version,
        "created_at": model.created_at,
    }


@router.get("", summary="List models")
def list_models(
    request: Request, response: Response, limit: Limit = 20, after: After = None
) -> Page[ModelResponse]:
    """Models by name, last in the alphabet first."""
    with state_of(request).database.read() as session:
        rows, more = fetch(session, store.query(), Model.name, limit=limit, after=after)
    items = [ModelResponse(**_brief(row)) for row in rows]
    return page(items, [row.name for row in rows], more, request, response)


@router.get("/{name}", summary="Show a model", responses=answers("not-found"))
def show_model(request: Request, name: Name) -> ModelDetail:
    """A model with all its versions, newest first."""
    with state_of(request).database.read() as session:
        model = store.get(session, name)
        versions = store.versions(session, name)
        pointers = {row.alias: row.version for row in aliases.of_model(session, name)}
    return ModelDetail(
        **_brief(model), aliases=pointers, versions=[described(row) for row in versions]
    )


@router.get("/{name}/versions/{version}", summary="Show a version", responses=answers("not-found"))
def show_version(request: Request, name: Name, version: Reference) -> VersionResponse:
    """Signature, honest numbers and lineage of one version."""
    state = state_of(request)
    found = state.names.find(name, parse_reference(version))
    with state.database.read() as session:
        return described(store.version(session, name, found.version))
