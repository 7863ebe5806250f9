"""Where new windows go: beside one another, so that none covers what the user looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MARGIN = 24
"""Distance in pixels of the windows of jobs to the edge of the screen."""

_GAP = 8
"""Pixels between two windows: they are seen to be two, and images still fit side by side."""

_CASCADE = 28
"""Pixels from one window of a cascade to the next: the height of a title bar, which stays seen."""


class Box(NamedTuple):
    """A rectangle on the screen, in pixels.

    Attributes
    ----------
    x, y : int
        The upper left corner.
    width, height : int
        Its size.
    """

    x: int
    y: int
    width: int
    height: int

    def meets(self, other: Box) -> bool:
        """Whether the two have a pixel in common."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def common(self, other: Box) -> Box:
        """The part that lies in both; of size 0 where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Box(x, y, max(0, right - x), max(0, bottom - y))

    def holds(self, other: Box) -> bool:
        """Whether `other` lies wholly within."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.x + other.width <= self.x + self.width
            and other.y + other.height <= self.y + self.height
        )


def beside(
    size: tuple[int, int], source: Box, screen: Box, keep: Sequence[Box], spare: Sequence[Box] = ()
) -> tuple[int, int]:
    """Find a place for a window beside another one.

    Parameters
    ----------
    size : (int, int)
        Width and height of the window.
    source : Box
        The window that it belongs to.
    screen : Box
        What of the screen can be used.
    keep : sequence of Box
        Windows that must not be covered, such as earlier results.
    spare : sequence of Box
        Windows that are covered only where there is no other room.

    Returns
    -------
    (int, int)
        The upper left corner: next to the source or to another window, as near to the
        source as can be, rather in its row than below or above. Where nothing is free, windows
        lie in a cascade from the source on.
    """
    for others in ([*keep, *spare], list(keep)):
        taken = [source, *others]
        for x, y in _around(size, source, [*keep, *spare]):
            box = Box(x, y, *size)
            if screen.holds(box) and not any(box.meets(other) for other in taken):
                return x, y
    return _cascade(size, source, screen, keep)


def column(
    size: tuple[int, int], screen: Box, taken: Sequence[Box], margin: int
) -> tuple[int, int]:
    """Find a place for a small window at the right edge of the screen.

    Parameters
    ----------
    size : (int, int)
        Width and height of the window, as large as it may become.
    screen : Box
        What of the screen can be used.
    taken : sequence of Box
        The windows of the same kind, as large as they may become.
    margin : int
        Distance to the edge.

    Returns
    -------
    (int, int)
        The upper left corner: at a quarter of the height, further windows left of the first ones;
        in a cascade where the screen is full.
    """
    first = Box(screen.x + screen.width - size[0] - margin, screen.y + screen.height // 4, *size)
    box = first
    while box.x >= screen.x:
        hindered = [other for other in taken if box.meets(other)]
        if not hindered:
            return box.x, box.y
        box = box._replace(x=min(other.x for other in hindered) - size[0] - _GAP)
    return _cascade(size, first._replace(x=first.x - _CASCADE, y=first.y), screen, taken)


def _around(size: tuple[int, int], source: Box, others: Sequence[Box]) -> list[tuple[int, int]]:
    """Places next to the source and to other windows, those near the source first."""
    width, height = size
    found = []
    for box in (source, *others):
        found += [
            (box.x + box.width + _GAP, box.y),
            (box.x - width - _GAP, box.y),
            (box.x, box.y + box.height + _GAP),
            (box.x, box.y - height - _GAP),
        ]
    # In one row with the source they compare best.
    return sorted(found, key=lambda at: abs(at[0] - source.x) + 3 * abs(at[1] - source.y))


def _cascade(
    size: tuple[int, int], source: Box, screen: Box, taken: Sequence[Box]
) -> tuple[int, int]:
    """The next place, down and to the right, in which no window has its corner yet."""
    corners = {(box.x, box.y) for box in taken}
    free_x = max(1, screen.width - size[0] + 1)
    free_y = max(1, screen.height - size[1] + 1)
    x, y = source.x, source.y
    for number in range(1, len(taken) + 2):
        x = screen.x + (source.x - screen.x + number * _CASCADE) % free_x
        y = screen.y + (source.y - screen.y + number * _CASCADE) % free_y
        if (x, y) not in corners:
            break
    return x, y
