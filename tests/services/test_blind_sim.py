"""Blind SIM: fit to raw images and bad ones, time-lapses, models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structured
import torch
import torch.nn.functional as F
import xarray as xr
from structured import hexagonal, patterns, simulate

from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.learning.models import Model
from zsfiji.reconstruction.blind import Choice
from zsfiji.services.blind_sim import service, start
from zsfiji.services.blind_sim.restorer import Restorer
from zsfiji.services.blind_sim.service import METHOD, BlindSim, Given
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.zero_shot_sim import settings as zero_shot

DIMS = ("ang", "pha", "row", "col")
QUICK = Settings(iterations=10)
FLAT = Given(Optics(background=0.0))


@cache
def one(seed: int = 4) -> structured.Stack:
    return simulate("reticulum", (64, 80), 200, seed=seed)


def image(stack: object, dims: tuple[str, ...] = DIMS) -> xr.DataArray:
    return as_image(np.asarray(stack, np.float32), dims)


@cache
def model() -> Model[Settings, Restorer]:
    return METHOD.fit(image(one().noisy), QUICK, FLAT)


def notes(stack: object, settings: Settings = QUICK) -> str:
    raw = image(stack)
    return " ".join(METHOD.apply(METHOD.fit(raw, settings, FLAT), raw).report.notes)


def test_the_results_have_their_grids_and_units() -> None:
    raw = image(one().noisy)
    restored = METHOD.apply(model(), raw)
    assert list(restored.images) == list(service.RESULTS)
    emitter, linear = restored.images["emitter"], restored.images["linear"]
    assert emitter.shape == linear.shape == (192, 240)
    assert float(emitter.min()) >= 0
    assert float(emitter.mean()) == pytest.approx(float(raw.mean()), rel=0.05)
    assert restored.images["residual"].shape == (64, 80)
    assert float(restored.images["residual"].mean()) == pytest.approx(1, abs=0.25)
    assert restored.images["illumination"].shape == (3, 3, 192, 240)
    assert float(restored.images["illumination"].mean()) == pytest.approx(1, abs=0.05)
    assert float(restored.images["background"].max()) == 0
    metrics = restored.report.metrics
    assert metrics["cutoff"] == pytest.approx(structured.CUTOFF, rel=0.04)
    assert metrics["iterations"] == 10


def test_a_model_takes_the_patterns_of_the_image_that_it_is_applied_to() -> None:
    light = replace(patterns(), phases=patterns().phases + 1.5)
    other = simulate("reticulum", (64, 80), 200, light, seed=5)
    raw = image(other.noisy)
    own = METHOD.apply(METHOD.fit(raw, QUICK, FLAT), raw).image.data
    served = service.for_image(model(), raw, 0.0)
    as_it_is, adapted = (METHOD.apply(found, raw).image.data for found in (model(), served))
    assert np.std(adapted - own) < 0.25 * np.std(as_it_is - own)


def test_the_background_is_not_that_of_the_image_that_a_model_was_fitted_to() -> None:
    raw = image(one().noisy + 50)
    given, measured = service.for_image(model(), raw, 50.0), service.for_image(model(), raw)
    assert given.units[0].record.found.background == 50
    assert measured.units[0].record.found.background > 25
    light = float(one().noisy.mean())
    assert METHOD.apply(given, raw).image.data.mean() == pytest.approx(light, rel=0.05)


def test_only_what_is_wanted_is_made() -> None:
    assert list(BlindSim(("linear",)).apply(model(), image(one().noisy)).images) == [
        "linear",
        "emitter",
    ]


def test_a_saved_model_gives_the_same_pixels(tmp_path: Path) -> None:
    raw = image(one().noisy)
    path = tmp_path / "blind.zsfiji"
    models.save(model(), path)
    again = METHOD.apply(models.load(path, METHOD), raw)
    np.testing.assert_array_equal(again.image, METHOD.apply(model(), raw).image)


def test_a_time_point_starts_from_the_one_before() -> None:
    frames = np.stack([one().noisy, one().noisy[..., ::1] * 0.98])
    raw = image(frames, ("t", *DIMS))
    told = METHOD.fit(raw, Settings(iterations=40), FLAT)
    alone = METHOD.apply(told, raw.isel(t=1)).image
    np.testing.assert_array_equal(METHOD.apply(told, raw).image.data[1], alone.data)
    # As if they had been counted.
    counted = replace(told, settings=Settings())
    both = METHOD.apply(counted, raw).image
    kept = counted.units[0]
    fitted, _ = kept.restore(frames[0], service.choose("cpu"))
    warm, _ = kept.restore(frames[1], service.choose("cpu"), before=fitted.surroundings)
    assert (fitted.iterations, warm.iterations) == (40, 8)
    corr = np.corrcoef(both.data[1].ravel(), alone.data.ravel())[0, 1]
    assert corr > 0.97


@pytest.mark.parametrize("light", [hexagonal(), patterns(5, 3)])
def test_seven_frames_and_more_serve(light: structured.Patterns) -> None:
    stack = simulate("filaments", (64, 64), 300, light)
    found = METHOD.fit(image(stack.noisy), QUICK, FLAT).units[0]
    for angle, waves in enumerate(found.calibration.waves):
        for wave, got in enumerate(waves):
            true = stack.patterns.wave_vectors[angle, wave].norm()
            assert got.found
            assert got.frequency == pytest.approx(float(true), rel=0.01)


def test_a_known_cutoff_is_used() -> None:
    given = Given(Optics(background=0.0, cutoff=0.35, damping=1.0))
    record = METHOD.fit(image(one().noisy), QUICK, given).units[0].record
    assert record.found.cutoff == 0.35
    assert record.cutoff_error == 0


def test_a_simulated_capture_looks_like_the_image() -> None:
    restored = METHOD.apply(model(), image(one().noisy)).images
    capture = METHOD.simulate(model(), restored, seed=1)
    assert capture.shape == (3, 3, 64, 80)
    residual = capture.data - np.asarray(one().expected)
    noise = math.sqrt(float(one().expected.mean()) + structured.READ**2)
    assert float(residual.std()) == pytest.approx(noise, rel=0.25)


BAD: Mapping[str, tuple[object, str]] = {
    "few": (one().noisy[:2, :3], "at least 7"),
    "flat": (np.full((3, 3, 64, 64), 7.0), "contrast|same|constant"),
    "no pattern": (
        np.random.default_rng(1).poisson(
            np.asarray(one().expected.mean((0, 1))) * np.ones((3, 3, 1, 1))
        ),
        "modulation",
    ),
    "not finite": (np.where(np.arange(80) == 3, np.nan, np.asarray(one().noisy)), "finite|NaN"),
    "dark frame": (np.asarray(one().noisy) * (np.arange(9).reshape(3, 3, 1, 1) != 4), "dark"),
    "other units": (np.asarray(one().noisy) * 1e-9, "has to be between 0.0001 and"),
    "twice": (np.asarray(one().noisy)[:, [0, 1, 1]], "same"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_is_refused_in_words(name: str) -> None:
    stack, words = BAD[name]
    with pytest.raises(UserError, match=words):
        METHOD.fit(image(stack), QUICK, FLAT)


def test_saturated_pixels_are_said() -> None:
    stack = np.asarray(one().noisy)
    assert "saturated" in notes(np.minimum(stack, np.quantile(stack, 0.97)))


def test_bleaching_is_said_and_drift_is_corrected() -> None:
    stack = np.asarray(one().noisy) * np.array([1, 0.8, 0.6]).reshape(3, 1, 1, 1)
    stack[2] = np.roll(stack[2], 2, axis=-1)
    said = notes(stack)
    assert "bleaching" in said
    assert "moved" in said


def test_detail_beyond_linear_sim_is_said() -> None:
    said = notes(one().noisy, Settings(iterations=60))
    assert "beyond what linear SIM passes" in said
    assert "numerical aperture" not in said.replace("Give 'na'", "")
    assert "nan" not in said


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that has learnt for some seconds only."""
    monkeypatch.setitem(zero_shot.STEPS, "quick", 150)


