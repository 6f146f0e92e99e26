"""A job's training as it happens: a bar and its loss curve on a terminal, plain lines elsewhere."""

import time
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from service.cli.client import Client, Json
from service.cli.plot import plot
from service.cli.report import say

STYLES = ("cyan", "magenta")  # train, validation
_ROWS = 8
_LABEL = 9
_LONG_WAIT = 2.0
_LINES = 10  # plain lines of a whole run, about


@dataclass
class Run:
    """What is known of a job so far."""

    job: Json
    train: dict[int, float] = field(default_factory=dict)
    validation: dict[int, float] = field(default_factory=dict)
    ended: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs are planned."""
        return int(self.job["progress"]["epochs"])

    @property
    def epoch(self) -> int:
        """The last epoch that was measured."""
        return max(self.train, default=0)

    def take(self, kind: str, data: Json) -> None:
        """Take in one event of the job's stream."""
        if kind == "epoch":
            for point in data["points"]:
                for curve, name in (
                    (self.train, "train_loss"),
                    (self.validation, "validation_loss"),
                ):
                    if point[name] is not None:
                        curve[point["epoch"]] = point[name]
        elif kind == "status":
            self.job = data["job"]
        else:
            self.job, self.ended = data, kind == "done"


def watch(client: Client, job: Json, console: Console) -> Run:
    """Follow a job to its end and show it. Returns the run with the job as it ended."""
    run = Run(job)
    if console.is_terminal and not console.is_dumb_terminal:
        _watch_live(client, run, console)
    else:
        _watch_lines(client, run, console)
    return run


def _watch_live(client: Client, run: Run, console: Console) -> None:
    started = time.monotonic()

    def now() -> RenderableType:
        return picture(run, console, time.monotonic() - started)

    with Live(console=console, get_renderable=now, refresh_per_second=12):
        for kind, data in client.follow(run.job["id"]):
            run.take(kind, data)


def _watch_lines(client: Client, run: Run, console: Console) -> None:
    state, told = "", 0
    for kind, data in client.follow(run.job["id"]):
        run.take(kind, data)
        if kind == "epoch":
            every = max(1, run.epochs // _LINES)
            for epoch in sorted(run.train):
                if epoch > told and (epoch % every == 0 or epoch == run.epochs):
                    told = epoch
                    say(console, f"epoch {epoch}/{run.epochs}  {_losses(run, epoch)}")
        elif run.job["state"] != state:
            state = run.job["state"]
            say(console, f"{run.job['id']} {state}")


def _losses(run: Run, epoch: int) -> str:
    text = f"train loss {run.train[epoch]:.4f}"
    if epoch in run.validation:
        text += f"  validation loss {run.validation[epoch]:.4f}"
    return text


def picture(run: Run, console: Console, seconds: float) -> RenderableType:
    """The run as a terminal shows it: state, bar and, where braille can be shown, the curve."""
    parts: list[RenderableType] = [_bar(run, seconds)]
    if console.encoding.startswith("utf"):
        last = run.epoch if run.ended else run.epochs
        drawn = _curve(run, min(console.width, 110) - _LABEL - 2, last)
        if drawn is not None:
            parts.append(drawn)
    return Group(*parts)


def _bar(run: Run, seconds: float) -> RenderableType:
    progress, state = run.job["progress"], str(run.job["state"])
    if state == "queued" and seconds > _LONG_WAIT:
        return Text(f"queued, waiting for a worker to be ready or free ({seconds:.0f} s)", "bold")
    # Epoch events come more often than job documents do.
    done = max(float(progress["fraction"] or 0.0), run.epoch / max(1, run.epochs))
    line = Table.grid(padding=(0, 2))
    for _ in range(4):
        line.add_column(no_wrap=True)
    bar = ProgressBar(total=1.0, completed=1.0 if state == "succeeded" else done, width=24)
    eta = progress["eta_seconds"]
    ending = f"{seconds:.1f} s" if run.ended or eta is None else f"{eta:.0f} s left"
    style = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}.get(state, "bold")
    line.add_row(Text(state, style=style), bar, f"epoch {run.epoch} of {run.epochs}", ending)
    return line


def _curve(run: Run, width: int, last: int) -> RenderableType | None:
    curves = [run.train, run.validation]
    drawn = plot(curves, width=max(10, width), height=_ROWS, last=max(1, last))
    if drawn is None:
        return None
    lines = [_legend(run)]
    if drawn.logarithmic:
        lines[0].append("(logarithmic)", style="dim")
    for number, row in enumerate(drawn.rows):
        edge = drawn.top if number == 0 else drawn.bottom if number == _ROWS - 1 else None
        label = "" if edge is None else f"{edge:.4g}"
        line = Text(f"{label:>{_LABEL}} {'┤' if label else '│'}", style="dim", no_wrap=True)
        for cell in row:
            line.append(cell.character, style="" if cell.curve is None else STYLES[cell.curve])
        lines.append(line)
    axis = f"{'':>{_LABEL}} └{'─' * len(drawn.rows[0])}"
    ticks = f"{'1':>{_LABEL + 3}}{f'epoch {last}':>{len(drawn.rows[0]) - 1}}"
    return Group(
        *lines, Text(axis, style="dim", no_wrap=True), Text(ticks, style="dim", no_wrap=True)
    )


def _legend(run: Run) -> Text:
    text = Text(f"{'loss':>{_LABEL}}   ", no_wrap=True)
    for name, curve, style in zip(
        ("train", "validation"), (run.train, run.validation), STYLES, strict=True
    ):
        if curve:
            text.append("━ ", style=style).append(f"{name} {curve[max(curve)]:.4g}   ")
    return text
