"""A sweep in a job's process: the table is read once, many networks are trained on it side by
side, and what each came to is told as soon as it is known.
"""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from msgspec.structs import replace as replaced

from core.appraisal import judged, row_losses_of
from core.epochs import Epoch
from core.recipe import Recipe
from core.training import Fit
from service.jobs.messages import Advanced, Assignment, Failed, Message, Stopped
from service.jobs.recipe import network, recipe
from service.sweeps.messages import Trial
from service.sweeps.methods import METHODS, WORST, Proposal
from service.sweeps.space import Point, applied
from service.worker.preparing import Data, Prepared, load, prepare

STRETCH = 256  # steps between two looks at the clock
LOOK_SECONDS = 0.05  # between two looks at what is done
MOST_LOSSES = 1_000  # rows whose loss is kept, to compare networks by
MOST_POINTS = 60  # of a curve


class Exploration:
    """Runs a sweep's trials. After `run`, `best` is the job to train and publish, or None."""

    def __init__(self, assignment: Assignment, asked_to_stop: Any) -> None:
        self._assignment = assignment
        self._asked_to_stop = asked_to_stop
        self._spec = {name: part for name, part in assignment.spec.items() if name != "sweep"}
        self._plan = assignment.spec["sweep"]
        self._known = dict(assignment.trials)
        self._until = time.monotonic() + self._plan["seconds"]
        self._halt = Event()
        self._prepared: tuple[str, Prepared] | None = None
        self.best: dict[str, Any] | None = None
        self._is_over = False

    def run(self) -> Iterator[Message]:
        """Trials as they end, and Stopped or Failed where there is no best."""
        paths = Path(self._assignment.dataset_path), Path(self._assignment.validation_path)
        data = load(self._spec, *paths)
        plan = self._plan
        rounds = METHODS[plan["method"]](plan["space"], plan["trials"], plan["seed"])
        with ThreadPoolExecutor(max(1, self._assignment.bounds.threads), "trial") as pool:
            try:
                yield from self._explore(data, rounds, pool)
            finally:
                self._halt.set()

    def _explore(self, data: Data, rounds: Any, pool: ThreadPoolExecutor) -> Iterator[Message]:
        found: list[tuple[float, float, Point]] = []
        number, turn, proposals = 0, 0, next(rounds)
        while proposals:
            tasks = self._tasks(number, turn, proposals)
            yield from self._train(data, tasks, pool)
            if self._asked_to_stop():
                yield Stopped([], 0.0, None)
                return
            losses = self._losses(tasks, len(proposals))
            found += [
                (-proposal.share, loss, proposal.point)
                for proposal, loss in zip(proposals, losses, strict=True)
            ]
            number, turn = number + len(tasks), turn + 1
            try:
                proposals = [] if self._is_over else rounds.send(losses)
            except StopIteration:
                proposals = []
        _, loss, point = min(found, key=lambda one: one[:2])
        if loss == WORST:
            message = "Every network of the sweep diverged. Try lower learning rates."
            yield Failed([], "diverged", message, "/space")
            return
        self.best = applied(self._spec, point)

    def _tasks(self, number: int, turn: int, proposals: list[Proposal]) -> list[Trial]:
        """The trials of a round, those of one repeat, and so of one split, together."""
        count = len(proposals)
        return [
            Trial(number + repeat * count + at, turn, at, repeat, one.point, one.share)
            for repeat in range(self._plan["repeats"])
            for at, one in enumerate(proposals)
        ]

    def _losses(self, tasks: list[Trial], count: int) -> list[float]:
        """The mean of each proposal over its repeats; infinite where one is not known."""
        sums = [0.0] * count
        for task in tasks:
            loss = self._known.get(task.number)
            sums[task.candidate] += WORST if loss is None else loss
        return [total / self._plan["repeats"] for total in sums]

    def _train(self, data: Data, tasks: list[Trial], pool: ThreadPoolExecutor) -> Iterator[Message]:
        """Train what is not known from an earlier run of this sweep."""
        waiting = iter([task for task in tasks if task.number not in self._known])
        running: set[Future[Trial]] = set()
        threads = max(1, self._assignment.bounds.threads)
        while True:
            while len(running) < 2 * threads and (task := next(waiting, None)) is not None:
                if self._must_end():
                    return
                spec = self._spec_of(task)
                running.add(pool.submit(self._try, task, spec, self._prepare(data, spec)))
            if not running:
                return
            done, running = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
            trials = [future.result() for future in done]
            self._known |= {trial.number: trial.loss for trial in trials}
            if trials:
                yield Advanced([], 0.0, 0.0, trials=trials)
            if self._must_end():
                return

    def _must_end(self) -> bool:
        self._is_over = self._is_over or time.monotonic() >= self._until
        return self._is_over or bool(self._asked_to_stop())

    def _spec_of(self, task: Trial) -> dict[str, Any]:
        spec = applied(self._spec, task.point)
        spec["seed"] = (spec["seed"] + task.repeat) % 2**53
        epochs = spec["training"]["epochs"]
        return {**spec, "training": {**spec["training"], "epochs": _part(epochs, task.share)}}

    def _prepare(self, data: Data, spec: Mapping[str, Any]) -> Prepared:
        """The rows as this network takes them; those of the last one where they are the same."""
        sign = json.dumps([spec["seed"], spec["preprocessing"]], sort_keys=True)
        if self._prepared is None or self._prepared[0] != sign:
            own = replace(data, spec=spec)
            self._prepared = sign, prepare(own, own.splits()[0])
        held = self._prepared[1]
        width, embeddings = held.preprocessor.width, held.preprocessor.embeddings
        return replace(held, network=network(spec, width, held.target.outputs, embeddings))

    def _try(self, task: Trial, spec: Mapping[str, Any], prepared: Prepared) -> Trial:
        began = time.monotonic()
        fit, epochs = self._fit(prepared, recipe(spec), spec["training"]["max_seconds"] + began)
        outcome: dict[str, Any] = {
            "epochs": round(fit.position, 3),
            "best_epoch": fit.best_epoch,
            "stop_reason": fit.stop_reason or "time_budget",
            "seconds": round(time.monotonic() - began, 6),
            "parameters": prepared.network.learned_count,
            "judging_share": len(prepared.xv) / len(prepared.x),
            **_flow(epochs),
        }
        if fit.stop_reason == "diverged":
            return replaced(task, outcome=outcome)
        answered = prepared.judged(fit.theta)
        losses = row_losses_of(prepared.target, answered.truth, answered.output)
        outcome["metrics"] = judged(prepared.target, answered)
        weights = answered.weights
        loss = float(np.average(losses, weights=weights))
        step = -(-len(losses) // MOST_LOSSES)
        kept = losses[::step].astype(np.float32).tobytes()
        return replaced(task, loss=loss, outcome=outcome, losses=kept)

    def _fit(self, prepared: Prepared, how: Recipe, until: float) -> tuple[Fit, list[Epoch]]:
        fit, epochs = prepared.fit(how), list[Epoch]()
        while not (fit.done or self._halt.is_set() or time.monotonic() > until):
            epochs += fit.advance(STRETCH)
        return fit, epochs


def _part(epochs: int, share: float) -> int:
    return max(1, round(epochs * share))


def _flow(epochs: list[Epoch]) -> dict[str, Any]:
    """The learning curve, and by layer the mean norm of the gradient and the last saturation."""
    if not epochs:
        return {}
    at = np.unique(np.linspace(0, len(epochs) - 1, MOST_POINTS).round().astype(int))
    some = [epochs[place] for place in at]
    return {
        "curve": {
            "epochs": [one.epoch for one in some],
            "train_loss": [one.train_loss for one in some],
            "validation_loss": [one.validation_loss for one in some],
        },
        "gradient_norms": np.mean([one.gradient_norms for one in epochs], axis=0).tolist(),
        "saturation": list(epochs[-1].saturation),
    }
