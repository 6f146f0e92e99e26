"""One JavaScript module that predicts, in browsers and Node: a runtime with the plan in it."""

import json

from core.export.plan import Plan
from core.export.runtimes.source import source_of
from core.export.titles import title_lines

_PLACE = "const PLAN = null;"


def write_javascript(plan: Plan) -> bytes:
    """The source of an ES module."""
    # Quoted twice and parsed: no name can be taken for code, nor `__proto__` for a prototype.
    text = json.dumps(json.dumps(plan, ensure_ascii=True, allow_nan=False)).replace("</", "<\\/")
    header = "".join(f"// {line}\n" for line in title_lines(plan))
    filled = source_of("model.mjs").replace(_PLACE, f"const PLAN = JSON.parse({text});", 1)
    return (header + filled).encode()
