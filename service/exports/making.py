"""`python -m service.exports.making`: writes an export and its certificate, apart from the API.

What ONNX needs stays out of the API's memory, and a file is never seen half-written.
"""

import hashlib
import json
import math
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ModelInvalid
from core.export.formats import FORMATS
from core.export.plan import NotExportable, plan_of
from core.files import load
from service.exports import NOT_EXPORTABLE
from service.exports.running import RUNNERS, Answers, CannotRun, Rows
from service.exports.trials import adversarial_rows, real_rows, typical_rows

SMALLEST = 1e-6  # what relative differences are at least relative to


def make(task: dict[str, Any]) -> None:
    """Write `target` and `certificate`, paths of the task; the certificate comes last.

    Raises NotExportable.
    """
    content = Path(task["model_path"]).read_bytes()
    model = load(content)
    is_own = task["format"] == "safetensors"  # which says whatever a model can
    plan = {} if is_own else plan_of(model, task["title"])
    exported = content if is_own else FORMATS[task["format"]].write(plan)
    dataset = Path(task["dataset_path"]) if task["dataset_path"] else None
    real, adverse = real_rows(model, dataset), adversarial_rows(model)
    source = "dataset" if real else "signature"
    real = real or typical_rows(model)
    rows = real + adverse
    told = model.listed(model.predict_records(rows)) if rows else []
    certificate = {
        **task["title"],
        "format": task["format"],
        "export_sha256": hashlib.sha256(exported).hexdigest(),
        "bytes": len(exported),
        "code_version": version("sigmoid"),
        "real_rows": len(real),
        "real_rows_from": source,
        "adversarial_rows": len(adverse),
        **_tried(task["format"], plan, exported, rows, told),
    }
    _write(Path(task["target"]), exported)
    _write(Path(task["certificate"]), json.dumps(certificate).encode())


def _tried(
    name: str, plan: dict[str, Any], exported: bytes, rows: Rows, told: Answers
) -> dict[str, Any]:
    """What came of running the export on the rows, beside what the model itself says."""
    nothing = dict.fromkeys(
        ("executed_by", "largest_absolute_difference", "largest_relative_difference",
         "other_labels", "reason")
    )  # fmt: skip
    try:
        if not rows:
            raise CannotRun("The model refuses every row it could be tried on")
        by = RUNNERS[name].by()
        found = RUNNERS[name].run(plan, exported, rows)
    except CannotRun as error:
        return {**nothing, "executed": False, "reason": f"{error}."}
    if len(found) != len(told):
        return {**nothing, "executed": False, "reason": "It did not answer every row."}
    pairs = np.array(
        [pair for one, other in zip(found, told, strict=True) for pair in _pairs(one, other)]
    )
    mine, ours = pairs[:, 0], pairs[:, 1]
    with np.errstate(all="ignore"):
        apart = np.where(mine == ours, 0.0, np.abs(mine - ours))  # infinities may be equal
        share = apart / np.maximum(np.where(np.isfinite(ours), np.abs(ours), 1.0), SMALLEST)
    odd = int((~np.isfinite(apart)).sum())
    labels = sum(
        any(one.get(name) != other.get(name) for name in ("label", "labels"))
        for one, other in zip(found, told, strict=True)
    )
    return {
        "executed": True,
        "executed_by": by,
        "largest_absolute_difference": None if odd else float(apart.max()),
        "largest_relative_difference": None if odd else float(share.max()),
        "other_labels": labels,
        "reason": f"It differs beyond measure in {odd} numbers: infinite, or none."
        if odd
        else None,
    }


def _pairs(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[float, float]]:
    """The export's numbers beside the model's: of a name, for not every language keeps an order."""
    if "value" in other:
        return [(_number(one.get("value")), other["value"])]
    numbers = next(name for name in ("probabilities", "values", "quantiles") if name in other)
    shares = one.get(numbers, {})
    return [(_number(shares.get(name)), ours) for name, ours in other[numbers].items()]


def _number(told: Any) -> float:
    """JSON has null for what is no number."""
    return math.nan if told is None else float(told)


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.rename(path)


def main() -> int:
    """Read the task from standard input."""
    try:
        make(json.load(sys.stdin))
    except NotExportable as error:
        print(error)  # noqa: T201, the answer to the process that asked
        return NOT_EXPORTABLE
    except ModelInvalid as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
