"""Errors in the words of other protocols: their clients read no problem documents.

A slice that speaks one registers it here under the beginning of its addresses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from service.kit.problems import MEDIA_TYPE, Problem


@dataclass(frozen=True)
class Dialect:
    """How errors read below a prefix. schema: of what `say` gives."""

    prefix: str
    schema: type[BaseModel]
    say: Callable[[Problem], dict[str, Any]]


DIALECTS: list[Dialect] = []


def dialect_of(path: str) -> Dialect | None:
    """The dialect that is spoken at an address."""
    for dialect in DIALECTS:
        if path == dialect.prefix or path.startswith(f"{dialect.prefix}/"):
            return dialect
    return None


def spoken(problem: Problem, path: str, request_id: str) -> tuple[dict[str, Any], str]:
    """A problem as the body of an answer, and its media type."""
    dialect = dialect_of(path)
    if dialect is None:
        return problem.document(path, request_id), MEDIA_TYPE
    return dialect.say(problem), "application/json"
