"""`python -m service.exports.making`: writes an export and its certificate, apart from the API.

What ONNX needs stays out of the API's memory, and a file is never seen half-written.
"""

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core.errors import ModelInvalid
from core.export.formats import FORMATS
from core.export.plan import NotExportable, plan_of
from core.files import load
from service.exports.running import RUNNERS, Answers, CannotRun, Rows
from service.exports.trials import adversarial_rows, real_rows

NOT_EXPORTABLE = 3  # exit status


def make(task: dict[str, Any]) -> None:
    """Write `target` and `certificate`, paths of the task; the certificate comes last.

    Raises NotExportable.
    """
    content = Path(task["model_path"]).read_bytes()
    model = load(content)
    plan = plan_of(model, task["title"])
    exported = content if task["format"] == "safetensors" else FORMATS[task["format"]].write(plan)
    dataset = Path(task["dataset_path"]) if task["dataset_path"] else None
    real, adverse = real_rows(model, dataset), adversarial_rows(model)
    rows = real + adverse
    told = model.listed(model.predict_records(rows)) if rows else []
    certificate = {
        **task["title"],
        "format": task["format"],
        "export_sha256": hashlib.sha256(exported).hexdigest(),
        "bytes": len(exported),
        "code_version": version("sigmoid"),
        "real_rows": len(real),
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
        by = RUNNERS[name].by()
        found = RUNNERS[name].run(plan, exported, rows) if rows else []
    except CannotRun as error:
        return {**nothing, "executed": False, "reason": f"{error}."}
    absolute = relative = 0.0
    for one, other in zip(found, told, strict=True):
        for mine, ours in zip(_numbers(one), _numbers(other), strict=True):
            absolute = max(absolute, abs(mine - ours))
            relative = max(relative, abs(mine - ours) / max(abs(ours), 1e-6))
    labels = sum(
        one.get("label") != other.get("label") for one, other in zip(found, told, strict=True)
    )
    return {
        "executed": True,
        "executed_by": by,
        "largest_absolute_difference": absolute,
        "largest_relative_difference": relative,
        "other_labels": labels,
        "reason": None,
    }


def _numbers(answer: dict[str, Any]) -> list[float]:
    return [answer["value"]] if "value" in answer else list(answer["probabilities"].values())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
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
