"""Pictures as SVG, drawn here and painted by the page's style, light and dark alike."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.models.report.scales import Scale, linear, logarithmic
from service.models.report.words import escape, number, percent, power

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 22, 30


@dataclass(frozen=True)
class Line:
    """Values over epochs; None leaves a gap. `hue`: 1 to 6."""

    label: str
    values: Sequence[float | None]
    hue: int
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """How the values are drawn and written."""

    shown: Callable[[float], str] = number
    log: bool = False
    floor: float | None = None
    ceiling: float | None = None


def curves(
    title: str, epochs: Sequence[int], lines: Sequence[Line], axis: Axis, mark: int | None
) -> str:
    """Lines over epochs, with a legend, and a mark at one epoch."""
    kept = [
        value
        for line in lines
        for value in line.values
        if value is not None and math.isfinite(value) and (value > 0 or not axis.log)
    ]
    if not kept or not epochs:
        return ""
    across = Scale(epochs[0], max(epochs[-1], epochs[0] + 1), LEFT, WIDTH - RIGHT)
    if axis.log:
        up = logarithmic(kept, HEIGHT - BOTTOM, TOP)
    else:
        up = linear(kept, HEIGHT - BOTTOM, TOP, floor=axis.floor, ceiling=axis.ceiling)
    parts = [_grid(across, up, power if axis.log else axis.shown)]
    if mark is not None and epochs[0] <= mark <= epochs[-1]:
        parts.append(_mark(across.at(mark), f"best epoch, {mark}"))
    parts += [_line(line, epochs, across, up) for line in lines]
    spoken = "; ".join(f"{line.label} ends at {_last(line, axis.shown)}" for line in lines)
    return _figure(title, _legend(lines, axis.shown), "".join(parts), f"{title}: {spoken}")


def _grid(across: Scale, up: Scale, shown: Callable[[float], str]) -> str:
    parts = []
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/><text class="tick end" x="{LEFT - 8}" y="{y + 3.5:.1f}">'
                     f"{escape(shown(tick))}</text>")  # fmt: skip
    for tick in across.ticks():
        if tick != round(tick):
            continue
        parts.append(f'<text class="tick mid" x="{across.at(tick):.1f}" y="{HEIGHT - 14}">'
                     f"{tick:,.0f}</text>")  # fmt: skip
    parts.append(f'<text class="tick mid" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 1}">'
                 "epoch</text>")  # fmt: skip
    return "".join(parts)


def _mark(x: float, label: str) -> str:
    side, place = ("end", x + 4) if x > WIDTH * 0.6 else ("start", x - 4)
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="tick {side}" x="{place:.1f}" y="{TOP - 9}">{escape(label)}</text>'
    )


def _line(line: Line, epochs: Sequence[int], across: Scale, up: Scale) -> str:
    path, pen = [], "M"
    for epoch, value in zip(epochs, line.values, strict=True):
        if value is None or not math.isfinite(value) or (up.log and value <= 0):
            pen = "M"
            continue
        path.append(f"{pen}{across.at(epoch):.1f} {up.at(value):.1f}")
        pen = "L"
    style = f"line h{line.hue}" + (" dashed" if line.dashed else "")
    return f'<path class="{style}" d="{"".join(path)}"/>'


def _last(line: Line, shown: Callable[[float], str]) -> str:
    known = [value for value in line.values if value is not None]
    return shown(known[-1]) if known else "no value"


def _legend(lines: Sequence[Line], shown: Callable[[float], str]) -> str:
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 20 8" aria-hidden="true"><path class="line h{line.hue}'
        f'{" dashed" if line.dashed else ""}" d="M0 4H20"/></svg>{escape(line.label)} '
        f"<b>{escape(_last(line, shown))}</b></li>"
        for line in lines
    )
    return f'<ul class="legend">{items}</ul>'


def _figure(title: str, above: str, content: str, spoken: str, *, width: float = WIDTH,
            height: float = HEIGHT) -> str:  # fmt: skip
    heading = f"<figcaption><h3>{escape(title)}</h3>{above}</figcaption>" if title else ""
    return (
        f'<figure>{heading}<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(spoken)}">{content}</svg></figure>'
    )


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: truth down, answers across; the deeper, the larger the row's share."""
    size = len(labels)
    cell = max(26, min(84, 420 // size))
    left, top = 118, 58
    parts = []
    for row, cells in enumerate(counts):
        whole = sum(cells)
        y = top + row * cell
        parts.append(f'<text class="label end" x="{left - 10}" y="{y + cell / 2 + 4:.1f}">'
                     f"{_cut(labels[row])}</text>")  # fmt: skip
        for column, value in enumerate(cells):
            share = value / whole if whole else 0.0
            parts.append(_cell(left + column * cell, y, cell, share, value, row == column))
    for column, label in enumerate(labels):
        x = left + (column + 0.5) * cell
        if size <= 6:
            parts.append(f'<text class="label mid" x="{x:.1f}" y="{top - 10}">{_cut(label)}</text>')
        else:
            parts.append(f'<text class="label" transform="translate({x + 4:.1f} {top - 8}) '
                         f'rotate(-45)">{_cut(label, 9)}</text>')  # fmt: skip
    parts.append(f'<text class="tick" x="{left}" y="12">what the model says</text>')
    right = sum(counts[i][i] for i in range(size))
    spoken = f"Confusion matrix of {size} classes: {right} of {sum(map(sum, counts))} rows right"
    return _figure("", "", "".join(parts), spoken, width=left + size * cell + 40,
                   height=top + size * cell + 6)  # fmt: skip


def _cell(x: float, y: float, side: float, share: float, value: int, right: bool) -> str:
    kind = "right" if right else "wrong"
    depth = 0 if share == 0 else 1 + min(8, int(share * 9))  # nine steps of the page's style
    text = "" if value == 0 and side < 30 else f"{value:,}"
    return (
        f'<rect class="cell {kind} d{depth}" x="{x + 1:.1f}" y="{y + 1:.1f}" width="{side - 2}" '
        f'height="{side - 2}" rx="4"/><text class="count d{depth}" x="{x + side / 2:.1f}" '
        f'y="{y + side / 2 + 4.5:.1f}">{text}</text>'
    )


def _cut(label: str, most: int = 15) -> str:
    return escape(label if len(label) <= most else label[: most - 1] + "…")


def scatter(truth: Sequence[float], predicted: Sequence[float], name: str) -> str:
    """Truth across, answers up; on the diagonal they agree."""
    both = [*truth, *predicted]
    side = 400
    across = linear(both, LEFT + 8, side - RIGHT)
    up = linear(both, side - BOTTOM - 12, TOP)
    parts = []
    for tick in across.ticks():
        x, y, shown = across.at(tick), up.at(tick), escape(number(tick))
        parts.append(
            f'<line class="grid" x1="{LEFT + 8}" x2="{side - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick end" x="{LEFT}" y="{y + 3.5:.1f}">{shown}</text>'
            f'<text class="tick mid" x="{x:.1f}" y="{side - BOTTOM + 4}">{shown}</text>'
        )
    ends = across.low, across.high
    parts.append(f'<line class="mark" x1="{across.at(ends[0]):.1f}" y1="{up.at(ends[0]):.1f}" '
                 f'x2="{across.at(ends[1]):.1f}" y2="{up.at(ends[1]):.1f}"/>')  # fmt: skip
    parts += [
        f'<circle class="point" cx="{across.at(t):.1f}" cy="{up.at(p):.1f}" r="3"/>'
        for t, p in zip(truth, predicted, strict=True)
    ]
    parts.append(f'<text class="tick mid" x="{side / 2 + 20}" y="{side - 6}">'
                 f"{_cut(name, 40)}, as it was</text>")  # fmt: skip
    parts.append(f'<text class="tick" x="{LEFT + 14}" y="{TOP + 12}">as predicted</text>')
    spoken = f"Prediction against truth for {len(truth)} rows; on the diagonal they agree"
    return _figure("", "", "".join(parts), spoken, width=side, height=side)


def bars(value: float, beside: float | None, shown: Callable[[float], str]) -> str:
    """A metric's bar above that of the simplest answer."""
    largest = max(abs(value), abs(beside or 0.0)) or 1.0
    one = max(1.0, 150 * max(value, 0.0) / largest)
    parts = [f'<rect class="bar ours" x="0" y="2" width="{one:.1f}" height="7" rx="3.5"/>']
    spoken = f"this model {shown(value)}"
    if beside is not None:
        two = max(1.0, 150 * max(beside, 0.0) / largest)
        parts.append(f'<rect class="bar theirs" x="0" y="12" width="{two:.1f}" height="7" '
                     'rx="3.5"/>')  # fmt: skip
        spoken += f", simplest answer {shown(beside)}"
    return (
        f'<svg class="bars" viewBox="0 0 150 21" role="img" aria-label="{escape(spoken)}">'
        f"{''.join(parts)}</svg>"
    )


def saturation(epochs: Sequence[int], lines: Sequence[Line], mark: int | None) -> str:
    """Shares of saturated activations, from nothing to all."""
    return curves("Saturation by layer", epochs, lines, Axis(percent, floor=0.0, ceiling=1.0), mark)
