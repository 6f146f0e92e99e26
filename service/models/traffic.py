"""Splitting the calls that name no version, and naming the shadows beside them. Never commits."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.kit.conditions import require, tag
from service.kit.problems import FieldError, Problem, pointer
from service.models.aliases import changed
from service.tables import ModelTraffic, ModelVersion, ShadowRecord


@dataclass(frozen=True)
class Plan:
    """Shares in percent by version, and the versions that only compare."""

    split: tuple[tuple[int, int], ...] = ()
    shadows: tuple[int, ...] = ()

    @property
    def etag(self) -> str:
        """Equal plans have equal tags."""
        return tag([self.split, self.shadows])


def read(session: Session, name: str) -> Plan:
    """The plan of a model; empty while every call gets the latest version."""
    rows = session.scalars(
        select(ModelTraffic).where(ModelTraffic.model == name).order_by(ModelTraffic.version)
    ).all()
    return Plan(
        tuple((row.version, row.percent) for row in rows if not row.shadow),
        tuple(row.version for row in rows if row.shadow),
    )


def replace(session: Session, name: str, plan: Plan, *, if_match: str | None = None) -> None:
    """Put the plan in place of the present one, whole.

    Raises Problem not-found for the model, invalid-request naming what does not fit,
    precondition-failed.
    """
    changed(session, name)
    require(if_match, None, read(session, name).etag)
    known = set(
        session.scalars(select(ModelVersion.version).where(ModelVersion.model == name)).all()
    )
    _check(plan, known)
    session.execute(delete(ModelTraffic).where(ModelTraffic.model == name))
    session.add_all(
        [
            *(_row(name, version, percent=percent) for version, percent in plan.split),
            *(_row(name, version, shadow=True) for version in plan.shadows),
        ]
    )
    session.flush()


def _row(name: str, version: int, *, percent: int = 0, shadow: bool = False) -> ModelTraffic:
    return ModelTraffic(model=name, version=version, percent=percent, shadow=shadow)


def _check(plan: Plan, known: set[int]) -> None:
    named = [
        *((version, ("split", at, "version")) for at, (version, _) in enumerate(plan.split)),
        *((version, ("shadows", at)) for at, version in enumerate(plan.shadows)),
    ]
    errors, seen = [], set()
    for version, path in named:
        if version not in known:
            detail = "The model has no such version."
            errors.append(FieldError(pointer(*path), detail, "unknown_version"))
        elif version in seen:
            detail = "This version is named twice; it is in the split or a shadow, once."
            errors.append(FieldError(pointer(*path), detail, "duplicate"))
        seen.add(version)
    if plan.split and sum(percent for _, percent in plan.split) != 100:
        errors.append(FieldError("/split", "The percentages must sum to 100.", "wrong_sum"))
    if errors:
        raise Problem("invalid-request", "The traffic cannot be split so; see errors.", errors)


def comparisons(session: Session, name: str) -> Sequence[ShadowRecord]:
    """What shadows have shown so far."""
    found = select(ShadowRecord).where(ShadowRecord.model == name)
    return session.scalars(found.order_by(ShadowRecord.version, ShadowRecord.shadow)).all()
