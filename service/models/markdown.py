"""A model card as Markdown, for repositories and wikis."""

import json
import re

from service.models.card import Card, Figure

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def render(card: Card) -> str:
    """The card as CommonMark with tables."""
    sections = [
        f"# {escape(card.model)}, version {card.version}",
        escape(card.description) if card.description else "",
        _facts(card),
        "## How good it is\n\n" + _figures(card),
        "## What to know before relying on it\n\n" + "\n".join(f"- {line}" for line in card.limits),
        "## Columns\n\n" + _columns(card),
        "## Data\n\n" + _data(card),
        "## Training\n\n" + _training(card),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _facts(card: Card) -> str:
    labels = card.signature.target.labels
    rows = [
        ["Task", card.task],
        ["Predicts", escape(card.target)],
        *([["Classes", ", ".join(escape(str(label)) for label in labels)]] if labels else []),
        ["Created", card.created_at.isoformat(timespec="seconds")],
        *([["Aliases", ", ".join(card.aliases)]] if card.aliases else []),
        *([["Tags", ", ".join(f"{escape(k)}={escape(v)}" for k, v in card.tags.items())]]
          if card.tags else []),
        ["Parameters", str(card.parameters)],
        ["File", f"{card.bytes} bytes, SHA-256 `{card.sha256}`"],
    ]  # fmt: skip
    return _table(["", ""], rows)


def _figures(card: Card) -> str:
    if not card.figures:
        return "No metrics are on record."
    rows = [
        [figure.name, _shown(figure.value), _sure(figure), _shown(figure.linear),
         _shown(figure.baseline)]
        for figure in card.figures
    ]  # fmt: skip
    judged = f"Measured on {card.judging_rows} {card.judged_by} rows.\n\n" if card.judged_by else ""
    return judged + _table(
        ["metric", "this model", "95% sure", "linear model", "simplest answer"], rows
    )


def _shown(value: float | None) -> str:
    return "–" if value is None else number(value)


def _sure(figure: Figure) -> str:
    return "–" if figure.low is None else f"{_shown(figure.low)} to {_shown(figure.high)}"


def _columns(card: Card) -> str:
    rows = []
    for feature in card.signature.features:
        if feature.levels is not None:
            shown = ", ".join(escape(level) for level in feature.levels[:20])
            values = shown + (" …" if len(feature.levels) > 20 else "")
        elif feature.min is not None and feature.max is not None:
            values = f"{number(feature.min)} to {number(feature.max)}"
        else:
            values = f"{feature.earliest} to {feature.latest}" if feature.earliest else ""
        rows.append([escape(feature.name), feature.type, values])
    return _table(["column", "type", "seen in training"], rows)


def _data(card: Card) -> str:
    data = card.data
    lines = []
    if data.name is not None:
        lines.append(f"{escape(data.name)} (`{data.dataset}`), {data.rows} rows")
    if data.training_rows is not None:
        lines.append(f"{data.training_rows} rows were learned from")
    for key, value in (data.source or {}).items():
        lines.append(f"{escape(str(key))}: {escape(str(value))}")
    lines.append(f"SHA-256 `{data.sha256}`" if data.sha256 else "The data are not known.")
    return "\n".join(f"- {line}" for line in lines)


def _training(card: Card) -> str:
    training = card.training
    facts = {
        "job": training.job,
        "seed": training.seed,
        "code version": training.code_version,
        "best epoch": training.best_epoch,
        "ended by": training.stop_reason,
        "repeated": None if card.verified is None else card.verified.identical,
        "seconds": None if training.seconds is None else number(training.seconds),
    }
    lines = [f"- {name}: `{value}`" for name, value in facts.items() if value is not None]
    parts = {
        "network": training.network,
        "preprocessing": training.preprocessing,
        "recipe": training.recipe,
        "environment": training.environment,
    }
    blocks = [
        f"{name.capitalize()}:\n\n```json\n{json.dumps(part, indent=2, ensure_ascii=False)}\n```"
        for name, part in parts.items()
        if part
    ]
    return "\n\n".join(["\n".join(lines), *blocks])
