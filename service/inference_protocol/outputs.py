"""A prediction as the protocol's tensors, in JSON and in bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from core.model import Model, Prediction
from core.several import Quantiles, Several
from core.targets import Classes
from service.inference_protocol.datatypes import to_bytes
from service.inference_protocol.errors import refused
from service.inference_protocol.questions import Question, WantedOutput

Cells = NDArray[Any] | Sequence[str]
_LABELS = {"category": "BYTES", "number": "INT64", "boolean": "BOOL"}


@dataclass(frozen=True)
class Output:
    """One tensor a model can give. width: of its second dimension; None for [n] alone."""

    name: str
    datatype: str
    width: int | None
    read: Callable[[Prediction], Cells]


@dataclass(frozen=True, eq=False)
class Answer:
    """A response's body. header_length: of its JSON, None when all of it is."""

    body: bytes
    header_length: int | None


def outputs_of(model: Model) -> tuple[Output, ...]:
    """Label and probabilities for classes, else value. Of several targets and of quantiles a
    tensor each, named as columns of tables are.
    """
    target = model.target
    if isinstance(target, Several | Quantiles):
        return _outputs_of_several(model, target)
    if not isinstance(target, Classes):
        return (Output("value", "FP64", None, lambda found: np.asarray(found.values)),)
    labels = target.labels

    def label(found: Prediction) -> Cells:
        assert found.labels is not None
        if target.kind == "category":
            return [str(labels[position]) for position in found.labels.tolist()]
        kind = np.bool_ if target.kind == "boolean" else np.int64
        return np.array(labels, kind)[found.labels]

    return (
        Output("label", _LABELS[target.kind], None, label),
        Output("probabilities", "FP64", len(labels), lambda found: np.asarray(found.probabilities)),
    )


def _outputs_of_several(model: Model, target: Several | Quantiles) -> tuple[Output, ...]:
    none = np.zeros((0, target.outputs))
    chosen: Any = none.astype(np.int64) if target.task == "multilabel" else None

    def reader(at: int, kind: str) -> Callable[[Prediction], Cells]:
        def read(found: Prediction) -> Cells:
            cells = model.tabled(found)[at].cells
            return [str(cell) for cell in cells] if kind == "category" else cells

        return read

    return tuple(
        Output(one.name, _LABELS.get(one.kind, "FP64"), None, reader(at, one.kind))
        for at, one in enumerate(target.tabled(none, chosen))
    )


def write_answer(
    question: Question, model: Model, name: str, version: int, prediction: Prediction, rows: int
) -> Answer:
    """The wanted outputs, those asked in binary behind the JSON. Raises Problem."""
    known = {output.name: output for output in outputs_of(model)}
    wanted = question.outputs or tuple(WantedOutput(name) for name in known)
    shown, binary = [], []
    cells: Cells
    for number, want in enumerate(wanted):
        if want.name not in known:
            raise refused(f"outputs[{number}]: expected one of {', '.join(known)}")
        output = known[want.name]
        best = want.parameters.get("classification")
        if best is not None:
            datatype, shape, cells = _classified(output, best, model, prediction)
        else:
            datatype, cells = output.datatype, output.read(prediction)
            shape = [rows] if output.width is None else [rows, output.width]
        entry: dict[str, Any] = {"name": output.name, "datatype": datatype, "shape": shape}
        if want.parameters.get("binary_data", question.binary_by_default) is True:
            binary.append(to_bytes(cells))
            entry["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            entry["data"] = cells.ravel().tolist() if isinstance(cells, np.ndarray) else cells
        shown.append(entry)
    header: dict[str, Any] = {"model_name": name, "model_version": str(version)}
    if question.id:
        header["id"] = question.id
    if prediction.warnings:  # parameters are texts, numbers or booleans, never lists
        header["parameters"] = {"warnings": " ".join(one["message"] for one in prediction.warnings)}
    head = orjson.dumps({**header, "outputs": shown})
    if not binary:
        return Answer(head, None)
    return Answer(b"".join((head, *binary)), len(head))


def _classified(
    output: Output, best: Any, model: Model, prediction: Prediction
) -> tuple[str, list[int], list[str]]:
    """The `best` most likely classes of each row as value:index:label (Triton's extension)."""
    target = model.target
    if output.name != "probabilities" or not isinstance(target, Classes):
        raise refused(f"output {output.name!r}: classification is for probabilities")
    if type(best) is not int or best < 1:
        raise refused(f"output {output.name!r}: classification is a number of classes, from 1 on")
    count = min(best, len(target.names))
    shares = np.asarray(prediction.probabilities)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    texts = [
        f"{row[at]:f}:{at}:{target.names[at]}"
        for row, places in zip(shares.tolist(), order.tolist(), strict=True)
        for at in places
    ]
    return "BYTES", [len(shares), count], texts
