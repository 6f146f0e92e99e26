"""The network and the recipe of a resolved job, as the core wants them."""

from collections.abc import Mapping
from typing import Any

from core.embeddings import Embedding
from core.losses import LOSSES
from core.network import Layer, Network
from core.recipe import Recipe

_SAME = ("epochs", "batch_size", "loss", "l2", "clip")
_LATER = ("l1", "weight_decay", "max_norm", "clip_value", "clip_layer", "average", "histograms")
_STOPPING = ("monitor", "patience", "min_delta", "start_epoch", "restore_best", "target")


def target_names(spec: Mapping[str, Any]) -> list[str]:
    """The columns to predict."""
    return [spec["target"]] if isinstance(spec["target"], str) else list(spec["target"])


def network(
    spec: Mapping[str, Any],
    inputs: int,
    outputs: int,
    embeddings: tuple[Embedding, ...] = (),
) -> Network:
    """The network of a resolved job, between inputs and outputs that its data gave."""
    asked = spec["network"]
    layers = tuple(Layer(**layer) for layer in asked["layers"])
    link = LOSSES[spec["training"]["loss"]].link
    dropout = asked.get("input_dropout", 0.0)
    return Network(inputs, layers, outputs, link, input_dropout=dropout, embeddings=embeddings)


def recipe(spec: Mapping[str, Any]) -> Recipe:
    """The training part of a resolved job. What an older job does not name has its default."""
    training = spec["training"]
    stopping = training["early_stopping"] or {}
    schedule = dict(training.get("schedule") or {"name": "constant"})
    optimizer = dict(training["optimizer"])
    chosen = {name: training[name] for name in _SAME}
    chosen |= {name: training[name] for name in _LATER if name in training}
    chosen |= {name: stopping[name] for name in _STOPPING if name in stopping}
    return Recipe(
        optimizer=optimizer.pop("name"),
        **optimizer,
        schedule=schedule.pop("name"),
        warmup=schedule.pop("warmup", 0.0),
        schedule_options={name: float(value) for name, value in schedule.items()},
        loss_options=loss_options(training.get("loss_options")),
        init=spec["network"].get("init", "auto"),
        dtype=training.get("precision", "float32"),
        seed=spec["seed"],
        **chosen,
    )


def loss_options(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """Those that were chosen, by the names that the core gives them."""
    chosen = {name: value for name, value in (asked or {}).items() if value is not None}
    if "quantile" in chosen:
        chosen["quantiles"] = (chosen.pop("quantile"),)
    elif "quantiles" in chosen:
        chosen["quantiles"] = tuple(chosen["quantiles"])
    return chosen


def quantiles_of(training: Mapping[str, Any]) -> tuple[float, ...]:
    """The quantiles that answers have by level; none where one is asked for as a value."""
    return tuple((training.get("loss_options") or {}).get("quantiles") or ())
