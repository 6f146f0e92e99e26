"""JSON merge patches (RFC 7396)."""

from typing import Any

from service.tables import Json


def merge(document: Json, patch: Json) -> Json:
    """The document changed by the patch: null removes, objects merge, all else replaces."""
    out: Json = dict(document)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            held: Any = out.get(key)
            out[key] = merge(held if isinstance(held, dict) else {}, value)
        else:
            out[key] = value
    return out
