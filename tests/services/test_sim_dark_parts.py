"""Stacks of raw SIM images some slices or time points of which have no light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import structured
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.images.parts import PATTERN, positions
from zsfiji.services import over_parts
from zsfiji.services.blind_sim.service import BlindSim
from zsfiji.services.blind_sim.service import Given as BlindGiven
from zsfiji.services.blind_sim.settings import Settings as BlindSettings
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.method import Restored
from zsfiji.services.sim import group, straight
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.service import METHOD, Sim
from zsfiji.services.sim.settings import Settings

OFFSET = 100.0
GIVEN = Given(structured.TRANSFER, 0.065, OFFSET)
NOTE = "There is no light above the background, in one frame at least: "


@cache
def bright() -> np.ndarray:
    return structured.simulate(shape=(48, 56), peak=200, seed=1).noisy.numpy() + OFFSET


@cache
def empty() -> np.ndarray:
    found = np.random.default_rng(2).normal(OFFSET, 3, bright().shape)
    found[0, 1] -= 0.5 + found[0, 1].mean() - OFFSET
    return found


def image(parts: Sequence[np.ndarray], axis: str = "pln") -> xr.DataArray:
    if axis == "t":
        return as_image(np.stack(parts).astype(np.float32), ("t", *PATTERN))
    return as_image(np.stack(parts, 2).astype(np.float32), ("ang", "pha", "pln", "row", "col"))


def reconstructed(raw: xr.DataArray, given: Given = GIVEN, **options: Any) -> Restored:
    method, settings = Sim(("sim",)), Settings(**options)
    return method.apply(method.fit(raw, settings, given, device="cpu"), raw, device="cpu")


@pytest.mark.parametrize("quality", ["automatic", "iterative", "classical"])
def test_an_empty_slice_is_said_and_the_others_are_as_they_are_alone(quality: str) -> None:
    alone = reconstructed(image([bright()]), quality=quality)
    found = reconstructed(image([empty(), bright(), empty()]), quality=quality)
    assert NOTE + "slice 1; slice 3." in " ".join(found.report.notes)
    assert NOTE not in " ".join(alone.report.notes)
    assert np.array_equal(found.images["sim"].data[1], alone.images["sim"].data[0])
    level = float(alone.images["sim"].mean())
    assert np.abs(found.images["sim"].data[[0, 2]].mean((1, 2))).max() < 0.05 * level


def test_many_dark_time_points_are_counted() -> None:
    found = reconstructed(image([bright()] * 7 + [empty()] * 6, "t"), quality="classical")
    names = "; ".join(f"time point {number}" for number in range(8, 13))
    assert f"{NOTE}{names} and 1 more." in " ".join(found.report.notes)


def test_an_automatic_background_is_that_of_the_darkest_slice() -> None:
    """Haze makes the darkest place of the middle slice brighter than all of the others."""
    unknown = Given(structured.TRANSFER, 0.065)
    hazy = bright() + 80
    dim = np.random.default_rng(3).poisson(20, hazy.shape) + OFFSET
    found = reconstructed(image([dim, hazy, dim]), unknown)
    assert found.report.metrics["background"] == pytest.approx(OFFSET + 20, abs=1)
    alone = reconstructed(image([hazy]), unknown)
    assert alone.report.metrics["background"] == group.dark_level(hazy)
    assert alone.report.metrics["background"] > OFFSET + 60


def test_patterns_are_looked_for_in_a_slice_with_light(caplog: pytest.LogCaptureFixture) -> None:
    raw = image([empty(), empty(), empty(), bright()])
    found = reconstructed(raw)
    assert "were looked for in slice 4: there is no light above the background in slice 3" in (
        caplog.text
    )
    alone = reconstructed(image([bright()]))
    assert np.array_equal(found.images["sim"].data[3], alone.images["sim"].data[0])


def test_an_image_without_any_light_is_refused() -> None:
    above = Given(structured.TRANSFER, 0.065, 2000.0)
    with pytest.raises(UserError, match=r"^In slice 2, as elsewhere: Frame 1 of angle 1 has no "):
        reconstructed(image([bright(), bright() + 1]), above)
    with pytest.raises(UserError, match=r"^Frame 1 of angle 1 has no light above the background"):
        reconstructed(image([bright()]), above)
    with pytest.raises(UserError, match=r"^In slice 2: Frame \d of angle 1 has no light"):
        reconstructed(image([bright(), empty()]), fit_per="plane")
    (unit,) = METHOD.fit(image([bright()]), Settings(), GIVEN).units
    known = Given(structured.TRANSFER, 0.065, known=(unit.calibration,))
    with pytest.raises(UserError, match="no light above the background of 100 in all frames"):
        reconstructed(image([empty(), empty() - 1]), known)


def test_networks_learn_from_stacks_with_light() -> None:
    (unit,) = METHOD.fit(image([bright()]), Settings(), GIVEN).units
    raw = image([empty(), bright(), bright() + 1, empty()])
    where = positions(raw, PATTERN)

    def learnt(*numbers: int) -> list[float]:
        chosen = over_parts.Group(0, 1, where, [where[n] for n in numbers])
        return [float(part.mean()) for part in group.lit(raw, chosen, unit.calibration)]

    level = float(bright().mean(dtype=np.float32))
    assert learnt(0, 1, 3) == pytest.approx([level])
    assert learnt(1, 2) == pytest.approx([level, level + 1])
    assert learnt(0) == pytest.approx([level + 1]), "the nearest to the middle"


def test_a_stack_without_light_has_no_drift() -> None:
    (unit,) = METHOD.fit(image([bright()]), Settings(), GIVEN).units
    calibration = unit.calibration
    above = calibration.above(empty())
    same, patterns, drift = straight.straightened(above, calibration.used, calibration.transfer)
    assert same is above
    assert patterns is calibration.used
    assert not drift.lit
    assert not drift.matters


def test_blind_sim_of_an_empty_time_point() -> None:
    settings, given = BlindSettings(iterations=5), BlindGiven(Optics(background=OFFSET))
    method, raw = BlindSim(()), image([bright(), empty(), bright()], "t")
    restored = method.apply(method.fit(raw, settings, given), raw)
    emitter = restored.images["emitter"].data
    assert NOTE + "time point 2." in " ".join(restored.report.notes)
    assert np.array_equal(emitter[0], emitter[2])
    assert float(emitter[1].mean()) < 0.05 * float(emitter[0].mean())


def test_a_part_that_cannot_be_restored_is_named() -> None:
    def one(unit: Any, part: np.ndarray, channel: Any, results: Mapping[str, np.ndarray]) -> None:
        if part.mean() < OFFSET + 1:
            raise UserError("There is nothing.")

    output = over_parts.Output("sim", 2, ("ang", "pha"))
    with pytest.raises(UserError, match=r"^In slice 2: There is nothing\.$"):
        over_parts.apply(
            image([bright(), empty()]), [None], one, (output,), fit_per="channel", part=PATTERN
        )
    with pytest.raises(UserError, match=r"^There is nothing\.$"):
        over_parts.apply(
            image([empty()]).isel(pln=0), [None], one, (output,), fit_per="channel", part=PATTERN
        )
