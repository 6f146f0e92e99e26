"""Every format a model can leave in. One entry in FORMATS is all that the rest of the code asks."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from core.export.c import write_c
from core.export.javascript import write_javascript
from core.export.onnx import write_onnx
from core.export.plan import Plan
from core.export.python import write_python


@dataclass(frozen=True)
class Format:
    """How a format is called and written. suffix: of the file's name."""

    name: str
    media_type: str
    suffix: str
    write: Callable[[Plan], bytes]


def write_json(plan: Plan) -> bytes:
    """The plan itself."""
    return json.dumps(plan, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


FORMATS = {
    format.name: format
    for format in (
        Format("onnx", "application/octet-stream", "onnx", write_onnx),
        Format("json", "application/json", "json", write_json),
        Format("python", "text/x-python", "py", write_python),
        Format("javascript", "text/javascript", "mjs", write_javascript),
        Format("c", "text/x-c", "h", write_c),
    )
}
