"""A certificate claims nothing that the trial did not show."""

import math

import pytest

from service.exports import making, running

NAMES = {"labels": ["10", "9"], "names": ["10", "9"]}
PLAN = {"target": NAMES}
TOLD = [{"label": "10", "probabilities": {"10": 0.75, "9": 0.25}}]


def tried(monkeypatch, answers, told=TOLD):
    runner = running.Runner(lambda: "a test", lambda plan, content, rows: answers)
    monkeypatch.setitem(making.RUNNERS, "c", runner)
    return making._tried("c", PLAN, b"", [[1.0]] * len(told), told)


def test_equal_answers_differ_by_nothing_in_whatever_order_they_come(monkeypatch):
    found = tried(monkeypatch, [{"label": "10", "probabilities": {"9": 0.25, "10": 0.75}}])
    assert (found["executed"], found["reason"], found["other_labels"]) == (True, None, 0)
    assert found["largest_absolute_difference"] == 0


def test_differences_are_absolute_and_relative_to_the_model(monkeypatch):
    found = tried(monkeypatch, [{"value": 3.0}, {"value": 10.0}], [{"value": 2.0}, {"value": 10.5}])
    assert found["largest_absolute_difference"] == 1.0
    assert found["largest_relative_difference"] == 0.5


@pytest.mark.parametrize("odd", [math.nan, math.inf, None])
def test_an_answer_that_is_no_number_is_no_agreement(monkeypatch, odd):
    found = tried(monkeypatch, [{"value": 2.0}, {"value": odd}], [{"value": 2.0}, {"value": 1.0}])
    assert found["largest_absolute_difference"] is None
    assert found["largest_relative_difference"] is None
    assert "1 numbers" in found["reason"]


def test_equal_infinities_agree(monkeypatch):
    found = tried(monkeypatch, [{"value": math.inf}], [{"value": math.inf}])
    assert found["largest_absolute_difference"] == 0


def test_a_trial_without_rows_or_answers_is_none(monkeypatch):
    assert not tried(monkeypatch, [], [])["executed"]
    assert not tried(monkeypatch, [])["executed"]


def test_a_row_that_the_header_refuses_is_no_agreement(monkeypatch):
    found = tried(monkeypatch, [running._answer(PLAN, -1, [0.75, 0.25])])
    assert found["largest_absolute_difference"] is None
    assert found["other_labels"] == 1


def test_a_program_that_fails_or_is_missing_is_told():
    with pytest.raises(running.CannotRun, match="status 3"):
        running._program(["sh", "-c", "exit 3"], "")
    with pytest.raises(running.CannotRun, match="not installed"):
        running._needed("no such program")
