"""What the numbers of a report say, in a sentence."""

from collections.abc import Mapping, Sequence

from service.models.card import Card
from service.models.report.words import count, date, escape, number, percent


def sentence(card: Card) -> str:
    """What it predicts and how well, as HTML."""
    columns = count(len(card.signature.features), "column")
    what = f"Predicts <b>{escape(card.target)}</b> from {columns}"
    figures = {one.name: one for one in card.figures}
    accuracy, rmse = figures.get("accuracy"), figures.get("rmse")
    if accuracy is not None:
        rows = count(card.judging_rows or 0, "row")
        good = f"right on <b>{percent(accuracy.value)}</b> of {rows} set aside"
        if card.judged_by == "training":
            good = f"right on <b>{percent(accuracy.value)}</b> of the rows it learned from"
        beside = ""
        if accuracy.baseline is not None:
            beside = (
                f", where always saying the most frequent class is right on "
                f"{percent(accuracy.baseline)}"
            )
        return f"{what}: {good}{beside}."
    if rmse is not None and not card.signature.target.targets:
        beside = ""
        if rmse.baseline is not None:
            beside = f", where always saying the mean is off by {number(rmse.baseline)}"
        return f"{what}: off by <b>{number(rmse.value)}</b> as a rule{beside}."
    return f"{what}."


def judged(card: Card) -> str:
    """Which rows the metrics are of."""
    rows = count(card.judging_rows or 0, "row")
    if card.judged_by == "validation":
        return (
            f"On {rows} that were set aside before training. The simplest answer ignores the "
            "columns: it always says the most frequent class, or the mean."
        )
    if card.judged_by == "folds":
        return f"On {rows}, each answered by a network of this recipe that had not learned from it."
    if card.judged_by == "training":
        return f"On the {rows} it learned from: no row was set aside, so these are too good."
    return "Which rows they are of is not on record."


def confused(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """What stands out in a confusion matrix, as HTML."""
    total = sum(map(sum, counts))
    right = sum(counts[i][i] for i in range(len(counts)))
    lines = [f"<p><b>{right:,}</b> of {count(total, 'row')} right.</p>"]
    missed = sorted(
        ((counts[i][j], labels[i], labels[j]) for i in range(len(counts))
         for j in range(len(counts)) if i != j and counts[i][j]),
        key=lambda found: -found[0],
    )  # fmt: skip
    if missed:
        items = "".join(
            f"<li><b>{number:,}</b> × {escape(truth)}, taken for {escape(said)}</li>"
            for number, truth, said in missed[:5]
        )
        lines.append(f"<p>What it confuses most:</p><ul>{items}</ul>")
    recalls = [
        (counts[i][i] / sum(counts[i]), labels[i]) for i in range(len(counts)) if sum(counts[i])
    ]
    if missed and recalls:
        share, label = min(recalls)
        lines.append(f"<p>Hardest is {escape(label)}: {percent(share)} of its rows are found.</p>")
    lines.append('<p class="quiet">Rows of the picture are the truth.</p>')
    return "".join(lines)


def off(quantiles: Mapping[str, float], target: str) -> str:
    """How far predictions are off, as HTML."""
    low, first, middle, third, high = (quantiles[key] for key in sorted(quantiles, key=float))
    lean = "high" if middle > 0 else "low"
    return (
        f"<p>Half of the predictions of {escape(target)} are off by <b>{number(first, 3)}</b> "
        f"to <b>{number(third, 3)}</b>, nine of ten by {number(low, 3)} to {number(high, 3)}.</p>"
        f"<p>In the middle they are {number(abs(middle), 3)} too {lean}.</p>"
        '<p class="quiet">Each point is a row; on the line, prediction and truth agree.</p>'
    )


def repeatable(card: Card) -> str:
    """Whether its training gives the same again, as HTML."""
    if card.verified is not None and card.verified.identical:
        day = date(card.verified.at)
        return (
            f'<span class="better">Verified</span> on {day}: trained again from the same data, '
            "job and seed, every weight came out the same, bit for bit."
        )
    if card.verified is not None:
        return (
            f'<span class="worse">Not repeated</span> on {date(card.verified.at)}: trained again, '
            f"{count(card.verified.differing, 'weight')} came out otherwise."
        )
    if card.imported:
        return "This version was imported; nothing here was measured by this service."
    return (
        "The same data, job, seed and environment give the same file, bit for bit; "
        "the service can be asked to prove it."
    )
