"""Moving aliases. Never commits."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.jobs.log import now
from service.kit.conditions import require, tag
from service.kit.problems import Problem, invalid, not_found
from service.models.registry import advance
from service.models.resolution import LATEST
from service.tables import Model, ModelAlias, ModelVersion


def etag(alias: ModelAlias | None) -> str | None:
    """Of where an alias points; None for one that is not there."""
    return None if alias is None else tag({"version": alias.version})


def get(session: Session, name: str, alias: str) -> ModelAlias:
    """The alias. Raises Problem not-found."""
    found = session.get(ModelAlias, (name, alias))
    if found is None:
        raise not_found("alias of this model")
    return found


def of_model(session: Session, name: str) -> list[ModelAlias]:
    """All aliases of a model, in the order of the alphabet."""
    found = select(ModelAlias).where(ModelAlias.model == name)
    return list(session.scalars(found.order_by(ModelAlias.alias)))


def point(
    session: Session,
    name: str,
    alias: str,
    version: int,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> tuple[ModelAlias, bool]:
    """Let the alias mean a version; whether it is new. Readers see the old or the new, never none.

    Raises Problem not-found for the model, invalid-request for the version, conflict for
    `latest`, precondition-failed.
    """
    if alias == LATEST:
        raise Problem("conflict", "`latest` always means the newest version; choose another name.")
    model = changed(session, name)
    found = session.get(ModelAlias, (name, alias))
    require(if_match, if_none_match, etag(found))
    if session.get(ModelVersion, (name, version)) is None:
        raise invalid("/version", "The model has no such version.", code="unknown_version")
    fresh = found is None
    if found is None:
        found = ModelAlias(model=model.name, alias=alias, version=version, changed_at=now())
        session.add(found)
    elif found.version != version:
        found.version, found.changed_at = version, now()
    session.flush()
    return found, fresh


def remove(session: Session, name: str, alias: str, *, if_match: str | None = None) -> None:
    """Take an alias away. Raises Problem not-found, precondition-failed."""
    changed(session, name)
    found = get(session, name, alias)
    require(if_match, None, etag(found))
    session.delete(found)
    session.flush()


def changed(session: Session, name: str) -> Model:
    """The model, locked and stamped as changed. Raises Problem not-found."""
    generation = advance(session)
    model = session.get(Model, name)
    if model is None:
        raise not_found("model")
    model.generation = generation
    return model
