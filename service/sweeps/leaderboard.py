"""Trials put together: who is best, how surely, and what that says in words."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.standings import Standing, standings
from service.sweeps.schemas import Band, Candidate, CandidateCurves
from service.sweeps.space import Point
from service.tables import Json, Trial

Group = list[Trial]


def groups(trials: Sequence[Trial]) -> list[Group]:
    """The trials of each candidate, in the order in which they were proposed."""
    found: dict[tuple[int, int], Group] = defaultdict(list)
    for trial in trials:
        found[trial.turn, trial.candidate].append(trial)
    return [sorted(found[place], key=lambda trial: trial.repeat) for place in sorted(found)]


def ranked(trials: Sequence[Trial], plan: Json) -> list[tuple[Group, Standing | None]]:
    """Candidates that all repeats and epochs speak for, best first; then the others."""
    found = groups(trials)
    full = [group for group in found if _is_full(group, plan)]
    places: list[Standing] = []
    if full:
        losses = [[_rows(trial) for trial in group] for group in full]
        places = standings(losses, full[0][0].outcome["judging_share"])
    others = [group for group in found if group not in full]
    return [(full[place.candidate], place) for place in places] + [(one, None) for one in others]


def _is_full(group: Group, plan: Json) -> bool:
    known = all(trial.loss is not None for trial in group)
    return known and len(group) == plan["repeats"] and group[0].share == 1.0


def _rows(trial: Trial) -> NDArray[np.float64]:
    assert trial.losses is not None
    return np.frombuffer(trial.losses, np.float32).astype(np.float64)


def candidates(found: list[tuple[Group, Standing | None]]) -> list[Candidate]:
    """As rows of the leaderboard."""
    return [_candidate(place, group, standing) for place, (group, standing) in enumerate(found, 1)]


def _candidate(place: int, group: Group, standing: Standing | None) -> Candidate:
    first = group[0]
    good = [trial for trial in group if trial.loss is not None]
    mean = float(np.mean([trial.loss for trial in good])) if good else None
    names = good[0].outcome["metrics"] if good else {}
    return Candidate(
        rank=None if standing is None else place,
        name=name_of(first.point),
        point=first.point,
        share=first.share,
        repeats=len(group),
        loss=mean if standing is None else standing.mean,
        low=None if standing is None else standing.low,
        high=None if standing is None else standing.high,
        p_value=None if standing is None else standing.p_value,
        place=None if standing is None else standing.place,
        metrics={
            name: float(np.mean([trial.outcome["metrics"].get(name, np.nan) for trial in good]))
            for name in names
            if all(name in trial.outcome["metrics"] for trial in good)
        },
        parameters=first.outcome.get("parameters"),
        seconds=sum(trial.outcome["seconds"] for trial in group),
        diverged=len(group) - len(good),
    )


def name_of(point: Point) -> str:
    """A point in few words."""
    return ", ".join(_said(path.rsplit("/", 1)[1], value) for path, value in point.items())


def _said(name: str, value: Any) -> str:
    if name == "layers" and isinstance(value, list):
        kinds = list(dict.fromkeys(layer["activation"] for layer in value))
        return f"{' and '.join(kinds)} × {len(value)}"
    if isinstance(value, float):
        return f"{name} {value:.4g}"
    return (
        f"{name} {value['name']}"
        if isinstance(value, dict) and "name" in value
        else (f"{name} {value}")
    )


def answer(rows: list[Candidate], question: str | None) -> str | None:
    """The leaderboard in a sentence or two; None before anything is ranked."""
    standing = [row for row in rows if row.rank is not None]
    if not standing:
        return None
    best, loss = standing[0], f"{standing[0].loss:.4g}"
    text = f"Of {len(standing)} candidates {best.name} is best, with a mean loss of {loss}."
    if question == "activation":
        text = f"For this data {best.name} is best of {len(standing)}: its mean loss is {loss}."
    if len(standing) == 1:
        return text
    close = [row for row in standing[1:] if row.place == "cannot tell"]
    if not close:
        return f"{text} That is more than luck: every other is worse."
    simplest = min(close, key=lambda row: row.parameters or 0)
    others = f"{len(close)} of the others cannot be told from it"
    smaller = (simplest.parameters or 0) < (best.parameters or 0)
    return f"{text} {others}" + (f"; the smallest of them is {simplest.name}." if smaller else ".")


def caveats(rows: list[Candidate], plan: Json, judging: int) -> list[str]:
    """What the leaderboard does not know."""
    said = [
        "The best of many looks better than it is; its own result, from rows it was chosen by, "
        "is an upper bound."
    ]
    if plan["repeats"] == 1:
        said.append("One network each: chance in the first weights and the split is not seen.")
    elif plan["repeats"] < 5:
        said.append(f"{plan['repeats']} seeds tell only large differences apart.")
    if judging < 100:
        said.append(f"Only {judging} rows judge.")
    if plan["question"] == "activation":
        said.append("All had the same learning rate and epochs; each may want its own.")
    if any(row.diverged for row in rows):
        said.append("Some networks diverged; those points have no rank.")
    return said


def curves(found: list[tuple[Group, Standing | None]]) -> list[CandidateCurves]:
    """How each candidate's networks learned."""
    shown = []
    for group, _ in found:
        known = [trial.outcome for trial in group if "curve" in trial.outcome]
        if not known or known[0]["curve"]["validation_loss"][0] is None:
            continue
        shown.append(
            CandidateCurves(
                name=name_of(group[0].point),
                train_loss=_band(known, "train_loss"),
                validation_loss=_band(known, "validation_loss"),
                gradient_norms=np.mean([one["gradient_norms"] for one in known], axis=0).tolist(),
                saturation=np.mean([one["saturation"] for one in known], axis=0).tolist(),
            )
        )
    return shown


def _band(outcomes: list[Json], name: str) -> Band:
    """Over the epochs that all of them have."""
    series = [
        dict(zip(one["curve"]["epochs"], one["curve"][name], strict=True)) for one in outcomes
    ]
    epochs = sorted(set.intersection(*(set(one) for one in series)))
    values = np.array([[one[epoch] for epoch in epochs] for one in series])
    return Band(
        epochs=epochs,
        mean=values.mean(axis=0).tolist(),
        low=values.min(axis=0).tolist(),
        high=values.max(axis=0).tolist(),
    )
