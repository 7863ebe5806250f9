"""ZS-SIM as a method: raw SIM images and single images, models, uncertainty, bad input."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import structured
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.learning.models import Model
from zsfiji.physics.specimens import specimen
from zsfiji.services.sim import group
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate, tuples
from zsfiji.services.sim.given import Given as SimGiven
from zsfiji.services.uncertainty import with_uncertainty
from zsfiji.services.zs_sim import fit, stopping, views
from zsfiji.services.zs_sim.reconstruct import Filtering, OfPatterns
from zsfiji.services.zs_sim.restorer import Restorer
from zsfiji.services.zs_sim.service import METHOD, NAME, RECONSTRUCTION, Given, for_image
from zsfiji.services.zs_sim.settings import Settings

SIM = SimGiven(structured.TRANSFER, 0.065, 0.0)
GIVEN = Given(SIM)
SETTINGS = Settings(quality="quick")
FILTERING = Filtering("classical", 0.17)


@pytest.fixture(autouse=True)
def small_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fourth of the work, enough for images of this size."""
    monkeypatch.setattr(fit, "PATCH", 32)


@cache
def simulated() -> structured.Stack:
    """A raw image of 64 x 64 pixels."""
    return structured.simulate(shape=(64, 64), peak=20.0)


@cache
def raw_image() -> xr.DataArray:
    """The same twice, as two frames of a time-lapse."""
    frames = np.stack([simulated().noisy.numpy()] * 2)
    return as_image(frames, ("t", "ang", "pha", "row", "col"))


@cache
def trained() -> Model[Settings, Restorer]:
    """A network trained on it."""
    return METHOD.fit(raw_image(), SETTINGS, GIVEN, device="cpu")


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's, away from the border."""
    return float(np.corrcoef(one[8:-8, 8:-8].ravel(), other[8:-8, 8:-8].ravel())[0, 1])


def test_a_raw_image_becomes_a_denoised_one_on_half_the_pixel_size() -> None:
    restored = METHOD.apply(trained(), raw_image(), device="cpu")
    assert list(restored.images) == [RECONSTRUCTION, NAME]
    result, before = restored.images[NAME], restored.images[RECONSTRUCTION]
    assert result.dims == ("t", "row", "col")
    assert result.shape == (2, 128, 128)
    assert np.array_equal(result.data[0], result.data[1])
    assert float(result.mean()) == pytest.approx(float(before.mean()), rel=1e-4)
    truth = simulated().truth.numpy()
    found, noisy = (correlation(image.data[0], truth) for image in (result, before))
    assert found > noisy + 0.01
    assert any("Early stopping" in note for note in restored.report.notes)


def test_a_model_gives_the_same_after_saving_and_its_uncertainty(tmp_path: Path) -> None:
    restored = METHOD.apply(trained(), raw_image(), device="cpu")
    path = models.save(trained(), tmp_path / "model.zsfiji")
    loaded = models.load(path, METHOD)
    again = METHOD.apply(loaded, raw_image(), device="cpu")
    assert np.array_equal(again.image.data, restored.image.data)
    single = raw_image().isel(t=0)
    known = with_uncertainty(
        METHOD, trained(), METHOD.apply(trained(), single), of=NAME, device="cpu"
    )
    deviation = known.images["uncertainty"]
    assert deviation.shape == (128, 128)
    assert float(deviation.min()) > 0


def test_patterns_are_those_of_the_image_that_a_model_is_applied_to() -> None:
    light = replace(structured.patterns(), phases=structured.patterns().phases + 1.0)
    other = structured.simulate(shape=(64, 64), peak=20.0, seed=5, given=light)
    stack = other.noisy.numpy()
    image = as_image(stack, ("ang", "pha", "row", "col"))
    model = for_image(trained(), image, background=0.25)
    result = METHOD.apply(model, image, device="cpu").images[RECONSTRUCTION]
    own = calibrate(stack, replace(SIM, background=0.25))
    filtering = trained().units[0].record.filtering
    wanted = OfPatterns(own, other.noisy, filtering).whole(other.noisy)
    np.testing.assert_allclose(result.data, wanted.numpy(), atol=1e-3)


def test_given_patterns_are_used_and_none_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    own = trained().units[0].calibration
    phases = tuples(own.patterns.phases + 1.0)
    known = Calibration(replace(own.record, phases=phases))
    monkeypatch.setattr(group, "calibrate", None)
    given = Given(replace(SIM, known=(known,)))
    raw = raw_image().isel(t=0)
    wanted = OfPatterns(known, simulated().noisy, FILTERING).whole(simulated().noisy)
    few = replace(SETTINGS, wiener=FILTERING.constant)
    with monkeypatch.context() as brief:
        brief.setitem(fit.STEPS, "quick", 2)
        fitted = METHOD.fit(raw, few, given, device="cpu")
    for model in (fitted, for_image(fitted, raw, (known,))):
        result = METHOD.apply(model, raw, device="cpu").images[RECONSTRUCTION]
        np.testing.assert_allclose(result.data, wanted.numpy(), atol=1e-3)


