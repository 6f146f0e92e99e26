"""One Python file that predicts, without an installation: a runtime with the plan in it."""

import json

from core.export.plan import Plan
from core.export.runtimes.source import source_of
from core.export.titles import title_lines

_PLACE = "PLAN = {}  # the model stands here"


def write_python(plan: Plan) -> bytes:
    """The source of a module for Python 3.8 or newer."""
    text = json.dumps(plan, ensure_ascii=True, allow_nan=False)
    header = "".join(f"# {line}\n" for line in title_lines(plan))
    filled = source_of("model.py").replace(_PLACE, f"PLAN = json.loads({text!r})", 1)
    return (header + filled).encode("ascii")
