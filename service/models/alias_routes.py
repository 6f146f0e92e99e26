"""HTTP for aliases: names that move from version to version while callers keep their address."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from service.kit.bodies import documented, json_body
from service.kit.conditions import NOT_MODIFIED, Held, IfMatch, IfNoneMatch, tagged
from service.kit.openapi import answers
from service.kit.schemas import Moment
from service.kit.schemas import Request as Body
from service.kit.schemas import Response as Shown
from service.models import aliases
from service.models.addresses import Alias, Name
from service.state import State, state_of
from service.tables import ModelAlias

router = APIRouter(prefix="/v1/models/{name}/aliases/{alias}", tags=["models"])


class AliasRequest(Body):
    """Where the alias is to point."""

    version: int = Field(ge=1, le=2**31 - 1)


class AliasResponse(Shown):
    """An alias and the version it means."""

    model: str
    alias: str
    version: int
    changed_at: Moment


def shown(alias: ModelAlias) -> AliasResponse:
    """An alias as it goes out."""
    return AliasResponse(
        model=alias.model, alias=alias.alias, version=alias.version, changed_at=alias.changed_at
    )


def announce(state: State) -> None:
    """Make a committed change of the registry live, here at once and elsewhere by the bell."""
    state.names.rung()
    state.changes.doorbell.ring("models")
    state.names.refresh()


@router.get(
    "",
    summary="Show an alias",
    response_model=AliasResponse,
    responses={**NOT_MODIFIED, **answers("not-found")},
)
def show_alias(
    request: Request, response: Response, name: Name, alias: Alias, held: Held = None
) -> Any:
    """The version it means now. Its `ETag` is for `If-Match` when moving it."""
    with state_of(request).database.read() as session:
        found = aliases.get(session, name, alias)
    return tagged(response, shown(found), str(aliases.etag(found)), held)


@router.put(
    "",
    summary="Point an alias at a version",
    openapi_extra=documented(AliasRequest, first={"version": 1}),
    responses={
        201: {"model": AliasResponse, "description": "The alias is new."},
        **answers("malformed-json", "not-found", "conflict", "precondition-failed",
                  "too-large", "unsupported-media-type", "invalid-request"),
    },
)  # fmt: skip
def point_alias(
    request: Request,
    response: Response,
    name: Name,
    alias: Alias,
    body: Annotated[AliasRequest, json_body(AliasRequest)],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> AliasResponse:
    """Create or move an alias, at once: a call gets the old version or the new one, and within a
    second only the new one, in every process. An alias works wherever a version does.
    """
    state = state_of(request)
    with state.database.write() as session:
        found, fresh = aliases.point(
            session, name, alias, body.version, if_match=if_match, if_none_match=if_none_match
        )
    announce(state)
    response.status_code = 201 if fresh else 200
    response.headers["ETag"] = str(aliases.etag(found))
    return shown(found)


@router.delete(
    "",
    summary="Delete an alias",
    status_code=204,
    responses=answers("not-found", "precondition-failed"),
)
def delete_alias(request: Request, name: Name, alias: Alias, if_match: IfMatch = None) -> None:
    """The version stays; whoever asks for the alias gets a 404."""
    state = state_of(request)
    with state.database.write() as session:
        aliases.remove(session, name, alias, if_match=if_match)
    announce(state)