def test_a_drift_between_the_angles_is_said() -> None:
    still = np.stack([structured.simulate(shape=(64, 64), peak=200.0).noisy.numpy()] * 2)
    moved = still.copy()
    for angle in range(3):
        there = structured.simulate(shape=(64, 64), peak=200.0, moved=(1.2 * angle, 0.0)).noisy
        moved[1, angle] = there[angle].numpy()
    for frames, drifted in ((still, False), (moved, True)):
        image = as_image(frames, ("t", "ang", "pha", "row", "col"))
        notes = METHOD.apply(trained(), image, device="cpu").report.notes
        assert any("moved by 2." in note for note in notes) == drifted


def test_a_single_image_is_denoised() -> None:
    clean = 20 * gaussian_filter(specimen("filaments", (96, 98), seed=2), 1.5).astype(np.float32)
    noisy = np.random.default_rng(1).poisson(clean).astype(np.float32)
    image = as_image(noisy)
    model = METHOD.fit(image, SETTINGS, Given(), device="cpu")
    restored = METHOD.apply(model, image, device="cpu")
    assert list(restored.images) == [NAME]
    error = float(np.square(restored.image.data - clean).mean())
    assert error < 0.5 * float(np.square(noisy - clean).mean())
    assert restored.image.shape == (96, 98)


def test_noise_along_the_rows_is_removed_from_a_scanned_image() -> None:
    clean = 20 * gaussian_filter(specimen("filaments", (96, 96), seed=2), 1.5)
    drawn = np.random.default_rng(1)
    noisy = clean + drawn.normal(size=clean.shape) + 0.7 * drawn.normal(size=(96, 1))
    model = METHOD.fit(as_image(noisy), SETTINGS, Given(), device="cpu")
    record = model.units[0].record
    assert record.pairs == "rows"
    assert record.best > 0
    result = METHOD.apply(model, as_image(noisy), device="cpu").image.data
    assert np.square(result - clean).mean() < 0.7 * np.square(noisy - clean).mean()


def test_a_network_that_does_not_help_leaves_the_image_as_it_is() -> None:
    given = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    network = torch.nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        network.weight.zero_()
        network.bias.zero_()  # type: ignore[union-attr]
    watch = stopping.Watch(network, network, [(given, given + 1)], 1000)
    assert not watch(100)
    assert watch(900)
    assert watch.best == 0
    restorer = replace(trained().units[0], record=replace(trained().units[0].record, best=0))
    part = raw_image().data[0]
    whole, denoised, _ = restorer.restore(part, torch.device("cpu"))
    assert np.array_equal(whole, denoised)


def test_the_best_weights_are_kept() -> None:
    source = torch.Generator().manual_seed(1)
    clean = torch.sin(torch.arange(64.0))[None].expand(64, 64)
    given, target = (clean + torch.randn(64, 64, generator=source) for _ in range(2))
    network = torch.nn.Conv2d(1, 1, (9, 1), padding=(4, 0), bias=False)

    def weigh(value: torch.Tensor) -> None:
        with torch.no_grad():
            network.weight.copy_(value.reshape(network.weight.shape))

    watch = stopping.Watch(network, network, [(given, target)], 1000)
    good = torch.full((9,), 1 / 18)  # the mean of a column, at half the scale
    for step, value in ((10, torch.eye(9)[4]), (20, good), (30, torch.eye(9)[0])):
        weigh(value)
        watch(step)
    watch.take_best()
    assert watch.best == 20
    assert torch.allclose(network.weight.flatten(), good)
    assert watch.slope == pytest.approx(2.0, abs=0.4)


def test_the_constant_of_the_filter_follows_the_noise() -> None:
    found = []
    for peak in (5.0, 500.0):
        stack = structured.simulate(shape=(64, 64), peak=peak).noisy.numpy()
        camera = fit.measure_for_training(list(stack.reshape(9, 64, 64)), GIVEN.camera)[0]
        calibration = calibrate(stack, SIM)
        device = torch.device("cpu")
        found.append(fit.wiener_constant(stack, camera, calibration, 0, device))
    assert found[0] > 2 * found[1]


def test_examples_have_the_mean_of_the_image() -> None:
    unit = trained().units[0]
    camera = fit.measure_for_training([simulated().noisy[0, 0].numpy()], GIVEN.camera)[0]
    made = fit.make_examples(
        [simulated().noisy.numpy()],
        camera,
        unit.calibration,
        FILTERING,
        0,
        torch.device("cpu"),
        views.PAIRS,
    )
    assert made.views.shape == (1, 4, 128, 128)
    whole = made.shown.mean()
    assert made.views.mean((-2, -1)).sub(whole).abs().max() < 0.02
    for pair in made.trials:
        assert torch.stack(pair).mean() == pytest.approx(float(whole), abs=0.02)


@pytest.mark.parametrize(
    ("image", "given", "message"),
    [
        (as_image(np.random.default_rng(0).random((64, 64))), GIVEN, "no patterns"),
        (as_image(np.random.default_rng(0).random((16, 16))), Given(), "at least 32 x 32"),
        (as_image(np.ones((64, 64))), Given(), "same value"),
    ],
)
def test_what_does_not_serve_is_refused(image: xr.DataArray, given: Given, message: str) -> None:
    with pytest.raises(UserError, match=message):
        METHOD.fit(image, SETTINGS, given, device="cpu")


def test_an_image_with_other_channels_than_the_model_is_refused() -> None:
    image = raw_image().isel(t=0).expand_dims(ch=2, axis=-1)
    with pytest.raises(UserError, match="channel"):
        METHOD.apply(trained(), image, device="cpu")
