"""HTTP for models and their versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.orm import Session

from service.kit.bodies import documented, json_body
from service.kit.conditions import NOT_MODIFIED, Held, IfMatch, require, tag, tagged
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.problems import invalid
from service.kit.schemas import Page
from service.models import aliases, removal, search, store
from service.models.addresses import Name, Reference
from service.models.alias_routes import announce
from service.models.registry import APPRAISED
from service.models.resolution import parse_reference
from service.models.schemas import ModelDetail, ModelPatch, ModelResponse, VersionResponse
from service.state import State, state_of
from service.tables import Model, ModelTag, ModelVersion

router = APIRouter(prefix="/v1/models", tags=["models"])
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="A version's number.", examples=[1])]
BeforeVersion = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="The last version of the page before.")
]
SHOWN_VERSIONS = 100
MOST_TAGS = 50


def described(row: ModelVersion) -> VersionResponse:
    """A version as it goes out."""
    fields = VersionResponse.model_fields.keys() - {"job", *APPRAISED}
    evaluation = row.evaluation or {}
    appraisal = {name: evaluation[name] for name in APPRAISED if name in evaluation}
    return VersionResponse.model_validate(
        {**{name: getattr(row, name) for name in fields}, **appraisal, "job": row.job_id}
    )


def brief(model: Model, tags: dict[str, str]) -> ModelResponse:
    """A model as it goes out in a list."""
    fields = ModelResponse.model_fields.keys() - {"tags"}
    return ModelResponse(**{name: getattr(model, name) for name in fields}, tags=tags)


def detailed(session: Session, name: str) -> ModelDetail:
    """A model with its newest versions. Raises Problem not-found."""
    model = store.get(session, name)
    newest = store.versions(name).order_by(ModelVersion.version.desc()).limit(SHOWN_VERSIONS)
    return ModelDetail(
        **vars(brief(model, search.tags_of(session, [name])[name])),
        aliases={row.alias: row.version for row in aliases.of_model(session, name)},
        versions=[described(row) for row in session.scalars(newest)],
    )


def etag_of(detail: ModelDetail) -> str:
    """Of everything that is shown of a model."""
    return tag(detail.model_dump(mode="json"))


@router.get("", summary="Find models")
def list_models(
    request: Request,
    response: Response,
    limit: Limit = 20,
    after: After = None,
    name: Annotated[
        str | None, Query(max_length=100, description="How the name begins.", examples=["peng"])
    ] = None,
    task: Annotated[
        str | None,
        Query(max_length=16, description="Only models whose latest version has this task."),
    ] = None,
    text: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Words, each of them in the name, the description or a tag.",
        ),
    ] = None,
) -> Page[ModelResponse]:
    """Models by name, last in the alphabet first. `tag.<key>=<value>` filters by tag."""
    tags = {key[4:]: value for key, value in request.query_params.items() if key.startswith("tag.")}
    with state_of(request).database.read() as session:
        found, key = search.query(name=name, task=task, text=text, tags=tags)
        rows, more = fetch(session, found, key, limit=limit, after=after)
        tagged_with = search.tags_of(session, [row.name for row in rows])
    items = [brief(row, tagged_with[row.name]) for row in rows]
    return page(items, [row.name for row in rows], more, request, response)


@router.get(
    "/{name}",
    summary="Show a model",
    response_model=ModelDetail,
    responses={**NOT_MODIFIED, **answers("not-found")},
)
def show_model(request: Request, response: Response, name: Name, held: Held = None) -> Any:
    """A model with its aliases, its tags and its newest versions."""
    with state_of(request).database.read() as session:
        detail = detailed(session, name)
    return tagged(response, detail, etag_of(detail), held)


@router.patch(
    "/{name}",
    summary="Describe and tag a model",
    openapi_extra=documented(
        ModelPatch, note={"description": "Tells penguins apart.", "tags": {"team": "antarctic"}}
    ),
    responses=answers(
        "malformed-json", "not-found", "precondition-failed", "too-large",
        "unsupported-media-type", "invalid-request",
    ),
)  # fmt: skip
def patch_model(
    request: Request,
    response: Response,
    name: Name,
    body: Annotated[ModelPatch, json_body(ModelPatch)],
    if_match: IfMatch = None,
) -> ModelDetail:
    """A JSON merge patch (RFC 7396) of description and tags. The versions stay as they are."""
    with state_of(request).database.write() as session:
        if if_match is not None:
            require(if_match, None, etag_of(detailed(session, name)))
        _apply(session, aliases.changed(session, name), body)
        session.flush()
        detail = detailed(session, name)
    response.headers["ETag"] = etag_of(detail)
    return detail


def _apply(session: Session, model: Model, patch: ModelPatch) -> None:
    if "description" in patch.model_fields_set:
        model.description = patch.description or ""
    if "tags" not in patch.model_fields_set:
        return
    wanted = patch.tags
    if wanted is None:
        wanted = dict.fromkeys(search.tags_of(session, [model.name])[model.name])
    for key, value in wanted.items():
        if value is not None:
            session.merge(ModelTag(model=model.name, key=key, value=value))
        elif (row := session.get(ModelTag, (model.name, key))) is not None:
            session.delete(row)
    session.flush()
    if len(search.tags_of(session, [model.name])[model.name]) > MOST_TAGS:
        raise invalid("/tags", f"A model has at most {MOST_TAGS} tags.", code="too_many")


@router.delete(
    "/{name}",
    summary="Delete a model",
    status_code=204,
    responses=answers("not-found", "conflict"),
)
def delete_model(request: Request, name: Name) -> None:
    """All its versions with their files. 409 while an alias or traffic points at one. The jobs
    that trained them stay.
    """
    state = state_of(request)
    with state.database.write() as session:
        files = removal.remove_model(session, name)
    _discard(state, files)


@router.get("/{name}/versions", summary="List versions", responses=answers("not-found"))
def list_versions(
    request: Request,
    response: Response,
    name: Name,
    limit: Limit = 20,
    after: BeforeVersion = None,
) -> Page[VersionResponse]:
    """All versions of a model, newest first."""
    with state_of(request).database.read() as session:
        store.get(session, name)
        found = store.versions(name).order_by(ModelVersion.version.desc())
        if after is not None:
            found = found.where(ModelVersion.version < after)
        rows = session.scalars(found.limit(limit + 1)).all()
    shown = rows[:limit]
    numbers = [str(row.version) for row in shown]
    return page([described(row) for row in shown], numbers, len(rows) > limit, request, response)


@router.get(
    "/{name}/versions/{version}",
    summary="Show a version",
    response_model=VersionResponse,
    responses={**NOT_MODIFIED, **answers("not-found")},
)
def show_version(
    request: Request, response: Response, name: Name, version: Reference, held: Held = None
) -> Any:
    """Signature, honest numbers and lineage of one version. A version never changes."""
    state = state_of(request)
    found = state.names.find(name, parse_reference(version))
    with state.database.read() as session:
        shown = described(store.version(session, name, found.version))
    return tagged(response, shown, tag(shown.model_dump(mode="json")), held)


@router.delete(
    "/{name}/versions/{version}",
    summary="Delete a version",
    status_code=204,
    responses=answers("not-found", "conflict"),
)
def delete_version(request: Request, name: Name, version: Number) -> None:
    """The row and the file. 409 while an alias or traffic points at it, or when it is the only
    one. Its number is not given again.
    """
    state = state_of(request)
    with state.database.write() as session:
        files = removal.remove_version(session, name, version)
    _discard(state, files)


def _discard(state: State, files: list[str]) -> None:
    announce(state)
    removal.discard(state.database, state.settings.folder("models"), files)
