"""Queries on models and their versions. Never commits."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from service.kit.problems import not_found
from service.tables import Model, ModelVersion


def get(session: Session, name: str) -> Model:
    """The model. Raises Problem not-found."""
    model = session.get(Model, name)
    if model is None:
        raise not_found("model")
    return model


def versions(name: str) -> Select[ModelVersion]:
    """All versions of a model."""
    return select(ModelVersion).where(ModelVersion.model == name)


def version(session: Session, name: str, number: int) -> ModelVersion:
    """One version. Raises Problem not-found."""
    found = session.get(ModelVersion, (name, number))
    if found is None:
        raise not_found("version of this model")
    return found
