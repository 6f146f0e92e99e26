"""What a finished job and its predictions look like in print."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from service.cli.client import Json
from service.cli.exits import CommandError, ExitCode

_STOPPED = {
    "epochs": "all epochs done",
    "early_stopping": "stopped early",
    "time_budget": "stopped at the time limit",
}


def say(console: Console, line: str) -> None:
    """One plain line; Console would wrap it and turn its tabs into spaces."""
    console.file.write(f"{line}\n")
    console.file.flush()


def settle(job: Json) -> Json:
    """The result of a succeeded job. Raises CommandError for every other end."""
    if job["state"] == "succeeded":
        result: Json = job["result"]
        return result
    if job["state"] == "cancelled":
        raise CommandError(f"The job {job['id']} was cancelled.", ExitCode.FAILED)
    error = job["error"] or {}
    raise CommandError(
        f"The job {job['id']} failed: {error.get('message', 'it left no message')}", ExitCode.FAILED
    )


def print_training(console: Console, job: Json, result: Json, address: str) -> None:
    """The model, its metrics beside the baseline's, and where it answers."""
    say(
        console,
        f"{result['model']} version {result['version']}: "
        f"trained in {result['training_seconds']:.2f} s, "
        f"{_STOPPED.get(result['stop_reason'], result['stop_reason'])}, "
        f"best epoch {result['best_epoch']}, seed {job['seed']}",
    )
    print_metrics(console, job, result)
    say(console, f"Model: {address}")


def print_metrics(console: Console, job: Json, worth: Json) -> None:
    """Each metric with its interval, beside those of linear or logistic regression and of the
    trivial model that always gives the same answer, and whether the network is needed at all.

    worth: a job's result or a model's version. Says which rows they are of: those set aside for
    validation, or those it learned from.
    """
    trivial = "always the mean" if job["task"] == "regression" else "always the majority"
    validation = job["training"]["validation"]
    rows = "training" if not validation else "all" if "folds" in validation else "validation"
    metrics, baseline, linear = worth["metrics"], worth["baseline"], worth["linear"]
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    table = Table(f"on {rows} rows", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("this model", justify="right", style="bold")
    table.add_column("95% interval", justify="right", style="dim")
    table.add_column("linear" if job["task"] == "regression" else "logistic", justify="right")
    table.add_column(trivial, justify="right")
    for name, value in numbers.items():
        others = (linear.get(name), baseline.get(name))
        table.add_row(
            name.replace("_", " "),
            figure(value),
            _between(worth["intervals"].get(name)),
            *("" if other is None else figure(other) for other in others),
        )
    if console.is_terminal:
        console.print(table)
        say(console, f"better than a linear model? {_verdict(worth['better_than_linear'])}")
        return
    for name, value in numbers.items():
        other = baseline.get(name)
        beside = "" if other is None else f"  baseline {figure(other)}"
        say(console, f"{rows} {name} {figure(value)}{beside}")
    say(console, f"better than linear {_verdict(worth['better_than_linear'])}")


def _between(interval: Json | None) -> str:
    return "" if interval is None else f"{figure(interval['low'])} to {figure(interval['high'])}"


def _verdict(comparison: Json | None) -> str:
    if comparison is None:
        return "not compared"
    return f"{comparison['verdict']} (p = {comparison['p_value']:.2g})"


def print_predictions(
    console: Console, predictions: Sequence[Json], *, truth: Sequence[object] = ()
) -> None:
    """One line a row: the answer, how sure, and the truth beside it where it is known.

    Without a terminal: tab-separated, so that `cut` and `awk` can have it.
    """
    table = Table("row", "prediction", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("probability", justify="right")
    if truth:
        table.add_column("truth")
    for index, prediction in enumerate(predictions):
        label, probability = answer(prediction)
        cells = [str(index + 1), label, probability]
        if truth:
            true = "" if truth[index] is None else str(truth[index])
            cells.append(
                true if true == label else f"[yellow]{true}[/]" if console.is_terminal else true
            )
        if console.is_terminal:
            table.add_row(*cells)
        else:
            say(console, "\t".join(cells))
    if console.is_terminal:
        console.print(table)


def answer(prediction: Json) -> tuple[str, str]:
    """The label and its probability, or the value alone."""
    for name in ("values", "labels", "quantiles"):
        if prediction.get(name) is not None:
            return ", ".join(f"{key} {_short(one)}" for key, one in prediction[name].items()), ""
    if prediction.get("value") is not None:
        return f"{prediction['value']:.6g}", ""
    probability = max((prediction.get("probabilities") or {"": 0.0}).values())
    return str(prediction["label"]), f"{probability:.3f}"


def _short(cell: object) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def figure(value: float) -> str:
    """A metric: four decimals, or four digits where it is large."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"
