"""Queries on data sets. Never commits."""

from sqlalchemy import Select, bindparam, delete, select
from sqlalchemy.orm import Session

from service.batches import store as batches
from service.jobs.store import needed_by
from service.kit.problems import Problem, not_found
from service.tables import Dataset

_ID = select(Dataset.id).where(Dataset.id == bindparam("id"))


def query(name: str | None) -> Select[Dataset]:
    """Data sets, of one name if given."""
    found = select(Dataset)
    return found if name is None else found.where(Dataset.name == name)


def get(session: Session, dataset_id: str) -> Dataset:
    """The data set. Raises Problem not-found."""
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise not_found("data set")
    return dataset


def require(session: Session, dataset_id: str) -> str:
    """The id, if there is such a data set. Raises Problem not-found."""
    if session.scalar(_ID, {"id": dataset_id}) is None:
        raise not_found("data set")
    return dataset_id


def by_content(session: Session, sha256: str) -> Dataset | None:
    """The data set with this content."""
    return session.scalars(select(Dataset).where(Dataset.sha256 == sha256)).one_or_none()


def remove(session: Session, dataset_id: str) -> str:
    """Delete the row; returns the sha256 of the file that may go. Raises not-found, conflict."""
    dataset = get(session, dataset_id)
    job_id = needed_by(session, dataset_id)
    needed = job_id or batches.needing(session, dataset_id)
    if needed is not None:
        raise Problem("conflict", f"{needed} still needs this data set.")
    session.execute(delete(Dataset).where(Dataset.id == dataset_id))
    return dataset.sha256
