"""A recipe as the numbers that compiled training goes by; `core.places` says which is where."""

import numpy as np
from numpy.typing import NDArray

from core import measures, places, routines
from core.network import Floats, Network
from core.optimizers import OPTIMIZERS
from core.recipe import Recipe

_MONITORS = {
    "train_loss": (measures.TRAIN_LOSS, 1.0),
    "validation_loss": (measures.VALIDATION_LOSS, 1.0),
    "train_score": (measures.TRAIN_SCORE, -1.0),
    "validation_score": (measures.VALIDATION_SCORE, -1.0),
}


def rules(
    network: Network,
    recipe: Recipe,
    *,
    validated: bool,
    batch: int,
    lowest: int,
    sampled: int,
    parts: int,
) -> NDArray[np.int64]:
    """Addresses of compiled routines, counts and switches.

    validated: whether there are validation rows. batch: rows of a full one. lowest: the first
    layer that learns. sampled: batches of an epoch that are measured. parts: of a step.
    """
    found = np.zeros(places.RULES, np.int64)
    optimizer = OPTIMIZERS[recipe.optimizer]
    normalized = any(layer.batch_norm for layer in network.layers)
    found[places.LOSS_AT] = routines.loss(recipe.loss, recipe.dtype)
    found[places.OPTIMIZER_AT] = routines.optimizer(recipe.optimizer, recipe.dtype)
    if recipe.schedule != "constant":
        found[places.SCHEDULE_AT] = routines.schedule(recipe.schedule)
    found[places.BATCH], found[places.EPOCHS] = batch, recipe.epochs
    found[places.PATIENCE] = recipe.patience or 0
    found[places.START_EPOCH] = recipe.start_epoch
    found[places.MONITOR] = _MONITORS[recipe.monitored(validated)][0]
    found[places.LOWEST] = lowest
    found[places.SAMPLES] = sampled
    found[places.SEARCHES] = optimizer.searches
    found[places.LEARNED] = network.learned_count
    found[places.PARTS] = parts
    found[places.ROW_PARTS] = 1 if normalized else parts
    found[places.UPDATE_PARTS] = parts if optimizer.separable else 1
    return found


def settings(network: Network, recipe: Recipe, *, validated: bool, epoch_steps: int) -> Floats:
    """Strengths, rates and thresholds; 0 is none."""
    found = np.zeros(places.SETTINGS)
    sign = _MONITORS[recipe.monitored(validated)][1]
    found[places.RATE] = recipe.learning_rate
    found[places.WARMUP] = recipe.warmup * epoch_steps
    found[places.L1], found[places.L2] = recipe.l1, recipe.l2
    found[places.DECAY] = recipe.decay
    found[places.CLIP_VALUE] = recipe.clip_value or 0.0
    found[places.CLIP_LAYER] = recipe.clip_layer or 0.0
    found[places.CLIP] = recipe.clip or 0.0
    found[places.MAX_NORM] = recipe.max_norm or 0.0
    found[places.AVERAGE] = recipe.average or 0.0
    found[places.MIN_DELTA] = recipe.min_delta
    found[places.SIGN] = sign
    found[places.TARGET] = -np.inf if recipe.target is None else sign * recipe.target
    found[places.INPUT_DROPOUT] = network.input_dropout
    return found
