"""Examples that work when tried: identifiers in the OpenAPI document are those of what is there."""

import copy
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.kit.database import Database
from service.tables import Dataset, Job, Model

SAMPLE = "ds_sample_penguins"


def with_real_ids(document: dict[str, Any], database: Database) -> dict[str, Any]:
    """A copy whose path examples name the newest data set, job, sweep and model there is."""
    with database.read() as session:
        newest = _newest(session)
    document = copy.deepcopy(document)
    _name_dataset(document, newest)
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in newest:
                    parameter["example"] = newest[parameter["name"]]
                    parameter.pop("examples", None)
                    parameter["schema"].pop("examples", None)
    return document


def _name_dataset(document: dict[str, Any], newest: dict[str, str]) -> None:
    """The example jobs train on the sample, whatever identifier it got here."""
    if "penguins" not in newest:
        return
    for operations in document["paths"].values():
        body = operations.get("post", {}).get("requestBody", {}).get("content", {})
        for example in body.get("application/json", {}).get("examples", {}).values():
            for value in (example["value"], example["value"].get("job", {})):
                if value.get("dataset") == SAMPLE:
                    value["dataset"] = newest["penguins"]


def _newest(session: Session) -> dict[str, str]:
    found = {
        "penguins": session.scalar(select(func.max(Dataset.id)).where(Dataset.name == "penguins")),
        "dataset_id": session.scalar(select(func.max(Dataset.id))),
        "job_id": session.scalar(select(func.max(Job.id))),
        "sweep_id": session.scalar(select(func.max(Job.id)).where(Job.kind == "sweep")),
        "name": session.scalar(select(Model.name).order_by(Model.created_at.desc()).limit(1)),
    }
    return {name: value for name, value in found.items() if value is not None}
