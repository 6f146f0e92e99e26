"""Optimisers: how a gradient changes the parameters.

Each comes twice: in NumPy, and as one fused loop over the flat vectors for the compiled kernel.
State of the parameters' shape lives in `slots` (count, parameters), numbers in `memory` (float64).
`hyper` is float64, in the order of HYPER; its first is the learning rate of the step. `t` counts
updates from 1. One entry in OPTIMIZERS is all that a new optimiser takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.network import Floats

HYPER = ("learning_rate", "momentum", "beta1", "beta2", "epsilon", "rho", "momentum_decay")
Update = Callable[[Any, Any, Any, Any, Any, int], None]
HISTORY = 10  # pairs that L-BFGS remembers (torch's example; Nocedal & Wright advise 3 to 20)
MEMORY = 4 + HISTORY


@dataclass(frozen=True)
class Optimizer:
    """An optimiser: the NumPy step and the compiled loop change theta, slots and memory in place.

    hyper: what of HYPER it reads. weight_decay: its default. searches: whether each step is
    shortened until the loss falls enough, for which it needs all rows in one batch. separable:
    whether each parameter changes by itself, so that threads may share them; memory is not used.
    """

    name: str
    slots: int
    step: Update
    loop: Update
    hyper: tuple[str, ...]
    weight_decay: float = 0.0
    searches: bool = False
    separable: bool = True


def _momentum(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    rate, momentum = hyper.astype(theta.dtype)[:2]
    velocity = slots[0]
    velocity[:] = momentum * velocity + gradient
    theta -= rate * velocity


def _momentum_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int) -> None:
    kind = theta.dtype.type
    rate, momentum = kind(hyper[0]), kind(hyper[1])
    velocity = slots[0]
    for i in range(theta.size):
        v = momentum * velocity[i] + gradient[i]
        velocity[i] = v
        theta[i] -= rate * v


def _nesterov(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    """Nesterov (1983), as Sutskever et al. (2013) and torch write it."""
    rate, momentum = hyper.astype(theta.dtype)[:2]
    velocity = slots[0]
    velocity[:] = momentum * velocity + gradient
    theta -= rate * (gradient + momentum * velocity)


def _nesterov_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int) -> None:
    kind = theta.dtype.type
    rate, momentum = kind(hyper[0]), kind(hyper[1])
    velocity = slots[0]
    for i in range(theta.size):
        v = momentum * velocity[i] + gradient[i]
        velocity[i] = v
        theta[i] -= rate * (gradient[i] + momentum * v)


def _rmsprop(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    """Tieleman & Hinton (2012), lecture 6.5."""
    rate, _, _, _, epsilon, rho, _ = hyper.astype(theta.dtype)
    squares = slots[0]
    squares[:] = rho * squares + (1 - rho) * gradient * gradient
    theta -= rate * gradient / (np.sqrt(squares) + epsilon)


def _rmsprop_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int) -> None:
    kind = theta.dtype.type
    rate, epsilon, rho = kind(hyper[0]), kind(hyper[4]), kind(hyper[5])
    rest = kind(1.0) - rho
    squares = slots[0]
    for i in range(theta.size):
        g = gradient[i]
        s = rho * squares[i] + rest * g * g
        squares[i] = s
        theta[i] -= rate * g / (np.sqrt(s) + epsilon)


def _adagrad(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    """Duchi, Hazan & Singer (2011), diagonal form."""
    rate, epsilon = hyper.astype(theta.dtype)[[0, 4]]
    squares = slots[0]
    squares += gradient * gradient
    theta -= rate * gradient / (np.sqrt(squares) + epsilon)


def _adagrad_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int) -> None:
    kind = theta.dtype.type
    rate, epsilon = kind(hyper[0]), kind(hyper[4])
    squares = slots[0]
    for i in range(theta.size):
        g = gradient[i]
        s = squares[i] + g * g
        squares[i] = s
        theta[i] -= rate * g / (np.sqrt(s) + epsilon)


def _adam(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    """Kingma & Ba (2015), algorithm 1, with the bias corrections folded as in section 2."""
    kind = theta.dtype.type
    beta1, beta2, epsilon = hyper.astype(theta.dtype)[2:5]
    first, second = slots
    first[:] = beta1 * first + (1 - beta1) * gradient
    second[:] = beta2 * second + (1 - beta2) * gradient * gradient
    step, root = kind(hyper[0] / (1 - hyper[2] ** t)), kind(1 / np.sqrt(1 - hyper[3] ** t))
    theta -= step * first / (np.sqrt(second) * root + epsilon)


def _adam_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int) -> None:
    kind = theta.dtype.type
    step = kind(hyper[0] / (1.0 - hyper[2] ** t))
    root = kind(1.0 / np.sqrt(1.0 - hyper[3] ** t))
    beta1, beta2, epsilon = kind(hyper[2]), kind(hyper[3]), kind(hyper[4])
    rest1, rest2 = kind(1.0) - beta1, kind(1.0) - beta2
    first, second = slots[0], slots[1]
    for i in range(theta.size):
        g = gradient[i]
        m = beta1 * first[i] + rest1 * g
        v = beta2 * second[i] + rest2 * g * g
        first[i] = m
        second[i] = v
        theta[i] -= step * m / (np.sqrt(v) * root + epsilon)


def _nadam(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    """Dozat (2016), with the momentum schedule of its section 2; memory[0] is the product of μ."""
    kind = theta.dtype.type
    rate, _, beta1, beta2, epsilon, _, decay = hyper
    now, later = (beta1 * (1 - 0.5 * 0.96 ** (at * decay)) for at in (t, t + 1))
    memory[0] = now if t == 1 else memory[0] * now
    first, second = slots
    first[:] = kind(beta1) * first + (1 - kind(beta1)) * gradient
    second[:] = kind(beta2) * second + (1 - kind(beta2)) * gradient * gradient
    scaled = np.sqrt(second) * kind(1 / np.sqrt(1 - beta2**t)) + kind(epsilon)
    theta -= kind(rate * (1 - now) / (1 - memory[0])) * gradient / scaled
    theta -= kind(rate * later / (1 - memory[0] * later)) * first / scaled


def _nadam_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int) -> None:
    kind = theta.dtype.type
    now = hyper[2] * (1.0 - 0.5 * 0.96 ** (t * hyper[6]))
    later = hyper[2] * (1.0 - 0.5 * 0.96 ** ((t + 1) * hyper[6]))
    memory[0] = now if t == 1 else memory[0] * now
    beta1, beta2, epsilon = kind(hyper[2]), kind(hyper[3]), kind(hyper[4])
    rest1, rest2 = kind(1.0) - beta1, kind(1.0) - beta2
    root = kind(1.0 / np.sqrt(1.0 - hyper[3] ** t))
    fresh = kind(hyper[0] * (1.0 - now) / (1.0 - memory[0]))
    kept = kind(hyper[0] * later / (1.0 - memory[0] * later))
    first, second = slots[0], slots[1]
    for i in range(theta.size):
        g = gradient[i]
        m = beta1 * first[i] + rest1 * g
        v = beta2 * second[i] + rest2 * g * g
        first[i] = m
        second[i] = v
        theta[i] -= (fresh * g + kept * m) / (np.sqrt(v) * root + epsilon)


def _lbfgs(
    theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, memory: Floats, t: int
) -> None:
    """Nocedal & Wright (2006), algorithms 7.4 and 7.5.

    slots: the last gradient, the last direction, then HISTORY steps and HISTORY changes of the
    gradient, a ring. memory: pairs known, pairs ever taken, length of the last step; the length
    may have been shortened by the search since.
    """
    old, direction, steps, changes = (
        slots[0],
        slots[1],
        slots[2 : 2 + HISTORY],
        slots[2 + HISTORY :],
    )
    if t > 1:
        step, change = direction * theta.dtype.type(memory[2]), gradient - old
        if float(step @ change) > 1e-10:
            at = int(memory[1]) % HISTORY
            steps[at], changes[at] = step, change
            memory[0], memory[1] = min(HISTORY, memory[0] + 1), memory[1] + 1
    direction[:] = -gradient
    known, taken = int(memory[0]), int(memory[1])
    order = [(taken - 1 - back) % HISTORY for back in range(known)]
    shares = []
    for at in order:
        share = (steps[at] @ direction) / (steps[at] @ changes[at])
        direction -= share * changes[at]
        shares.append(share)
    if known:
        last = order[0]
        direction *= (steps[last] @ changes[last]) / (changes[last] @ changes[last])
    for at, share in zip(reversed(order), reversed(shares), strict=True):
        again = (changes[at] @ direction) / (steps[at] @ changes[at])
        direction += (share - again) * steps[at]
    memory[2] = _first_length(hyper[0], float(np.abs(gradient).sum(dtype=np.float64)), t)
    old[:] = gradient
    theta += theta.dtype.type(memory[2]) * direction


def _first_length(rate: Any, size: Any, t: Any) -> Any:
    """The very first step, down a gradient of unknown scale, is at most 1 long in sum."""
    return rate * min(1.0, 1.0 / max(size, 1e-30)) if t == 1 else rate


def _lbfgs_loop(  # noqa: C901, the loops of one algorithm, as `_lbfgs` has them in lines
    theta: Any, gradient: Any, slots: Any, hyper: Any, memory: Any, t: int
) -> None:
    size, kind = theta.size, theta.dtype.type
    old, direction = slots[0], slots[1]
    if t > 1:
        length, curvature = kind(memory[2]), 0.0
        for i in range(size):
            curvature += length * direction[i] * (gradient[i] - old[i])
        if curvature > 1e-10:
            at = int(memory[1]) % HISTORY
            for i in range(size):
                slots[2 + at, i] = length * direction[i]
                slots[2 + HISTORY + at, i] = gradient[i] - old[i]
            memory[0], memory[1] = min(float(HISTORY), memory[0] + 1.0), memory[1] + 1.0
    total = 0.0
    for i in range(size):
        direction[i] = -gradient[i]
        old[i] = gradient[i]
        total += abs(gradient[i])
    known, taken = int(memory[0]), int(memory[1])
    for back in range(known):
        step = slots[2 + (taken - 1 - back) % HISTORY]
        change = slots[2 + HISTORY + (taken - 1 - back) % HISTORY]
        along, curvature = 0.0, 0.0
        for i in range(size):
            along += step[i] * direction[i]
            curvature += step[i] * change[i]
        memory[4 + back] = along / curvature
        share = kind(memory[4 + back])
        for i in range(size):
            direction[i] -= share * change[i]
    if known > 0:
        step = slots[2 + (taken - 1) % HISTORY]
        change = slots[2 + HISTORY + (taken - 1) % HISTORY]
        curvature, squares = 0.0, 0.0
        for i in range(size):
            curvature += step[i] * change[i]
            squares += change[i] * change[i]
        scale = kind(curvature / squares)
        for i in range(size):
            direction[i] *= scale
    for back in range(known - 1, -1, -1):
        step = slots[2 + (taken - 1 - back) % HISTORY]
        change = slots[2 + HISTORY + (taken - 1 - back) % HISTORY]
        again, curvature = 0.0, 0.0
        for i in range(size):
            again += change[i] * direction[i]
            curvature += step[i] * change[i]
        share = kind(memory[4 + back] - again / curvature)
        for i in range(size):
            direction[i] += share * step[i]
    memory[2] = hyper[0] * min(1.0, 1.0 / max(total, 1e-30)) if t == 1 else hyper[0]
    length = kind(memory[2])
    for i in range(size):
        theta[i] += length * direction[i]


_MOMENTUM = ("learning_rate", "momentum")
_ADAM = ("learning_rate", "beta1", "beta2", "epsilon")
OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("sgd", 1, _momentum, _momentum_loop, _MOMENTUM),
        Optimizer("momentum", 1, _momentum, _momentum_loop, _MOMENTUM),
        Optimizer("nesterov", 1, _nesterov, _nesterov_loop, _MOMENTUM),
        Optimizer("rmsprop", 1, _rmsprop, _rmsprop_loop, ("learning_rate", "rho", "epsilon")),
        Optimizer("adagrad", 1, _adagrad, _adagrad_loop, ("learning_rate", "epsilon")),
        Optimizer("adam", 2, _adam, _adam_loop, _ADAM),
        Optimizer("adamw", 2, _adam, _adam_loop, _ADAM, weight_decay=0.01),
        Optimizer("nadam", 2, _nadam, _nadam_loop, (*_ADAM, "momentum_decay"), separable=False),
        Optimizer(
            "lbfgs",
            2 + 2 * HISTORY,
            _lbfgs,
            _lbfgs_loop,
            ("learning_rate",),
            searches=True,
            separable=False,
        ),
    )
}
