"""Where new windows go; without any window."""

from __future__ import annotations

from zsfiji.bridge.ui.places import Box, beside, column

SCREEN = Box(0, 25, 1600, 900)


def placed(size, source, keep=(), spare=()):
    return Box(*beside(size, source, SCREEN, keep, spare), *size)


def test_a_result_lies_right_of_its_source_and_the_next_right_of_that():
    source = Box(100, 100, 400, 420)
    first = placed((400, 420), source)
    assert (first.x, first.y) == (508, 100)
    second = placed((400, 420), source, [first])
    assert (second.x, second.y) == (916, 100)


def test_where_the_right_side_is_full_it_goes_to_the_left_or_below():
    source = Box(1100, 100, 450, 420)
    assert placed((450, 420), source).x == 1100 - 450 - 8
    wide = Box(100, 100, 1400, 300)
    assert placed((1400, 300), wide).y == 408


def test_the_log_is_covered_only_where_there_is_no_other_room():
    source, log = Box(100, 100, 400, 420), Box(600, 300, 300, 200)
    result = placed((400, 420), source, spare=[log])
    assert not result.meets(log)
    assert not result.meets(source)
    everywhere = Box(500, 25, 1100, 900)
    assert not placed((400, 420), source, spare=[everywhere]).meets(source)


def test_without_room_the_windows_lie_in_a_cascade_within_the_screen():
    source = Box(50, 50, 1200, 800)
    first = placed((1200, 800), source)
    second = placed((1200, 800), source, [first])
    corners = {(box.x, box.y) for box in (source, first, second)}
    assert len(corners) == 3
    assert all(SCREEN.holds(box) for box in (first, second))


def test_a_window_larger_than_the_screen_begins_in_its_corner():
    assert beside((2000, 1200), Box(50, 50, 400, 400), SCREEN, []) == (0, 25)


def test_small_windows_stand_in_a_row_from_the_right_edge_and_never_on_one_another():
    found = []
    for _ in range(4):
        place = column((360, 600), SCREEN, found, 24)
        found.append(Box(*place, 360, 600))
    assert found[0].x == 1600 - 360 - 24
    assert all(SCREEN.x <= box.x for box in found)
    assert not any(a.meets(b) for n, a in enumerate(found) for b in found[:n])
    # A fifth has no room of its own, and can still be told from the others.
    fifth = column((360, 600), SCREEN, found, 24)
    assert fifth not in {(box.x, box.y) for box in found}
