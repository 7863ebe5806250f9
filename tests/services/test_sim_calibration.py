"""What a reconstruction takes of the patterns that were found."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import structured

from zsfiji.images.axes import as_image
from zsfiji.images.parts import PATTERN
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate, tuples
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.report import calibration_report, unused, verdict
from zsfiji.services.simformer.report import lost_said


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


@cache
def several(waves: int) -> Calibration:
    """The calibration of a three-beam or a hexagonal pattern, all waves of which are good."""
    given = structured.patterns(3, 5, 2) if waves == 2 else structured.hexagonal()
    shape = (int(given.angles), waves)
    record = replace(
        found().record,
        wave_vectors=tuples(given.wave_vectors),
        phases=tuples(given.phases),
        modulation=((0.6,) * waves,) * shape[0],
        modulation_error=((0.01,) * waves,) * shape[0],
        significance=((20.0,) * waves,) * shape[0],
        found=((True,) * waves,) * shape[0],
        brightness=tuples(given.brightness),
    )
    return Calibration(record)


@pytest.mark.parametrize(
    ("waves", "lost", "words"),
    [
        (
            3,
            [(0, 1)],
            ["The wave in the direction of 77 degrees cannot be used (it was not found)"],
        ),
        (2, [(0, 1), (1, 1), (2, 1)], ["The fine wave of angle 1, 2, 3 cannot be used (it was"]),
        (2, [(1, 0)], ["The coarse wave of angle 2 cannot be used (it was not found)"]),
        (
            2,
            [(0, 0), (0, 1), (2, 1)],
            ["The pattern of angle 1 cannot be used", "The fine wave of angle 3 cannot be used"],
        ),
        (2, [], []),
        (3, [], []),
    ],
)
def test_each_wave_that_is_not_used_is_said(
    waves: int, lost: list[tuple[int, int]], words: list[str]
) -> None:
    whole = several(waves)
    there = [
        tuple((angle, wave) not in lost for wave in range(waves))
        for angle in range(whole.patterns.angles)
    ]
    one = Calibration(replace(whole.record, found=tuple(there)))
    image = as_image(np.zeros((*one.patterns.phases.shape[::2], 64, 72)), PATTERN)
    said = [n for n in calibration_report([one], image, "channel").notes if "cannot be used" in n]
    assert len(said) == len(words)
    for note, start in zip(said, words, strict=True):
        assert note.startswith(start)
    missing = lost_said(unused(one.patterns, one.usable))
    assert bool(missing) == bool(lost)
