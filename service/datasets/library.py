"""Adding tables to the library and taking them out: the file first, then the row that names it."""

import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.datasets import store
from service.datasets.columns import DatasetInvalid
from service.datasets.generators import generate
from service.datasets.reading import (
    Ingested,
    Limits,
    UnsupportedMedia,
    format_of,
    ingest,
    read_rows,
    write,
)
from service.datasets.samples import Sample
from service.datasets.schemas import GenerateRequest
from service.datasets.uploads import Upload
from service.kit.disk import require_room
from service.kit.ids import new_id
from service.kit.problems import FieldError, Problem, not_found, pointer
from service.models.registry import sync_folder
from service.settings import Settings
from service.state import State
from service.tables import Dataset, Json


@dataclass(frozen=True)
class Stored:
    """A data set of the library, and whether it came in just now."""

    dataset: Dataset
    is_new: bool


Keep = Callable[[Session, Stored], None]
"""What else to write in the transaction that adds a data set, or finds it there already."""


def keep_nothing(session: Session, stored: Stored) -> None:
    """Write nothing else."""


def path_of(settings: Settings, sha256: str) -> Path:
    """The file of a data set."""
    return settings.folder("datasets") / f"{sha256}.parquet"


def limits_of(settings: Settings) -> Limits:
    """What an upload may be at most."""
    return Limits(
        decompressed_bytes=settings.max_decompressed_bytes,
        rows=settings.max_rows,
        columns=settings.max_columns,
        cells=settings.max_cells,
    )


def add_upload(state: State, upload: Upload, name: str | None, keep: Keep = keep_nothing) -> Stored:
    """Read an upload. Raises Problem dataset-invalid or unsupported-media-type."""
    with upload.path.open("rb") as file:
        head = file.read(4096)
    try:
        kind = format_of(upload.content_type, upload.filename, head)
    except UnsupportedMedia as error:
        raise Problem("unsupported-media-type", str(error)) from error
    shown = name or upload.filename or "untitled"

    def read(destination: Path) -> Ingested:
        return ingest(
            upload.path,
            format=kind,
            destination=destination,
            limits=limits_of(state.settings),
            compression=upload.compression,
        )

    return _add(state, shown[:128], read, None, keep)


def add_sample(state: State, sample: Sample, keep: Keep = keep_nothing) -> Stored:
    """Add a bundled data set under its well-known id."""
    source = {
        "sample": sample.name,
        "title": sample.title,
        "licence": sample.licence,
        "source": sample.source,
    }

    def read(destination: Path) -> Ingested:
        return ingest(
            sample.path, format="csv", destination=destination, limits=limits_of(state.settings)
        )

    return _add(state, sample.name, read, source, keep, dataset_id=f"ds_sample_{sample.name}")


def add_generated(state: State, request: GenerateRequest, keep: Keep = keep_nothing) -> Stored:
    """Add an artificial data set."""
    table = generate(request.kind, request.rows, request.noise, request.seed)
    source: Json = {"generator": request.model_dump()}
    return _add(state, request.kind, lambda destination: write(table, destination), source, keep)


def _add(
    state: State,
    name: str,
    read: Callable[[Path], Ingested],
    source: Json | None,
    keep: Keep,
    dataset_id: str | None = None,
) -> Stored:
    require_room(state.settings)
    part = state.settings.folder("tmp") / f"{uuid.uuid4().hex}.parquet"
    try:
        try:
            ingested = read(part)
        except DatasetInvalid as error:
            raise invalid_dataset(error) from error
        final = path_of(state.settings, ingested.sha256)
        descriptor = os.open(part, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        with state.database.write() as session:
            known = store.by_content(session, ingested.sha256)
            if known is not None:
                stored = Stored(known, is_new=False)
                keep(session, stored)
                return stored
            part.rename(final)  # inside, so that a deletion of the same content cannot come between
            sync_folder(final.parent)
            dataset = Dataset(
                id=dataset_id or new_id("ds"),
                name=name,
                created_at=datetime.now(UTC),
                sha256=ingested.sha256,
                format=ingested.format,
                rows=ingested.rows,
                bytes=ingested.bytes,
                columns=[asdict(column) for column in ingested.columns],
                warnings=ingested.warnings,
                source=source,
            )
            session.add(dataset)
            stored = Stored(dataset, is_new=True)
            keep(session, stored)
        return stored
    finally:
        part.unlink(missing_ok=True)


def invalid_dataset(error: DatasetInvalid) -> Problem:
    """422 that names every fault and where it is."""
    errors = []
    for found in error.errors[:100]:
        parts = [part for part in (found.row, found.column) if part is not None]
        where = f"line {found.line}: " if found.line is not None else ""
        expected = f" Expected {found.expected}." if found.expected else ""
        errors.append(FieldError(pointer(*parts), f"{where}{found.detail}{expected}", found.code))
    return Problem(
        "dataset-invalid", errors[0].detail if errors else "The table cannot be read.", errors
    )


def read(state: State, dataset: Dataset, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Rows as records. Raises not-found when the file has gone meanwhile."""
    try:
        return list(read_rows(path_of(state.settings, dataset.sha256), after=after, limit=limit))
    except FileNotFoundError:
        raise not_found("data set") from None


def remove(state: State, dataset_id: str) -> None:
    """Delete a data set; its file goes in the same breath. Raises not-found or conflict."""
    with state.database.write() as session:
        sha256 = store.remove(session, dataset_id)
        session.flush()
        path_of(state.settings, sha256).unlink(missing_ok=True)