@pytest.mark.usefixtures("brief")
def test_a_network_gives_the_start_where_it_explains_held_counts_better(tmp_path: Path) -> None:
    dim = simulate("filaments", (64, 80), 10, seed=4)
    raw = image(dim.noisy)
    made = METHOD.fit(raw, Settings(), FLAT)
    start = made.units[0].start
    assert start is not None
    assert start.record.iterations < made.units[0].record.iterations
    restored = METHOD.apply(made, raw)
    assert restored.report.metrics["network"] == 1
    assert "A network that learnt from this image gave the start" in " ".join(restored.report.notes)
    path = tmp_path / "blind.zsfiji"
    models.save(made, path)
    again = METHOD.apply(models.load(path, METHOD), raw)
    np.testing.assert_array_equal(again.image, restored.image)
    alone = METHOD.apply(METHOD.fit(raw, Settings(network="none"), FLAT), raw)
    assert alone.report.metrics["network"] == 0
    truth = F.interpolate(dim.truth[None, None], (192, 240), mode="bicubic")[0, 0]
    better, worse = (
        structured.psnr(torch.from_numpy(np.asarray(one.image)), truth) for one in (restored, alone)
    )
    assert better > worse + 1


@pytest.mark.usefixtures("brief")
def test_a_network_is_left_out_where_the_fit_alone_explains_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Which one explains more is tested in the reconstruction.
    def flat(known: object, frames: torch.Tensor, starts: Any, *, seed: int) -> Choice:
        assert len(starts(frames)) == len(start.GRADES)
        return Choice(None, 9, 9)

    monkeypatch.setattr(start.blind, "chosen_start", flat)
    raw = image(one().noisy)
    made = METHOD.fit(raw, Settings(), FLAT)
    restored = METHOD.apply(made, raw)
    assert made.units[0].start is None
    assert restored.report.metrics["iterations"] == 9
    assert "was left out" in " ".join(restored.report.notes)


def test_no_network_is_trained_where_iterations_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "fit_restorer", None)
    assert METHOD.fit(image(one().noisy), QUICK, FLAT).units[0].start is None
    said = notes(one().noisy, Settings(network="none"))
    assert "as many as explain best the 20 % of the light that was kept aside for checking" in said
    assert "left out" not in said
