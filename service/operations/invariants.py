"""What must hold of a data folder at any moment, whatever was killed before."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.jobs.states import ENTERED_FROM, FINAL, HELD, State
from service.jobs.transitions import history
from service.kit.database import Database
from service.tables import Checkpoint, Dataset, EpochMetrics, Event, Job, ModelVersion


def invariants(database: Database, data_dir: Path, *, whole_curves: bool = True) -> list[str]:
    """Sentences on everything that is broken; none when all is well.

    whole_curves: epochs must be there without a gap (False where old curves have been thinned).
    """
    with database.read() as session:
        found = [*_file(database, session), *_rows(session), *_files(session, data_dir)]
        if whole_curves:
            found += _curves(session)
    return found


def _file(database: Database, session: Session) -> Iterator[str]:
    if not database.is_sqlite:
        return
    for pragma, good in (("integrity_check", ["ok"]), ("foreign_key_check", [])):
        rows = [row[0] for row in session.execute(text(f"PRAGMA {pragma}"))]
        if rows != good:
            yield f"{pragma} finds {rows[:3]}"


def _rows(session: Session) -> Iterator[str]:
    versions = Counter(session.scalars(select(ModelVersion.job_id)))
    for job in session.scalars(select(Job)):
        for wrong in (*_life(job), *_outcome(job, versions[job.id]), *_log(session, job)):
            yield f"{job.id} ({job.state}): {wrong}"


def _life(job: Job) -> Iterator[str]:
    states = [passage.state for passage in history(job)]
    if not states or states[-1] != job.state or states[0] != State.QUEUED:
        yield f"its history is {states}"
    for before, after in pairwise(states):
        if before not in ENTERED_FROM[after]:
            yield f"it went from {before} to {after}"
    if (job.state in HELD) != (job.owner is not None and job.lease_until is not None):
        yield "its lease does not fit its state"
    if (job.state in FINAL) != (job.finished_at is not None):
        yield "its end does not fit its state"
    if states.count(State.RUNNING) < job.fence:
        yield f"it was claimed {job.fence} times and ran less often"


def _outcome(job: Job, versions: int) -> Iterator[str]:
    if (job.state == State.SUCCEEDED) != (job.result is not None):
        yield "its result does not fit its state"
    if (job.state == State.FAILED) != (job.error is not None):
        yield "its error does not fit its state"
    if versions > (job.state == State.SUCCEEDED):
        yield f"it has {versions} model versions"


def _log(session: Session, job: Job) -> Iterator[str]:
    written = session.scalars(
        select(Event.type)
        .where(Event.job_id == job.id, Event.type.in_([state.value for state in State]))
        .order_by(Event.id)
    ).all()
    if list(written) != [passage.state.value for passage in history(job)]:
        yield f"its log tells of {list(written)}"


def _curves(session: Session) -> Iterator[str]:
    for job in session.scalars(select(Job)):
        found = select(EpochMetrics.epoch).where(EpochMetrics.job_id == job.id)
        epochs = session.scalars(found.order_by(EpochMetrics.epoch)).all()
        if list(epochs) != list(range(1, len(epochs) + 1)):
            yield f"{job.id}: its curve has gaps"
        if job.state == State.SUCCEEDED and len(epochs) != int(job.epoch):
            yield f"{job.id}: it has {len(epochs)} of {job.epoch} epochs"
        saved = select(Checkpoint.epoch).where(Checkpoint.job_id == job.id)
        newest = max(session.scalars(saved), default=0.0)
        if newest > len(epochs) + 1:
            yield f"{job.id}: a checkpoint at {newest} knows more than its {len(epochs)} epochs"


def _files(session: Session, data_dir: Path) -> Iterator[str]:
    for sha256 in session.scalars(select(Dataset.sha256)):
        if not (data_dir / "datasets" / f"{sha256}.parquet").exists():
            yield f"the file of data set {sha256} is gone"
    for sha256 in set(session.scalars(select(ModelVersion.sha256))):
        yield from _content(data_dir / "models" / f"{sha256}.safetensors", sha256)
    kept = select(Checkpoint.file, Checkpoint.sha256).where(Checkpoint.file.is_not(None))
    for row in session.execute(kept):
        yield from _content(data_dir / "checkpoints" / str(row.file), row.sha256)


def _content(path: Path, sha256: str) -> Iterator[str]:
    if not path.exists():
        yield f"{path.name} is gone"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        yield f"{path.name} is damaged"
