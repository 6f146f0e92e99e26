"""Deleting versions and models: the rows, and the files that nothing needs any more."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.kit.database import Database
from service.kit.problems import Problem
from service.models import store
from service.models.registry import advance, file_of, sync_folder
from service.tables import (
    Model,
    ModelAlias,
    ModelTag,
    ModelTraffic,
    ModelVersion,
    RegistryClock,
    ShadowRecord,
)


def remove_version(session: Session, name: str, number: int) -> list[str]:
    """Delete one version; returns the sha256 of the file that may go. Numbers are not reused.

    Raises Problem not-found; conflict while an alias or traffic points at it or it is the last.
    """
    generation = advance(session, deleting=True)
    model = store.get(session, name)
    version = store.version(session, name, number)
    _require_unused(session, name, number)
    others = select(func.max(ModelVersion.version)).where(
        ModelVersion.model == name, ModelVersion.version != number
    )
    newest = session.scalar(others)
    if newest is None:
        raise Problem("conflict", "This is the model's only version; delete the model itself.")
    session.delete(version)
    model.generation = generation
    if model.latest_version == number:
        model.latest_version, model.task = newest, store.version(session, name, newest).task
    session.flush()
    return [version.sha256]


def remove_model(session: Session, name: str) -> list[str]:
    """Delete a model with all its versions; returns the sha256 of the files that may go.

    Raises Problem not-found; conflict while an alias or traffic points at one.
    """
    advance(session, deleting=True)
    store.get(session, name)
    _require_unused(session, name, None)
    found = select(ModelVersion.sha256).where(ModelVersion.model == name).distinct()
    files = list(session.scalars(found))
    for table in (ShadowRecord, ModelTag, ModelVersion):
        session.execute(delete(table).where(table.model == name))
    session.execute(delete(Model).where(Model.name == name))
    return files


def _require_unused(session: Session, name: str, number: int | None) -> None:
    aliases = select(ModelAlias.alias).where(ModelAlias.model == name)
    traffic = select(ModelTraffic.version).where(ModelTraffic.model == name)
    if number is not None:
        aliases = aliases.where(ModelAlias.version == number)
        traffic = traffic.where(ModelTraffic.version == number)
    pointing = list(session.scalars(aliases.order_by(ModelAlias.alias).limit(5)))
    if pointing:
        named = ", ".join(pointing)
        raise Problem("conflict", f"Aliases point here: {named}. Move or delete them first.")
    if session.scalar(traffic.limit(1)) is not None:
        raise Problem("conflict", "Traffic or a shadow points here. Change the traffic first.")


def discard(database: Database, folder: Path, files: Sequence[str]) -> None:
    """Delete the files that no version has any more.

    The clock is held meanwhile, as by everyone who adds a version, so that none is added between
    looking and deleting.
    """
    if not files:
        return
    with database.write() as session:
        session.get_one(RegistryClock, 1, with_for_update=True)
        for sha256 in files:
            found = select(ModelVersion.version).where(ModelVersion.sha256 == sha256).limit(1)
            if session.scalar(found) is None:
                file_of(folder, sha256).unlink(missing_ok=True)
    sync_folder(folder)


def sweep(database: Database, folder: Path, *, older_than: float = 3600.0) -> None:
    """Delete files of models that no version names: what a crash left between file and row.

    older_than: seconds; younger files may be about to get their row.
    """
    before = time.time() - older_than
    old = [path for path in folder.iterdir() if _changed(path) < before]
    with database.read() as session:
        named = set(session.scalars(select(ModelVersion.sha256).distinct()))
    files = [path.stem for path in old if path.suffix == ".safetensors"]
    discard(database, folder, [sha256 for sha256 in files if sha256 not in named])
    for path in old:
        if path.suffix == ".part":
            path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # somebody else was faster
        return math.inf
