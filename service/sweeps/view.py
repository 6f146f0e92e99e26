"""A sweep's row, with its trials, as its answer."""

from sqlalchemy.orm import Session

from service.sweeps import leaderboard, store
from service.sweeps.schemas import SweepProgress, SweepResponse
from service.tables import Job


def view(session: Session, job: Job) -> SweepResponse:
    """A sweep's row as its answer."""
    plan, trials = job.spec["sweep"], store.trials(session, job.id)
    found = leaderboard.ranked(trials, plan)
    rows = leaderboard.candidates(found)
    judging = min((len(trial.losses) // 4 for trial in trials if trial.losses), default=0)
    planned = None if plan["method"] == "halving" else plan["trials"] * plan["repeats"]
    shown = {name: part for name, part in job.spec.items() if name != "sweep"}
    return SweepResponse.model_validate(
        {
            **plan,
            "id": job.id,
            "state": job.state,
            "dataset": job.dataset_id,
            "target": job.spec["target"],
            "task": job.spec["task"],
            "model": job.model,
            "job": shown,
            "progress": SweepProgress(trained=len(trials), planned=planned),
            "answer": leaderboard.answer(rows, plan["question"]),
            "caveats": leaderboard.caveats(rows, plan, judging) if rows else [],
            "leaderboard": rows,
            "warnings": job.warnings,
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "result": job.result,
            "error": job.error,
        }
    )
