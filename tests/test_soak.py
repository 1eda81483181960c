"""What `make soak` makes of the memory that it has seen."""

from scripts.soak.watch import History, slope


def test_slope_is_that_of_the_line_that_fits_best():
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == 2
    assert slope([0, 1, 2], [1, 4, 1]) == 0
    assert slope([1], [1]) == 0


def test_what_is_filled_at_the_beginning_is_no_growth():
    history = History()
    for look in range(90):
        history.add(look * 10, min(look, 60) + 0.01 * max(0, look - 60))

    assert round(history.slope, 1) == 3.6
    assert round(history.growth, 2) == 0.29
