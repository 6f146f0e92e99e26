"""The documentation says what the code does. `python -m tests.test_docs` writes the tables anew."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from core.activations import ACTIVATIONS
from core.losses import LOSSES
from core.metrics import evaluate
from core.optimizers import OPTIMIZERS
from core.training import Epoch
from service.app import create_app
from service.kit.problems import CATALOGUE
from service.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
COMPUTED = {
    "workers": "processors − 1, at least 1",
    "max_predict_requests": "2 × processors",
    "allowed_hosts": "[]",
    "allowed_origins": "[]",
}
BINARY = ((1 << 20, "MiB"), (1 << 10, "KiB"))


def read(name: str) -> str:
    return (DOCS / name).read_text()


def default(name: str, field: FieldInfo) -> str:
    """The default as a person writes it, with its unit."""
    if name in COMPUTED:
        return COMPUTED[name]
    value = field.default
    if value is None or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return "–"
    if name.endswith("_bytes"):
        size, unit = next(pair for pair in BINARY if value % pair[0] == 0)
        return f"{value} ({value // size} {unit})"
    if isinstance(value, float):
        value = f"{value:g}"
    return f"{value} s" if name.endswith("_seconds") else f"`{value}`"


def settings_table() -> str:
    rows = ["| variable | default | what it is for |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        description = str(field.description)
        rows.append(f"| `SIGMOID_{name.upper()}` | {default(name, field)} | {description} |")
    return "\n".join(rows)


def problems_table() -> str:
    rows = ["| type | status | what it means |", "| --- | --- | --- |"]
    rows += [
        f"| `{kind.uri}` | {kind.status} | {kind.explanation} |" for kind in CATALOGUE.values()
    ]
    return "\n".join(rows)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every route of the OpenAPI document."""
    paths = create_app(Settings()).openapi()["paths"]
    return [(m.upper(), path, what) for path, ways in paths.items() for m, what in ways.items()]


def routes_table() -> str:
    rows = ["| route | what it does | answers |", "| --- | --- | --- |"]
    for method, path, what in operations():
        answers = ", ".join(code for code in what["responses"] if code.startswith("2"))
        rows.append(f"| `{method} {path}` | {what['summary']} | {answers} |")
    return "\n".join(rows)


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "settings": ("configuration.md", settings_table),
    "problems": ("api.md", problems_table),
    "routes": ("api.md", routes_table),
}


def between(table: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {table} -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


def write() -> None:
    for table, (page, make) in TABLES.items():
        text = between(table).sub(lambda found, make=make: found[1] + make() + found[3], read(page))
        (DOCS / page).write_text(text)


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_those_of_the_code(table: str) -> None:
    page, make = TABLES[table]
    found = between(table).search(read(page))
    assert found is not None
    assert found[2] == make(), "run: .venv/bin/python -m tests.test_docs"


def test_every_setting_has_a_reason() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`SIGMOID_{name.upper()}`" in read("configuration.md")
        assert field.description in read("configuration.md")


def test_no_secret_has_a_default_that_a_page_would_show() -> None:
    for field in Settings.model_fields.values():
        assert not isinstance(field.default, SecretStr) or not field.default.get_secret_value()


def test_the_api_page_names_every_route_and_every_kind_of_problem() -> None:
    page = read("api.md")
    for method, path, _ in operations():
        assert f"`{method} {path}`" in page
    for kind in CATALOGUE.values():
        assert f"`{kind.uri}`" in page


def test_the_concepts_name_all_that_can_be_chosen_or_is_measured() -> None:
    page = read("concepts.md")
    words = [*ACTIVATIONS, *LOSSES, *OPTIMIZERS, *metric_names()]
    words += [field.name for field in dataclasses.fields(Epoch)]
    for word in {*words} - {"epoch", "learning_rate", "sgd", "adam"}:
        assert f"`{word}`" in page, word
    for title in ("**SGD", "**Adam**", "An **epoch**", "learning rate"):
        assert title in page


def metric_names() -> set[str]:
    import numpy as np

    truth = np.array([0, 1, 1])
    classes = evaluate("binary", truth, np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    quantities = evaluate("regression", truth.astype(float), np.array([0.1, 0.9, 0.7]))
    return {*classes, *quantities}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name) if name else page
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place), target


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        assert f"docs/{page.name}" in readme, page.name


if __name__ == "__main__":
    write()
