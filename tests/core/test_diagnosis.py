"""The doctor on a fixed part of its bench: sick by construction, judged blindly."""

import numpy as np
import pytest

from benchmarks.diagnosis import SICKNESSES, examine, healthy, merge
from core.diagnosis import RULES

KINDS = {
    "class_imbalance": "moons",
    "target_outside_output_range": "linear3",
    "leaking_column": "circles",
    "underfitting": "circles",
    "unstable": "friedman",
    "constant_or_id_like_column": "circles",
}
NOT_COMPARED = {"constant_or_id_like_column"}  # too small a difference for one run


def test_every_rule_has_a_sickness_that_it_is_for() -> None:
    assert set(SICKNESSES) == set(RULES)


@pytest.mark.parametrize("kind", ["moons", "circles", "linear3"])
@pytest.mark.parametrize("seed", [50, 51])
def test_healthy_runs_have_no_finding(kind: str, seed: int) -> None:
    found, _ = examine(healthy(kind, seed))
    assert [finding.rule for finding in found] == []


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_sick_are_found_and_mended(rule: str) -> None:
    patient = healthy(KINDS.get(rule, "moons"), 52)
    SICKNESSES[rule](patient, 52)
    found, before = examine(patient)
    (finding,) = [finding for finding in found if finding.rule == rule]
    assert finding.explanation.count(".") >= 2
    assert finding.evidence["numbers"]
    assert (finding.fix is None) is (rule in ("class_imbalance", "too_few_rows"))
    if rule in NOT_COMPARED or finding.fix is None:
        return
    patient.spec = merge(patient.spec, finding.fix)
    _, after = examine(patient)
    assert np.isfinite(after)
    assert after < before
