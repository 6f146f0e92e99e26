"""What PyTorch makes of the same beginnings: run with an interpreter that has torch, as

    python -m tests.oracles.torch_recorder

It needs no more of ours than `tests.oracles.cases`, and writes the fixture beside itself.
"""

from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]

from tests.oracles.cases import CASES, FIXTURE, STEPS, Case, beginning, targets

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


class HardSigmoid(torch.nn.Module):  # type: ignore[misc]
    """torch's own multiplies gradients by a sixth in float32, whatever it was given."""

    def forward(self, z: Any) -> Any:
        """Shapes are kept."""
        return torch.clamp(z / 6 + 0.5, 0.0, 1.0)


ACTIVATIONS: dict[str, Any] = {
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "leaky_relu": lambda: torch.nn.LeakyReLU(0.01),
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "gelu": lambda: torch.nn.GELU(approximate="tanh"),
    "silu": torch.nn.SiLU,
    "softplus": torch.nn.Softplus,
    "softsign": torch.nn.Softsign,
    "hard_sigmoid": HardSigmoid,
    "identity": torch.nn.Identity,
}


def measure(case: Case, z: Any, t: Any) -> Any:
    """The loss of a batch, as torch has it; pinball and focal losses by their definitions."""
    f = torch.nn.functional
    if case.loss == "mse":
        return f.mse_loss(z, t)
    if case.loss == "mae":
        return f.l1_loss(z, t)
    if case.loss == "huber":
        return f.huber_loss(z, t, delta=0.7)
    if case.loss == "quantile":
        q, under = torch.tensor([0.2, 0.8]), t - z
        return torch.maximum(q * under, (q - 1) * under).mean()
    if case.loss == "poisson":
        return f.poisson_nll_loss(z, t)
    if case.loss == "binary_cross_entropy":
        return f.binary_cross_entropy_with_logits(z, t)
    if case.loss == "binary_focal":
        cross = f.binary_cross_entropy_with_logits(z, t, reduction="none")
        return ((1 - torch.exp(-cross)) ** 2 * cross).mean()
    labels = t[:, 0].long()
    if case.loss == "categorical_cross_entropy":
        return f.cross_entropy(z, labels, label_smoothing=0.1)
    cross = f.cross_entropy(z, labels, reduction="none")
    return ((1 - torch.exp(-cross)) ** 2 * cross).mean()


def optimizer(case: Case, decayed: list[Any], others: list[Any]) -> Any:
    """torch's, with its rate and, for AdamW, decay on weights alone."""
    groups, rate = [{"params": decayed}, {"params": others, "weight_decay": 0.0}], case.rate
    made = {
        "sgd": lambda: torch.optim.SGD(groups, rate, momentum=0.9),
        "momentum": lambda: torch.optim.SGD(groups, rate, momentum=0.9),
        "nesterov": lambda: torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop(groups, rate, alpha=0.99),
        "adagrad": lambda: torch.optim.Adagrad(groups, rate, eps=1e-8),
        "adam": lambda: torch.optim.Adam(groups, rate),
        "adamw": lambda: torch.optim.AdamW(groups, rate, weight_decay=0.01),
        "nadam": lambda: torch.optim.NAdam(groups, rate),
        "lbfgs": lambda: torch.optim.LBFGS(
            decayed + others, rate, max_iter=1, history_size=10, tolerance_grad=0,
            tolerance_change=0,
        ),
    }  # fmt: skip
    return made[case.optimizer]()


def schedule(case: Case, taken: Any) -> tuple[Any, str]:
    """torch's scheduler and whether it goes by step or epoch; the whole run is STEPS steps."""
    kinds = torch.optim.lr_scheduler
    if case.schedule == "step":
        return kinds.StepLR(taken, step_size=2, gamma=0.5), "epoch"
    if case.schedule == "exponential":
        return kinds.ExponentialLR(taken, gamma=0.9), "epoch"
    if case.schedule == "cosine":
        return kinds.CosineAnnealingWarmRestarts(taken, T_0=10, T_mult=2), "step"
    if case.schedule == "one_cycle":
        cycle = {"total_steps": STEPS, "cycle_momentum": False}
        return kinds.OneCycleLR(taken, max_lr=case.rate, **cycle), "step"
    if case.schedule == "inverse_scaling":
        return kinds.LambdaLR(taken, lambda t: (t + 1) ** -0.5), "step"
    if case.schedule == "reduce_on_plateau":
        plateau = {"factor": 0.5, "patience": 1, "threshold": 0.02, "threshold_mode": "abs"}
        return kinds.ReduceLROnPlateau(taken, **plateau), "plateau"
    return None, "never"


def record(case: Case) -> np.ndarray:
    """All parameters after STEPS steps, in our order: W b [γ] of each layer, then μ σ²."""
    begun, batches = beginning(case)
    linears, norms, modules = [], [], []
    for layer, (weights, biases) in enumerate(begun):
        last = layer == len(begun) - 1
        normed = case.batch_norm and not last
        linear = torch.nn.Linear(*weights.shape, bias=not normed)
        linear.weight.data = torch.tensor(weights.T.copy())
        norm = torch.nn.BatchNorm1d(weights.shape[1]) if normed else None
        (norm if norm is not None else linear).bias.data = torch.tensor(biases.copy())
        linears.append(linear)
        norms.append(norm)
        modules += [linear, *([norm] if norm is not None else [])]
        modules += [] if last else [ACTIVATIONS[case.activation]()]
    model = torch.nn.Sequential(*modules)
    decayed = [linear.weight for linear in linears]
    names = {id(parameter) for parameter in decayed}
    others = [parameter for parameter in model.parameters() if id(parameter) not in names]
    taken = optimizer(case, decayed, others)
    scheduler, by = schedule(case, taken)
    epoch_loss = 0.0
    for number, (x, y) in enumerate(batches, start=1):
        x, t = torch.tensor(x), torch.tensor(targets(case, y))

        def closure(x: Any = x, t: Any = t) -> Any:
            taken.zero_grad()
            loss = measure(case, model(x), t)
            loss.backward()
            return loss

        epoch_loss += taken.step(closure).item() * len(x)
        if by == "step" or (by == "epoch" and number % case.steps_per_epoch == 0):
            scheduler.step()
        if number % case.steps_per_epoch == 0:
            if by == "plateau":
                scheduler.step(epoch_loss / case.rows)
            epoch_loss = 0.0
    parts = []
    for linear, norm in zip(linears, norms, strict=True):
        parts += [linear.weight.data.numpy().T]
        parts += [linear.bias.data.numpy()] if norm is None else []
        parts += [] if norm is None else [norm.bias.data.numpy(), norm.weight.data.numpy()]
    for norm in norms:
        parts += [] if norm is None else [norm.running_mean.numpy(), norm.running_var.numpy()]
    return np.concatenate([part.ravel() for part in parts])


if __name__ == "__main__":
    np.savez_compressed(FIXTURE, **{case.name: record(case) for case in CASES})
    print(f"{len(CASES)} cases, {FIXTURE.stat().st_size} bytes, torch {torch.__version__}")
