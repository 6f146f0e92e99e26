"""HTTP for models."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.schemas import Page
from service.models import store
from service.models.schemas import ModelDetail, ModelResponse, VersionResponse
from service.state import state_of
from service.tables import Model, ModelVersion

router = APIRouter(prefix="/v1/models", tags=["models"])
Name = Annotated[str, Path(max_length=100, description="Name of a model.", examples=["penguins"])]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Version, from 1 on.", examples=[1])]


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
    return ModelDetail(**_brief(model), versions=[described(row) for row in versions])


@router.get("/{name}/versions/{version}", summary="Show a version", responses=answers("not-found"))
def show_version(request: Request, name: Name, version: Number) -> VersionResponse:
    """Signature, honest numbers and lineage of one version."""
    with state_of(request).database.read() as session:
        return described(store.version(session, name, version))
