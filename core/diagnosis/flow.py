"""Rules over signals and gradients on their way through the layers."""

import numpy as np

from core.activations import ACTIVATIONS
from core.diagnosis.case import Case, Finding, Json, finding, merged, rule
from core.initializers import AUTO, INITIALIZERS

VANISHED = 3e-3  # first layer's gradient over the last's: four sigmoid layers alone cost 4⁻⁴
EXPLODED = 30.0  # a gradient's norm; with scaled data it is near 1
FLAT = 0.6  # share of activations that pass no gradient
FLAT_AT_FIRST = 0.4
HARM = 0.3  # loss over that of guessing: below, a network may be as sure as it is
DEAD = 0.4  # share of a layer's units
SPREAD = 5.0  # how far initial weights may be from Glorot's or He's, as a factor
_BOUNDED = ("sigmoid", "tanh")


@rule
def vanishing_gradient(case: Case) -> Finding | None:
    """The first layer's gradient is a tiny part of the last's."""
    if len(case.network.layers) < 2 or not case.points:
        return None
    share = _share(case.first.gradients)
    learns = case.now.loss < HARM * case.profile.baseline  # Adam may make up for small gradients
    if learns or not share < VANISHED:
        return None
    return finding(
        case,
        "vanishing_gradient",
        "error" if _share(case.now.gradients) < VANISHED else "warning",
        "The gradient shrinks from layer to layer on its way back, so the first layers hardly "
        "learn. A sigmoid passes at most a quarter of it, and many of them multiply.",
        case.with_live_gradients(),
        "The gradient reaches the first layer, and the loss falls from the first epochs on.",
        layer=int(np.argmin(case.first.gradients)),
        curve=("gradient_norm", case.gradient),
        first_over_last_layer=share,
        after_training=_share(case.now.gradients),
        gradients_by_layer=list(case.first.gradients),
    )


def _share(gradients: tuple[float, ...]) -> float:
    return gradients[0] / gradients[-1] if gradients[-1] > 0 else float("nan")


@rule
def exploding_gradient(case: Case) -> Finding | None:
    """Gradients far larger than scaled data can cause."""
    start = float(np.linalg.norm(case.first.gradients))
    most = max([start, *case.gradient.tolist()])
    if not (most > EXPLODED or not np.isfinite(most)):
        return None
    rate = min(case.learning_rate, case.usual_rate / 5)
    return finding(
        case,
        "exploding_gradient",
        "error",
        "The gradient is so large that single steps throw the weights far away. It grows from "
        "layer to layer where weights or inputs are large.",
        merged({"training": {"clip": 1.0}}, case.with_rate(rate), _scaled(case),
               case.with_usual_init()),
        "Steps keep to a bounded length, and the loss falls without jumps.",
        layer=int(np.argmax(case.first.gradients)),
        curve=("gradient_norm", case.gradient),
        largest_norm=most if np.isfinite(most) else None,
    )  # fmt: skip


def _scaled(case: Case) -> Json:
    if case.spec["preprocessing"].get("scaling") == "none":
        return {"preprocessing": {"scaling": "standardize"}}
    return {}


@rule
def saturated_activation(case: Case) -> Finding | None:
    """Most of a bounded layer's activations lie on their flat ends."""
    layers = [at for at, layer in enumerate(case.network.layers) if layer.activation in _BOUNDED]
    harms = case.now.loss > HARM * case.profile.baseline
    flat = [at for at in layers if (harms and case.now.saturated[at] > FLAT)
            or case.first.saturated[at] > FLAT_AT_FIRST]  # fmt: skip
    if not flat:
        return None
    worst = max(flat, key=lambda at: case.now.saturated[at])
    rate = {} if case.learning_rate <= 2 * case.usual_rate else case.with_rate(case.usual_rate)
    mends = merged(_scaled(case), case.with_usual_init(), rate)
    if not _scaled(case) and not rate and _standard(case):
        mends = merged(case.with_layers(activation="leaky_relu"), mends)
    curve = np.array([point["saturation"][worst] for point in case.points])
    return finding(
        case,
        "saturated_activation",
        "error" if case.now.saturated[worst] > 0.8 else "warning",
        "Most answers of this layer lie where its activation is flat, so next to no gradient "
        "passes. Large inputs, large weights or long steps push them there.",
        mends,
        "Fewer flat activations, and a loss that falls again.",
        layer=worst,
        curve=("saturation", curve),
        saturated_share=case.now.saturated[worst],
        before_training=case.first.saturated[worst],
    )


@rule
def dead_units(case: Case) -> Finding | None:
    """Units that answer no row at all, and so learn nothing any more."""
    found = [at for at, share in enumerate(case.now.dead) if share >= DEAD
             and case.network.layers[at].activation not in _BOUNDED]  # fmt: skip
    if not found:
        return None
    worst = max(found, key=lambda at: case.now.dead[at])
    rate = {} if case.learning_rate <= case.usual_rate else case.with_rate(case.usual_rate)
    return finding(
        case,
        "dead_units",
        "error" if case.now.dead[worst] > 0.8 else "warning",
        "These units give 0 for every row, so their gradient is 0 and they stay dead. A long "
        "step or a negative bias pushed them below 0 for good.",
        merged(case.with_layers(activation="leaky_relu"), rate, case.with_usual_init()),
        "Every unit has a slope and takes part in learning again.",
        layer=worst,
        dead_share=case.now.dead[worst],
        units=case.network.layers[worst].units,
    )


@rule
def poor_initialisation(case: Case) -> Finding | None:
    """Initial weights far from the size that keeps signals alive."""
    factors = _factors(case)
    off = [max(factor, 1 / factor) if factor > 0 else np.inf for factor in factors]
    if max(off) <= SPREAD:
        return None
    worst = int(np.argmax(off))
    return finding(
        case,
        "poor_initialisation",
        "warning",
        "The initial weights of this layer are far from the size that keeps signals and gradients "
        "alive (Glorot 2010, He 2015). Too small and all units do the same, too large and they "
        "saturate.",
        {"network": {"init": "auto"}},
        "Signals keep their size from layer to layer, and learning starts at once.",
        layer=worst,
        size_over_recommended=factors[worst],
    )


def _standard(case: Case) -> bool:
    return all(1 / SPREAD <= factor <= SPREAD for factor in _factors(case))


def _factors(case: Case) -> list[float]:
    """Each layer's initial weights over the root mean square that its activation asks for."""
    skipped = len(case.network.trained) - len(case.network.layers)  # embeddings, folded away
    sizes = case.network.sizes[skipped:]
    factors = []
    for at, name in enumerate(case.network.activations[skipped:]):
        usual = INITIALIZERS[AUTO[ACTIVATIONS[name].init]].variance(sizes[at], sizes[at + 1])
        factors.append(case.first.spread[at] / float(np.sqrt(usual)))
    return factors
