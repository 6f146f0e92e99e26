"""The report: sections put together, the style inside, no script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from core.metrics import LOWER_IS_BETTER
from service.models.card import Card, Figure
from service.models.report import learning, verdict
from service.models.report.charts import bars, confusion, scatter
from service.models.report.words import (
    count,
    date,
    duration,
    escape,
    figure,
    number,
    size,
    word,
)
from service.tables import Json

STYLE = (Path(__file__).parent / "report.css").read_text()
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
LOGO = (
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"/>'
    '<path d="M6 24c9 0 8-16 20-16"/><circle cx="15.4" cy="16.3" r="2.6"/></svg>'
)
MOST_COLUMNS = 200
LONG = 26  # characters; longer facts have a line of their own


def render(card: Card, points: Sequence[Json]) -> str:
    """The page of a version. points: its learning curve, thinned; empty when not on record."""
    title = f"{card.model}, version {card.version}"
    sections = [
        _section("How good it is", _figures(card)),
        _evidence(card),
        learning.section(card, points),
        _section("What to know before relying on it", _limits(card)),
        _section("The network", _network(card)),
        _section("Columns", _columns(card)),
        _section("Where it comes from", _origin(card)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{_inside_policy()}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"{_heading(card)}<main>{''.join(sections)}</main>{_footer(card)}</body></html>\n"
    )


def _inside_policy() -> str:
    """The policy as the page itself can carry it, for the file that is sent on."""
    return CONTENT_SECURITY_POLICY.partition("; frame-ancestors")[0]


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _heading(card: Card) -> str:
    pills = "".join(f'<span class="pill">{escape(alias)}</span>' for alias in card.aliases)
    about = f'<p class="about">{escape(card.description)}</p>' if card.description else ""
    tags = "".join(
        f'<span class="tag">{escape(key)} <b>{escape(value)}</b></span>'
        for key, value in card.tags.items()
    )
    return (
        f'<header><p class="brand">{LOGO}<span>Model report</span></p>'
        f'<h1>{escape(card.model)} <span class="version">version {card.version}</span>{pills}</h1>'
        f'<p class="verdict">{verdict.sentence(card)}</p>{about}'
        f'<div class="tags">{tags}</div>{_highlights(card)}</header>'
    )


def _highlights(card: Card) -> str:
    items = [
        (figure(one.name, one.value), word(one.name), _beside(one)) for one in card.figures[:2]
    ]
    if card.data.training_rows is not None:
        judged = f"judged by {card.judging_rows:,} others" if card.judged_by == "validation" else ""
        items.append((f"{card.data.training_rows:,}", "Rows learned from", judged))
    if card.training.seconds is not None:
        parameters = count(card.parameters, "parameter")
        items.append((duration(card.training.seconds), "To train", parameters))
    cards = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd>{escape(note)}</dd></div>"
        for value, name, note in items
    )
    return f'<dl class="highlights">{cards}</dl>'


def _beside(one: Figure) -> str:
    return "" if one.baseline is None else f"simplest answer {figure(one.name, one.baseline)}"


def _figures(card: Card) -> str:
    if not card.figures:
        return '<p class="quiet">No metrics are on record.</p>'
    rows = "".join(_figure_row(one) for one in card.figures)
    return (
        f'<p class="quiet">{escape(verdict.judged(card))}</p><div class="wide"><table><thead><tr>'
        '<th scope="col">Metric</th><th scope="col" class="number">This model</th>'
        '<th scope="col" class="number">95 % sure</th>'
        '<th scope="col" class="number">Linear model</th>'
        '<th scope="col" class="number">Simplest answer</th><td></td><td></td></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _figure_row(one: Figure) -> str:
    def shown(value: float | None) -> str:
        return "–" if value is None else escape(figure(one.name, value))

    better = {True: "better", False: "worse", None: ""}[one.better]
    mark = f'<span class="{better}">{better}</span>' if better else ""
    sure = "–" if one.low is None else f"{shown(one.low)} to {shown(one.high)}"
    return (
        f'<tr><th scope="row">{escape(word(one.name))}{_direction(one)}</th>'
        f'<td class="number">{shown(one.value)}</td><td class="number quiet">{sure}</td>'
        f'<td class="number quiet">{shown(one.linear)}</td>'
        f'<td class="number quiet">{shown(one.baseline)}</td>'
        f"<td>{bars(one.value, one.baseline, shown)}</td><td>{mark}</td></tr>"
    )


def _direction(one: Figure) -> str:
    return " <small>lower is better</small>" if one.name in LOWER_IS_BETTER else ""


def _evidence(card: Card) -> str:
    found = card.evaluation or {}
    if found.get("kind") == "confusion":
        counts, labels = found["counts"], found["labels"]
        drawn = confusion(labels, counts)
        words = verdict.confused(labels, counts)
        title = "Where it is right, and what it confuses"
    elif found.get("kind") == "residuals":
        drawn = scatter(found["truth"], found["predicted"], card.target)
        words = verdict.off(found["quantiles"], card.target)
        title = "Prediction against truth"
    else:
        return ""
    return _section(title, f'<div class="beside">{drawn}<div class="words">{words}</div></div>')


def _limits(card: Card) -> str:
    items = "".join(f"<li>{escape(limit)}</li>" for limit in card.limits)
    return f'<ul class="limits">{items}</ul>'


def _network(card: Card) -> str:
    layers = card.training.network.get("layers") or []
    steps = [
        ("columns", f"{len(card.signature.features):,}"),
        *((_layer(one), f"{one.get('units', 0):,}") for one in layers),
    ]
    labels = card.signature.target.labels
    target = card.signature.target
    several = labels or target.targets or target.quantiles or (1,)
    word_for = "quantiles" if target.quantiles else "targets" if target.targets else "number"
    steps.append(("classes" if labels else word_for, f"{len(several):,}"))
    chain = "".join(f"<li><b>{value}</b>{escape(name)}</li>" for name, value in steps)
    recipe = card.training.recipe
    optimizer = recipe.get("optimizer") or {}
    facts = [
        ("Parameters", f"{card.parameters:,}"),
        ("Loss", word(str(recipe["loss"])) if "loss" in recipe else None),
        ("Optimizer", word(str(optimizer["name"])) if "name" in optimizer else None),
        ("Learning rate", _number(optimizer.get("learning_rate"))),
        ("Batch size", _number(recipe.get("batch_size"))),
        ("Epochs at most", _number(recipe.get("epochs"))),
        *((word(key), str(value)) for key, value in card.training.preprocessing.items()
          if isinstance(value, str)),
    ]  # fmt: skip
    return f'<ol class="chain">{chain}</ol>{_facts(facts)}'


def _layer(layer: Json) -> str:
    """A layer's activation, and what stands beside it."""
    parts = [word(str(layer.get("activation", "")))]
    if layer.get("batch_norm"):
        parts.append("batch norm")
    if layer.get("dropout"):
        parts.append(f"dropout {number(float(layer['dropout']))}")
    return ", ".join(parts)


