"""Rules over the learning curve."""

import numpy as np

from core.diagnosis.case import Case, Finding, Json, finding, merged, rule

FEWEST = 8  # epochs before a curve says anything
ROUGH = 0.009  # mean rise of the loss over that of guessing; that of good runs is below 0.006
POOR = 0.5  # loss over that of guessing: above, little was learned
_SMALL = 4  # hidden units in the widest layer of a network that can bend little
WELL = {"units": 32, "activation": "tanh"}


@rule
def unstable(case: Case) -> Finding | None:
    """The loss jumps up and down, or leaves the finite numbers: the learning rate is too high."""
    jumps = _roughness(case)
    if not (case.diverged or jumps > ROUGH):
        return None
    if not case.diverged and len(case.points) < FEWEST:
        return None
    rate = case.learning_rate / 10
    if case.diverged or jumps > 5 * ROUGH:
        rate = min(rate, case.usual_rate)
    return finding(
        case,
        "unstable",
        "error" if case.diverged else "warning",
        "The loss jumps from epoch to epoch instead of falling. Steps are longer than the valley "
        "is wide: the learning rate is too high.",
        case.with_rate(rate),
        "The loss falls steadily, and further.",
        curve=("train_loss", case.train),
        roughness=jumps,
        learning_rate=case.learning_rate,
        diverged=case.diverged,
    )


def _roughness(case: Case) -> float:
    """Mean rise of the training loss where it rises, over the loss of guessing; later half."""
    half = case.train[len(case.train) // 2 :]
    if len(half) < 4 or case.profile.baseline <= 0:
        return 0.0
    return float(np.maximum(np.diff(half), 0).mean()) / case.profile.baseline


@rule
def loss_not_decreasing(case: Case) -> Finding | None:
    """The training loss is where it began."""
    if len(case.points) < FEWEST or case.first.loss <= 0:
        return None
    reached = float(np.median(case.train[-max(3, len(case.train) // 5) :]))
    left = reached / min(case.first.loss, max(case.train[0], 1e-12))
    if left < 0.97 or reached < POOR * case.profile.baseline:
        return None
    return finding(
        case,
        "loss_not_decreasing",
        "error",
        "After all these epochs the training loss is where it began. Either the steps are too "
        "short or too long to get anywhere, or no gradient reaches the weights.",
        _moving(case),
        "The loss falls within the first epochs.",
        curve=("train_loss", case.train),
        loss_left=left,
        update_ratio=float(np.median(case.updates)),
    )


def _moving(case: Case) -> Json:
    """Steps of a usual length; another activation where that is not the trouble."""
    if case.learning_rate < case.usual_rate / 10 or case.learning_rate > case.usual_rate * 10:
        return case.with_rate(case.usual_rate)
    return merged(case.with_layers(activation="leaky_relu"), case.with_usual_init(),
                  case.with_rate(case.usual_rate))  # fmt: skip


@rule
def too_slow(case: Case) -> Finding | None:
    """The loss still falls when the epochs are over, by steps that are very short."""
    if case.stop_reason not in ("epochs", "time_budget") or len(case.points) < FEWEST:
        return None
    pace = float(np.median(case.updates))
    fifth = case.train[-max(2, len(case.train) // 5) :]
    falling = (fifth[0] - fifth[-1]) / max(abs(fifth[-1]), 1e-12)
    if pace > 4e-4 or case.train[-1] < 0.1 * case.profile.baseline:
        return None
    rate = max(case.learning_rate * 10, case.usual_rate)
    return finding(
        case,
        "too_slow",
        "warning",
        "Training ended while the loss could still fall, because the weights move by a tiny part "
        "of their size a step. A part in a thousand is usual.",
        case.with_rate(rate),
        "A lower loss in the same number of epochs.",
        curve=("train_loss", case.train),
        update_ratio=pace,
        fall_in_last_fifth=float(falling),
    )


@rule
def loss_plateau(case: Case) -> Finding | None:
    """The loss has stopped falling long before it is good."""
    count = len(case.train)
    if count < 20 or case.diverged:
        return None
    last = case.train[-count // 3 :]
    guessing = max(case.profile.baseline, 1e-12)
    half = len(last) // 2  # of noisy losses the medians
    change = (np.median(last[:half]) - np.median(last[half:])) / guessing
    if abs(change) > 0.01 or np.median(last) < 0.8 * guessing or not _bends(case):
        return None
    return finding(
        case,
        "loss_plateau",
        "warning",
        "The loss has been flat for a third of the run, not far below that of guessing. The "
        "network is stuck where gradients are small, or has nothing to learn from.",
        case.with_live_gradients(),
        "The loss leaves the plateau.",
        curve=("train_loss", case.train),
        loss_over_guessing=float(np.median(last) / guessing),
        change_in_last_third=float(change),
    )


def _bends(case: Case) -> bool:
    """Whether the network could learn more than a straight answer."""
    return any(layer.units > _SMALL for layer in case.network.layers)


@rule
def overfitting(case: Case) -> Finding | None:
    """Validation loss rises while training loss falls."""
    if len(case.validation) < FEWEST or case.diverged:
        return None
    best = int(np.argmin(case.validation))
    tail = max(3, len(case.validation) // 10)
    after, lowest = float(np.median(case.validation[-tail:])), float(case.validation[best])
    learned = float(np.median(case.train[-tail:]))
    guessing = max(case.profile.baseline, 1e-12)
    rises = after - lowest > 0.05 * guessing and after > 1.07 * lowest
    apart = rises and learned < 0.85 * case.train[best]
    by_heart = after > guessing and learned < 0.3 * guessing
    if not apart and not by_heart:
        return None
    training: Json = {"early_stopping": {"patience": 20}}
    training["l2"] = max(1e-2, 3 * float(case.spec["training"].get("l2", 0.0)))
    return finding(
        case,
        "overfitting",
        "warning",
        f"Since epoch {best + 1} the network learns its own rows by heart: their loss falls, that "
        "of other rows rises. It has more freedom than the rows can pin down.",
        {"training": training},
        "A lower validation loss, with a training loss close to it.",
        curve=("validation_loss", case.validation),
        best_epoch=best + 1,
        validation_loss=after,
        lowest_validation_loss=lowest,
        train_loss=learned,
    )


@rule
def underfitting(case: Case) -> Finding | None:
    """A network too small or too restrained for what there is to learn."""
    if not case.ended or case.diverged or len(case.points) < FEWEST:
        return None
    left = float(case.train[-1]) / max(case.profile.baseline, 1e-12)
    l2 = float(case.spec["training"].get("l2", 0.0))
    if left < POOR or (_bends(case) and l2 < 0.02):
        return None
    wide = [{**WELL}, {**WELL}]
    layers = {} if _bends(case) else {"network": {"layers": wide}}
    return finding(
        case,
        "underfitting",
        "warning",
        "The network does badly even on the rows it learns from. It has too few units, or too "
        "strong a penalty on its weights, to follow the data.",
        merged(layers, {"training": {"l2": 0.0}}, case.with_rate(case.usual_rate)),
        "Both training and validation loss fall well below what they are.",
        curve=("train_loss", case.train),
        loss_over_guessing=left,
        parameters=case.network.parameter_count,
        l2=l2,
    )
