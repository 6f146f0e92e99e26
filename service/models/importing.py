"""Taking in a model file that came from elsewhere: nothing in it is believed before it is checked.

`core.files.load` takes only bytes that writing the same model would give again; here come the
bounds of this service, a trial, and the lineage, which is a claim of whoever made the file.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from core.errors import DataError, ModelInvalid
from core.files import load
from core.model import Model
from service.jobs.network import NetworkRequest
from service.jobs.preprocessing import PreprocessingRequest
from service.jobs.schemas import ClassWeight
from service.jobs.training import TrainingRequest
from service.kit.problems import Problem
from service.kit.schemas import ColumnName, Text
from service.models import rows
from service.models.registry import Facts, StoredFile, add_version
from service.settings import Settings
from service.tables import Json

MOST_LABEL_CHARACTERS = 1_000
_NAMES: TypeAdapter[list[str]] = TypeAdapter(list[ColumnName])


class _Spec(BaseModel):
    """A resolved job, as lineage has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    target: ColumnName
    task: Text = Field(max_length=16)
    features: list[ColumnName]
    weights_column: ColumnName | None = None
    class_weight: ClassWeight | None = None
    preprocessing: PreprocessingRequest
    network: NetworkRequest
    training: TrainingRequest
    seed: int = Field(ge=0, le=2**53 - 1)


class _Lineage(BaseModel):
    """What a file may say of where it comes from."""

    model_config = ConfigDict(strict=True)

    dataset_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    seed: int | None = Field(None, ge=0, le=2**53 - 1)
    code_version: Text | None = Field(None, max_length=64)


def read(content: bytes, settings: Settings) -> Model:
    """The model of a file. Raises Problem model-invalid, saying what does not hold."""
    try:
        model = load(content)
    except ModelInvalid as error:
        raise _refused(str(error)) from None
    if model.theta.size > settings.max_parameters:
        raise _refused(f"It has more than {settings.max_parameters} weights.")
    signature = model.signature()
    try:
        columns = [one["name"] for one in signature["features"]]
        _NAMES.validate_python([*columns, *_target_names(signature["target"])])
    except ValidationError:
        raise _refused("The name of a column is empty, too long or no text.") from None
    if len(columns) > settings.max_columns:
        raise _refused(f"It has more than {settings.max_columns} columns.")
    if any(len(str(one)) > MOST_LABEL_CHARACTERS for one in _words(signature)):
        raise _refused(f"A level or label is longer than {MOST_LABEL_CHARACTERS} characters.")
    _try(model, signature)
    return model


def _target_names(target: Json) -> list[str]:
    return [target["name"], *(one["name"] for one in target.get("targets", ()))]


def _words(signature: Json) -> list[Any]:
    target = signature["target"]
    words = [label for one in target.get("targets", [target]) for label in one.get("labels") or ()]
    for feature in signature["features"]:
        words += feature.get("levels") or ()
    return words


def _try(model: Model, signature: Json) -> None:
    try:
        model.predict_records([rows.example(signature)])
    except (DataError, ValueError, KeyError, ArithmeticError):
        raise _refused("It cannot answer a row of its own columns.") from None


def _refused(detail: str) -> Problem:
    return Problem("model-invalid", detail)


def claimed(metadata: Json) -> Json:
    """What the file's metadata say of its origin, as far as that is well-formed."""
    told = metadata.get("lineage")
    if not isinstance(told, dict):
        return {}
    try:
        found = _Lineage.model_validate(told).model_dump(exclude_none=True)
        spec = told.get("spec")
        _Spec.model_validate(spec)
    except (ValidationError, RecursionError):
        return {}
    return {**found, "spec": spec}


def publish(session: Session, name: str, model: Model, file: StoredFile) -> int:
    """Add the file as the next version; returns its number."""
    facts = Facts(
        job_id=None,
        task=model.task,
        target=model.target_name,
        signature=model.signature(),
        metrics={},
        baseline={},
        lineage={**claimed(model.metadata), "imported": True},
    )
    return add_version(session, name, file, facts)