def _number(value: object) -> str | None:
    return number(float(value)) if isinstance(value, int | float) else None


def _facts(facts: Sequence[tuple[str, str | None]]) -> str:
    long = ' class="long"'
    items = "".join(
        f"<div{long if len(value) > LONG else ''}><dt>{escape(name)}</dt>"
        f"<dd>{escape(value)}</dd></div>"
        for name, value in facts
        if value
    )
    return f'<dl class="facts">{items}</dl>'


def _columns(card: Card) -> str:
    rows = []
    features = card.signature.features
    for feature in features[:MOST_COLUMNS]:
        if feature.levels is not None:
            shown = "".join(f"<i>{escape(level)}</i>" for level in feature.levels[:12])
            more = len(feature.levels) - 12
            shown += f" and {more} more" if more > 0 else ""
        elif feature.min is not None and feature.max is not None:
            shown = escape(f"{number(feature.min, 3)} to {number(feature.max, 3)}")
        elif feature.earliest is not None:
            shown = escape(f"{feature.earliest} to {feature.latest}")
        else:
            shown = "<i>false</i><i>true</i>"
        rows.append(f'<tr><th scope="row">{escape(feature.name)}</th><td class="quiet">'
                    f'{feature.type}</td><td class="levels">{shown}</td></tr>')  # fmt: skip
    more = len(features) - MOST_COLUMNS
    left = f'<p class="quiet">and {more:,} more columns</p>' if more > 0 else ""
    return (
        '<div class="wide"><table><thead><tr><th scope="col">Column</th><th scope="col">Type</th>'
        f'<th scope="col">Seen in training</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f"</div>{left}"
    )


def _origin(card: Card) -> str:
    data, training = card.data, card.training
    facts = [
        ("Data", data.name),
        ("Rows", None if data.rows is None else f"{data.rows:,}"),
        *((word(str(key)), str(value)) for key, value in (data.source or {}).items()
          if isinstance(value, str | int)),
        ("Data, SHA-256", data.sha256),
        ("Job", training.job),
        ("Seed", None if training.seed is None else str(training.seed)),
        ("Ended because", word(training.stop_reason) if training.stop_reason else None),
        ("Sigmoid", training.code_version),
        ("Model file", f"{size(card.bytes)}, SHA-256 {card.sha256}"),
        *((word(str(key)), str(value)) for key, value in training.environment.items()),
    ]  # fmt: skip
    return f'<p class="quiet">{verdict.repeatable(card)}</p>{_facts(facts)}'


def _footer(card: Card) -> str:
    return (
        f"<footer>{escape(card.model)}, version {card.version}, trained {date(card.created_at)}. "
        "This page is one file: it asks nobody for anything.</footer>"
    )
