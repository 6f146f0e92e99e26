import itertools
import math

import pytest

from service.cli.plot import Plot, plot

# Unicode 15, chapter 21.1: bit of the code point above U+2800 -> (column, row) of the dot.
BRAILLE = {0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (1, 0), 4: (1, 1), 5: (1, 2), 6: (0, 3), 7: (1, 3)}


def dots(drawn: Plot) -> set[tuple[int, int]]:
    """(x, y) of every dot, y counted from the bottom."""
    height = 4 * len(drawn.rows)
    return {
        (2 * column + BRAILLE[bit][0], height - 1 - (4 * row + BRAILLE[bit][1]))
        for row, cells in enumerate(drawn.rows)
        for column, cell in enumerate(cells)
        for bit in BRAILLE
        if ord(cell.character) - 0x2800 >> bit & 1
    }


def test_a_straight_line_is_the_diagonal():
    drawn = plot([{epoch: float(epoch) for epoch in range(1, 17)}], width=8, height=4, last=16)

    assert drawn is not None
    assert dots(drawn) == {(step, step) for step in range(16)}
    assert (drawn.bottom, drawn.top) == (1.0, 16.0)


def test_a_curve_has_no_gaps_whatever_its_epochs():
    curve = {epoch: 2 + math.sin(epoch) for epoch in range(1, 200, 7)}

    drawn = plot([curve], width=40, height=6, last=200)

    assert drawn is not None
    seen = dots(drawn)
    columns = [sorted(y for x, y in seen if x == column) for column in range(max(seen)[0] + 1)]
    assert all(columns)
    for left, right in itertools.pairwise(columns):
        assert max(right[0] - left[-1], left[0] - right[-1]) <= 1


def test_a_curve_that_is_not_done_leaves_room_for_its_rest():
    drawn = plot([{1: 1.0, 2: 0.5}], width=50, height=3, last=100)

    assert drawn is not None
    assert max(dots(drawn))[0] <= 1


def test_values_that_span_decades_are_drawn_logarithmically():
    drawn = plot([{1: 1.0, 2: 0.1, 3: 0.01}], width=2, height=1, last=3)

    assert drawn is not None
    assert drawn.logarithmic
    heights = dict(dots(drawn))
    assert heights[0] == 3
    assert heights[3] == 0


def test_the_later_curve_colours_a_shared_character():
    drawn = plot([{1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0}], width=1, height=1, last=2)

    assert drawn is not None
    assert drawn.rows[0][0].curve == 1


@pytest.mark.parametrize("curve", [{}, {1: math.nan}, {1: math.inf}])
def test_nothing_finite_is_nothing_to_draw(curve):
    assert plot([curve], width=10, height=4, last=10) is None


def test_one_epoch_of_one_can_be_drawn():
    drawn = plot([{1: 0.7}], width=3, height=2, last=1)

    assert drawn is not None
    assert len(dots(drawn)) == 1
