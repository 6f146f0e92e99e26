"""The runtimes as text."""

from functools import cache
from importlib.resources import files


@cache
def source_of(name: str) -> str:
    """The text of a file that lies here."""
    return (files(__package__) / name).read_text("utf-8")
