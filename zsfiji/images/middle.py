"""The middle of a plane, by which large planes are judged."""

from __future__ import annotations

from collections.abc import Sequence


def middle(shape: Sequence[int], edge: int) -> tuple[slice, ...]:
    """Slices of the middle, at most `edge` pixels along each axis of `shape`."""
    return tuple(slice(max(0, (n - edge) // 2), (n + edge) // 2) for n in shape)
