"""How a network learned: its curves, and what they say of the gradient on its way back."""

from collections.abc import Sequence

from service.models.card import Card
from service.models.report.charts import Axis, Line, curves, saturation
from service.models.report.words import escape, number, percent, word
from service.tables import Json

MOST_LAYERS = 6  # lines that an eye can tell apart
VANISHED, WEAK, GROWN = 0.01, 0.1, 10.0
MOSTLY = 0.5


def section(card: Card, points: Sequence[Json]) -> str:
    """Loss, score, gradient flow and saturation by epoch."""
    best, stop_reason = card.training.best_epoch, card.training.stop_reason
    score = "R²" if card.task == "regression" else "Accuracy"
    if not points:
        return (
            "<section><h2>How it learned</h2>"
            '<p class="quiet">The learning curve is not on record.</p></section>'
        )
    epochs = [point["epoch"] for point in points]
    drawn = [
        curves("Loss", epochs, _both(points, "loss"), Axis(), best),
        curves(score, epochs, _both(points, "score"), Axis(), best),
        curves("Gradient by layer", epochs, _layers(points, "gradient_norms"),
               Axis(log=True), best),
        saturation(epochs, _layers(points, "saturation"), best),
    ]  # fmt: skip
    ended = f" and then ended, as {escape(word(stop_reason))}" if stop_reason else ""
    where = f" Kept is epoch {best:,}, the best." if best else ""
    learned = f"It learned for {epochs[-1]:,} epochs{ended.lower()}.{where}"
    return (
        f'<section><h2>How it learned</h2><p>{learned}</p><div class="figures">{"".join(drawn)}'
        f"</div><p>{flow(points[-1])}</p></section>"
    )


def _both(points: Sequence[Json], what: str) -> list[Line]:
    lines = [Line("training", [point.get(f"train_{what}") for point in points], 1)]
    judged = [point.get(f"validation_{what}") for point in points]
    if any(value is not None for value in judged):
        lines.append(Line("validation", judged, 2))
    return lines


def _layers(points: Sequence[Json], what: str) -> list[Line]:
    """A line a layer; each has the same colour in every picture."""
    there = len(points[-1].get(what) or ())
    return [
        Line(f"layer {layer + 1}", [_at(point, what, layer) for point in points], hue)
        for hue, layer in enumerate(_chosen(points[-1]), 1)
        if layer < there
    ]


def _chosen(point: Json) -> list[int]:
    """The layers that are drawn: all, or the first, the last and some between."""
    layers = len(point.get("gradient_norms") or ())
    step = max(1.0, (layers - 1) / (MOST_LAYERS - 1))
    return sorted({round(index * step) for index in range(min(layers, MOST_LAYERS))})


def _at(point: Json, what: str, layer: int) -> float | None:
    values = point.get(what) or ()
    return values[layer] if layer < len(values) else None


def flow(last: Json) -> str:
    """What the last epoch's gradients and saturation say."""
    gradients = [value or 0.0 for value in last.get("gradient_norms") or ()]
    shares = [value or 0.0 for value in last.get("saturation") or ()]
    said = []
    if len(gradients) > 1 and gradients[-1] > 0:
        ratio = gradients[0] / gradients[-1]
        said.append(
            f"At the end the first layer's gradient is {number(ratio, 2)} times the last one's: "
            f"it {_on_the_way(ratio)}."
        )
    if shares:
        most = max(shares)
        layer = shares.index(most) + 1
        said.append(f"In layer {layer}, {percent(most)} of the activations are saturated, their "
                    "slope nearly zero")  # fmt: skip
        said[-1] += "; such units learn slowly." if most > MOSTLY else "."
    return " ".join(said)


def _on_the_way(ratio: float) -> str:
    if ratio < VANISHED:
        return "vanishes on the way"
    if ratio < WEAK:
        return "gets weak on the way"
    return "grows on the way" if ratio > GROWN else "comes through"
