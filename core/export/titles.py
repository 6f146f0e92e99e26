"""What an exported file says of itself in its first lines: ASCII, safe in any comment."""

import re
from typing import Any

_PLAIN = re.compile(r"[^A-Za-z0-9 _.,:=()-]")


def plain(text: str) -> str:
    """Text with everything that could end a comment or change its meaning written out."""
    return _PLAIN.sub(lambda match: f"<{ord(match[0]):x}>", text)


def title_lines(plan: dict[str, Any]) -> list[str]:
    """The model, the version and how to use it."""
    columns = ", ".join(feature["name"] for feature in plan["features"])
    lines = [
        f"Model {plan.get('model', '')} version {plan.get('version', '')}, exported by Sigmoid",
        f"Model file sha256: {plan.get('sha256', '')}",
        f"Predicts {plan['target']['name']} from: {columns}",
    ]
    return [plain(line) for line in lines]
