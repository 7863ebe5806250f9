"""What a reconstruction takes of the patterns that were found."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import structured

from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.report import verdict


@cache
def found() -> Calibration:
    stack = structured.simulate(shape=(64, 72), peak=200, seed=1)
    return calibrate(stack.noisy.numpy(), Given(structured.TRANSFER, 0.065, 0.0))


def changed(angle: int, **values: float | bool) -> Calibration:
    """The same with other numbers of one angle."""
    record = found().record
    for name, value in values.items():
        rows = list(getattr(record, name))
        rows[angle] = (value,)
        record = replace(record, **{name: tuple(rows)})
    return Calibration(record)


def test_the_reach_is_that_of_the_filter() -> None:
    for one in (found(), changed(1, found=False), changed(0, modulation=0.05)):
        wiener = Wiener(one.used, (64, 72), one.transfer)
        assert one.reach == pytest.approx(wiener.reach, rel=1e-6)
    assert changed(1, found=False).reach != pytest.approx(found().reach, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "words", "usable"),
    [
        ({"modulation": 0.7, "modulation_error": 0.1}, "good", True),
        ({"modulation": 0.2, "modulation_error": 0.05}, "weak", True),
        ({"modulation": 0.05, "modulation_error": 0.01}, "too weak, not used", False),
        ({"modulation": 0.5, "modulation_error": 0.3}, "uncertain, not used", False),
        ({"modulation": 0.5, "modulation_error": -1.0}, "uncertain, not used", False),
        ({"found": False}, "not found", False),
    ],
)
def test_the_verdict_says_what_is_used(values: dict[str, float], words: str, usable: bool) -> None:
    one = changed(2, **values)
    assert verdict(one.waves[2][0]) == words
    assert one.usable[2] == [usable]
    assert bool(one.used.modulation[2, 0] > 0) == usable
