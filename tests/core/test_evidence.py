"""What is kept of the judging rows, against counting by hand."""

import json
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from core.evidence import MOST_CLASSES, MOST_POINTS, evidence


def classified(classes, rows=500):
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, rows)
    output = rng.random((rows, classes))
    return truth, output / output.sum(axis=1, keepdims=True)


def test_a_confusion_matrix_is_scikit_learns():
    truth, output = classified(4)

    found = evidence("multiclass", truth, output, "abcd")

    assert found["counts"] == confusion_matrix(truth, output.argmax(axis=1)).tolist()
    assert found["labels"] == list("abcd")
    assert found["others"] == 0


def test_rare_classes_are_summed_up():
    truth = np.repeat(np.arange(30), np.random.default_rng(1).permutation(30) + 50)  # no ties
    _, output = classified(30, len(truth))
    names = [f"class {i}" for i in range(30)]

    found = evidence("multiclass", truth, output, names)

    frequent = {names[i] for i, _ in Counter(truth.tolist()).most_common(MOST_CLASSES - 1)}
    assert set(found["labels"][:-1]) == frequent
    assert found["labels"][-1] == "others"
    assert found["others"] == 30 - len(frequent)
    assert np.sum(found["counts"]) == found["rows"] == len(truth)
    kept = [names.index(label) for label in found["labels"][:-1]]
    full = confusion_matrix(truth, output.argmax(axis=1))
    assert np.array(found["counts"])[:-1, :-1].tolist() == full[np.ix_(kept, kept)].tolist()


@pytest.mark.parametrize("rows", [1, 7, 5000])
def test_residuals_keep_the_ends_and_the_quantiles_of_all(rows):
    rng = np.random.default_rng(rows)
    truth = rng.normal(size=rows)
    predicted = truth + rng.normal(size=rows)

    found = evidence("regression", truth, predicted, None)

    assert len(found["truth"]) == len(found["predicted"]) == min(rows, MOST_POINTS)
    assert found["truth"][0] == truth.min()
    assert found["truth"][-1] == truth.max()
    assert found["quantiles"]["0.5"] == pytest.approx(np.median(predicted - truth))
    by_truth = dict(zip(truth, predicted, strict=True))
    assert all(by_truth[t] == p for t, p in zip(found["truth"], found["predicted"], strict=True))
    json.dumps(found, allow_nan=False)
