"""Findings, and what came of their fixes: lines of the job's durable log. Never commits."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.jobs.log import record
from service.jobs.states import FINAL, State
from service.kit.problems import not_found
from service.tables import EpochMetrics, Event, Job, Json

FINDING, APPLIED = "finding", "fix_applied"


def note(session: Session, job_id: str, findings: Sequence[Json]) -> None:
    """Append what the doctor said to the job's log."""
    for finding in findings:
        level = "info" if finding["severity"] == "info" else "warning"
        message = f"{finding['rule'].replace('_', ' ').capitalize()}: {finding['explanation']}"
        record(session, job_id, FINDING, message, level=level, data=finding)


def findings(session: Session, job_id: str) -> list[Json]:
    """What was found, the newest of each rule; with `fixes`, each job that applied it."""
    events = session.execute(
        select(Event.type, Event.data)
        .where(Event.job_id == job_id, Event.type.in_((FINDING, APPLIED)))
        .order_by(Event.id)
    ).all()
    newest: dict[str, Json] = {}
    fixes: dict[str, list[str]] = {}
    for kind, data in events:
        assert data is not None
        if kind == APPLIED:
            fixes.setdefault(data["finding"], []).append(data["job"])
        else:
            newest[data["id"]] = data
    return [
        {**found, "fixes": [outcome(session, job_id, fix) for fix in fixes.get(name, ())]}
        for name, found in newest.items()
    ]


def find(session: Session, job_id: str, finding_id: str) -> Json:
    """One finding. Raises Problem not-found."""
    for found in findings(session, job_id):
        if found["id"] == finding_id:
            return found
    raise not_found("finding")


def applied(session: Session, job_id: str, finding_id: str, fixed: str) -> None:
    """Note that a job was made from the finding's fix."""
    words = finding_id.replace("_", " ")
    data = {"finding": finding_id, "job": fixed}
    record(session, job_id, APPLIED, f"A new job tries the fix for {words}.", data=data)


def outcome(session: Session, job_id: str, fixed_id: str) -> Json:
    """Whether a fix helped: the validation losses of both jobs, where both have ended."""
    fixed = session.get(Job, fixed_id)
    before = kept_loss(session, job_id)
    out: Json = {
        "job": fixed_id,
        "state": None if fixed is None else fixed.state,
        "validation_loss_before": before,
        "validation_loss_after": None,
        "helped": None,
        "summary": "The new job has not ended yet.",
    }
    if fixed is None or fixed.state not in FINAL:
        return out
    after = kept_loss(session, fixed_id)
    out["validation_loss_after"] = after
    if fixed.state == State.CANCELLED:
        out["summary"] = "The new job was cancelled."
    elif fixed.state == State.FAILED:
        out |= {"helped": False, "summary": "The new job failed."}
    elif before is None or after is None:
        failed = _state(session, job_id) == State.FAILED
        out |= {
            "helped": True if failed else None,
            "summary": "It trained to its end, which the job before did not."
            if failed
            else "There are no validation losses to compare.",
        }
    else:
        verb = "fell" if after < before else "did not fall"
        out |= {
            "helped": after < before,
            "summary": f"The validation loss {verb}: {before:.4g} before, {after:.4g} after.",
        }
    return out


def _state(session: Session, job_id: str) -> str | None:
    return session.scalar(select(Job.state).where(Job.id == job_id))


def kept_loss(session: Session, job_id: str) -> float | None:
    """The validation loss of the epoch whose weights a succeeded job kept; None without one."""
    job = session.get(Job, job_id)
    if job is None or job.result is None:
        return None
    point = session.scalar(
        select(EpochMetrics.point).where(
            EpochMetrics.job_id == job_id, EpochMetrics.epoch == job.result["best_epoch"]
        )
    )
    return None if point is None else point["validation_loss"]
