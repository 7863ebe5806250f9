"""``Zero-Shot Denoise...`` as a service: quality, models, shapes, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from zsfiji import progress
from zsfiji.errors import Cancelled, UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.learning.models import Model
from zsfiji.physics.camera.model import NOTHING_KNOWN
from zsfiji.services.denoise import fit, objective, restorer, settings
from zsfiji.services.denoise.service import METHOD
from zsfiji.services.denoise.settings import Settings
from zsfiji.services.method import Restored

PAIRS = Path(__file__).parents[3] / "shared" / "data" / "fmd"


@pytest.fixture(autouse=True)
def one_core() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is only begun: for what does not depend on its success."""
    monkeypatch.setitem(settings.STEPS, "quick", 4)
    monkeypatch.setitem(fit.PIXELS, "quick", 2**12)


def cells(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Expected photons of cells with filaments, 2 to about 80."""
    rng = np.random.default_rng(seed)
    body = gaussian_filter(rng.random((height, width)) ** 20, 10)
    lines = np.abs(gaussian_filter(rng.normal(0, 1, (height, width)), 4))
    lines = np.exp(-((lines / lines.max() * 12) ** 2))
    return 2 + 78 * body / body.max() * (0.4 + 0.6 * lines)


def captured(photons: np.ndarray, seed: int = 1) -> np.ndarray:
    """A camera of gain 2.5, offset 100 and read noise 3."""
    rng = np.random.default_rng(seed)
    image = 2.5 * rng.poisson(photons) + 100 + rng.normal(0, 3, photons.shape)
    return np.rint(image).astype(np.uint16)


def fitted(
    image: xr.DataArray, quality: str = "quick", device: str = "auto", **given: object
) -> Model:
    return METHOD.fit(image, Settings(quality=quality, **given), NOTHING_KNOWN, device=device)


def restored(image: np.ndarray | xr.DataArray, **settings: object) -> Restored:
    image = as_image(image)
    return METHOD.apply(fitted(image, **settings), image)


def grain(shape: tuple[int, int], deviation: float, reach: float = 0.9) -> np.ndarray:
    """Gaussian noise that neighbouring pixels share."""
    noise = gaussian_filter(np.random.default_rng(0).normal(0, 1, shape), reach)
    return deviation * noise / noise.std()


def error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean((np.asarray(image, dtype=float) - truth) ** 2))


def test_it_beats_the_best_gaussian_by_a_margin_and_says_what_it_found() -> None:
    photons = cells(200, 256)
    noisy, truth = captured(photons), 2.5 * photons + 100
    result = restored(noisy)
    sigmas = (0.5, 0.75, 1, 1.25, 1.5, 2, 3)
    best = min(error(gaussian_filter(noisy.astype(float), s), truth) for s in sigmas)
    assert error(result.image, truth) < 0.7 * best
    assert result.image.dtype == np.float32
    assert result.report.metrics["noise_gain"] == pytest.approx(2.5, rel=0.2)
    assert result.report.metrics["noise_white"] == 1
    # The noise is measured 8 % too strong here, and a short training leaves some of it.
    assert result.report.metrics["residual_variance"] == pytest.approx(1, abs=0.35)
    assert result.report.metrics["residual_excess"] < 0.12
    assert any(note.startswith("Noise: standard deviation") for note in result.report.notes)
    assert not any(note.startswith(("Over", "Noise left")) for note in result.report.notes)


def test_noise_that_spreads_over_pixels_is_removed_at_its_own_resolution() -> None:
    truth = 100 + gaussian_filter(200 * cells(200, 200), 3) / 100
    noisy = (truth + grain(truth.shape, 12)).astype(np.float32)
    result = restored(noisy)
    assert result.report.metrics["working_resolution"] > 1
    assert result.report.metrics["noise_white"] == 0
    assert error(result.image, truth) < 0.25 * error(noisy, truth)
    assert error(result.image, truth) < error(restored(noisy, noise_correlation=1).image, truth)


def test_structure_too_fine_for_that_resolution_is_kept() -> None:
    truth = 100 + 2 * cells(200, 200)
    noisy = (truth + grain(truth.shape, 12)).astype(np.float32)
    result = restored(noisy)
    assert result.report.metrics["working_resolution"] == 1
    assert error(result.image, truth) < error(noisy, truth)


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """The files of a noisy capture and of its truth: real ones, or simulated ones of 8 bit.

    The noise of `simulated-white` is that of a point scanner, of `simulated-correlated` that of a
    camera whose pixels were interpolated (correlation of neighbours 0.6). These are trained on for
    a third of the usual steps.
    """
    name: str = request.param
    if not name.startswith("simulated"):
        if not PAIRS.is_dir():
            pytest.skip("the real pairs are not here")
        return PAIRS / "raw" / f"{name}.png", PAIRS / "gt" / f"{name[:-2]}.png"
    from skimage.io import imsave

    monkeypatch.setitem(settings.STEPS, "quick", 50)
    monkeypatch.setitem(fit.PIXELS, "quick", 2**17)
    truth = 10 + 2.2 * cells(144, 160)
    if name == "simulated-white":
        noisy = 2.2 * np.random.default_rng(1).poisson(truth / 2.2)
    else:
        truth = gaussian_filter(truth, 3)
        noisy = truth + grain(truth.shape, 12, reach=0.68)
    files = tmp_path / "raw.png", tmp_path / "gt.png"
    for file, image in zip(files, (noisy, truth), strict=True):
        imsave(file, np.clip(np.rint(image), 0, 255).astype(np.uint8), check_contrast=False)
    return files


@pytest.mark.parametrize(
    ("pair", "least"),
    [
        ("simulated-white", 31.5),
        ("simulated-correlated", 34.5),
        ("Confocal_MICE_1", 37.5),
        ("WideField_BPAE_G_1", 32.5),
    ],
    indirect=["pair"],
)
def test_captures_of_8_bit_come_near_their_truth(pair: tuple[Path, Path], least: float) -> None:
    from skimage.io import imread

    noisy, truth = imread(pair[0]), imread(pair[1]).astype(float)
    result = np.clip(restored(noisy).image.data, 0, 255)
    assert 10 * np.log10(255**2 / error(result, truth)) > least


def test_a_seed_gives_the_same_pixels_and_another_one_others(short: None) -> None:
    noisy = captured(cells(80, 96))
    first, again, other = (restored(noisy, seed=s).image for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_saved_model_gives_the_same_pixels(short: None, tmp_path: Path) -> None:
    image = as_image(captured(cells(80, 96)))
    model = fitted(image)
    path = models.save(model, tmp_path / "model.zsfiji")
    loaded = models.load(path, METHOD)
    assert np.array_equal(METHOD.apply(loaded, image).image, METHOD.apply(model, image).image)
    assert models.digest(loaded) == models.digest(model)


def test_a_model_serves_another_image_of_its_kind() -> None:
    photons = cells(128, 128, seed=5)
    model = fitted(as_image(captured(cells(128, 128))))
    noisy, truth = captured(photons, seed=6), 2.5 * photons + 100
    assert error(METHOD.apply(model, as_image(noisy)).image, truth) < 0.25 * error(noisy, truth)


def test_tiles_give_the_same_as_the_whole(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    image = as_image(captured(cells(150, 170)))
    model = fitted(image)
    whole = METHOD.apply(model, image).image
    monkeypatch.setattr(restorer, "TILE", 64)
    tiled = METHOD.apply(model, image).image
    # In bfloat16 a sum in another order differs by a little of the noise.
    assert np.abs(tiled - whole).max() < 0.5


@pytest.mark.parametrize("fit_per", ["channel", "plane"])
def test_hyperstacks_keep_axes_and_channels_their_own_noise(short: None, fit_per: str) -> None:
    planes = np.stack([captured(cells(48, 56), seed=s) for s in range(8)])
    data = planes.reshape(2, 2, 2, 48, 56).transpose(0, 1, 3, 4, 2).astype(np.float32)
    data[..., 1] = data[..., 1] * 1000 - 5e4
    image = as_image(data, ("t", "pln", "row", "col", "ch"), {"title": "stack"})
    model = fitted(image, fit_per=fit_per)
    units = model.units
    assert len(units) == (8 if fit_per == "plane" else 2)
    assert units[1].noise.floor > 1e4 * units[0].noise.floor
    result = METHOD.apply(model, image)
    assert result.image.shape == image.shape
    assert result.image.dims == image.dims
    means = result.image.mean(("row", "col")).data - data.mean((2, 3))
    assert np.abs(means[..., 0]).max() < 2
    assert np.abs(means[..., 1]).max() < 2000


@pytest.mark.parametrize(("fit_per", "networks"), [("channel", 1), ("plane", 6)])
def test_each_pattern_of_a_raw_sim_image_is_a_plane(
    short: None, fit_per: str, networks: int
) -> None:
    data = np.stack([captured(cells(48, 56), seed=s) for s in range(6)]).reshape(2, 3, 48, 56)
    data = (data * np.arange(1, 7).reshape(2, 3, 1, 1)).astype(np.float32)
    image = as_image(data, ("ang", "pha", "row", "col"), {"title": "raw"})
    model = fitted(image, fit_per=fit_per)
    assert len(model.units) == networks
    result = METHOD.apply(model, image).image
    assert result.dims == image.dims
    np.testing.assert_allclose(result.mean(("row", "col")), image.mean(("row", "col")), rtol=0.02)


def test_scale_and_offset_of_the_unit_do_not_matter(short: None) -> None:
    noisy = captured(cells(64, 72)).astype(np.float32)
    plain = restored(noisy).image.data
    scaled = restored((noisy - 300) / 4096).image.data
    assert np.abs(scaled * 4096 + 300 - plain).max() < 0.05 * plain.std()


@pytest.mark.parametrize("unit", [2.0**-56, 2.0**-22, 2.0**30])
def test_values_of_any_size_give_the_same_pixels(short: None, unit: float) -> None:
    noisy = captured(cells(64, 72)).astype(np.float32)
    plain = restored(noisy).image.data
    np.testing.assert_array_equal(restored(noisy * np.float32(unit)).image.data / unit, plain)


@pytest.mark.parametrize("shape", [(5, 7), (2, 2), (2, 300), (31, 64), (33, 47)])
def test_small_narrow_and_odd_sizes_come_back(short: None, shape: tuple[int, int]) -> None:
    noisy = np.random.default_rng(0).poisson(30, shape).astype(np.uint8)
    result = restored(noisy)
    assert result.image.shape == shape
    assert np.isfinite(result.image).all()
    assert error(result.image, noisy) <= 4 * 30
    if min(shape) < 32:
        assert any("too small" in note or "No noise" in note for note in result.report.notes)


@pytest.mark.parametrize("kind", ["smooth", "mask"])
def test_an_image_without_noise_comes_back_as_it_was(kind: str) -> None:
    rows, cols = np.mgrid[:90, :110]
    image = {
        "smooth": (1e4 * np.sin(rows / 17) * np.cos(cols / 23)).astype(np.float32),
        "mask": (255 * (np.hypot(rows - 45, cols - 50) < 30)).astype(np.uint8),
    }[kind]
    result = restored(image)
    assert np.array_equal(result.image, image)
    assert "No noise was found" in result.report.notes[0]


def test_a_black_surround_stays_black_and_light_is_kept(short: None) -> None:
    photons = cells(120, 160)
    photons[:, :80] = 0
    noisy = np.random.default_rng(0).poisson(photons).astype(np.uint8)
    result = restored(noisy).image.data
    assert np.abs(result[:, :60]).max() < 0.3
    assert result[:, 90:].mean() == pytest.approx(noisy[:, 90:].mean(), rel=0.03)


def test_negative_values_are_values_like_others(short: None) -> None:
    truth = cells(100, 120) - 40
    noisy = (truth + np.random.default_rng(0).normal(0, 6, truth.shape)).astype(np.float32)
    result = restored(noisy).image.data
    assert result.min() < -20
    assert error(result, truth) < 0.4 * error(noisy, truth)


def test_saturation_and_defects_are_told(short: None) -> None:
    noisy = captured(cells(120, 120))
    noisy = np.minimum(noisy, 200)
    noisy[50, 60] = 0
    notes = " ".join(restored(noisy).report.notes)
    assert "saturated" in notes
    assert "replaced by their neighbours: 1." in notes


def test_defects_do_not_count_in_what_was_removed(short: None) -> None:
    noisy = captured(cells(120, 120))
    noisy[50, 60] = 60_000
    report = restored(noisy).report
    assert report.metrics["defects"] == 1
    assert report.metrics["residual_variance"] < 1.5


def test_the_raw_image_of_a_colour_camera_is_told(short: None) -> None:
    mosaic = np.tile([[1.0, 0.4], [0.6, 1.0]], (32, 32))
    assert "colour camera" in " ".join(restored(captured(cells(64, 64) * mosaic)).report.notes)
    assert "colour camera" not in " ".join(restored(captured(cells(64, 64))).report.notes)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (np.zeros((0, 5), np.float32), "empty"),
        (np.full((40, 40), 7, np.uint8), "same value"),
        (np.ones((1, 1), np.uint8), "1 x 1"),
        (np.arange(50, dtype=np.float32)[:, None], "1 x 50"),
        (np.where(np.eye(40) > 0, np.nan, 1).astype(np.float32), "NaN"),
        (np.where(np.eye(40) > 0, np.inf, 1).astype(np.float32), "infinite"),
        (np.eye(40, dtype=np.float32) * 1e-18, "1.0e-18. It has to be between 1e-15 and 1e"),
        (np.eye(40, dtype=np.float32) * -1e15, "1.0e.15. It has to be between"),
    ],
)
def test_images_that_do_not_serve_are_refused_with_help(image: np.ndarray, text: str) -> None:
    with pytest.raises(UserError, match=text):
        fitted(as_image(image))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"quality": "fine"}, "quick, standard, best"),
        ({"fit_per": "stack"}, "one of channel, plane"),
        ({"noise_correlation": 9}, "from 0 to 4"),
        ({"device": "tpu"}, "cpu"),
    ],
)
def test_settings_that_do_not_exist_are_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(UserError, match=text):
        fitted(as_image(captured(cells(40, 40))), **settings)


def test_a_model_of_other_channels_is_refused(short: None) -> None:
    model = fitted(as_image(captured(cells(40, 40))))
    two = as_image(np.zeros((40, 40, 2), np.uint8), ("row", "col", "ch"))
    with pytest.raises(UserError, match="1 channel and the image has 2"):
        METHOD.apply(model, two)


class Host:
    """A host that stops a job after some reports."""

    def __init__(self, cancel_after: int = 10**9, finish_after: int = 10**9) -> None:
        self.events: list[progress.Event] = []
        self.cancel_after, self.finish_after = cancel_after, finish_after

    def show(self, event: progress.Event) -> None:
        self.events.append(event)

    def cancelled(self) -> bool:
        return len(self.events) >= self.cancel_after

    def finish_now(self) -> bool:
        return len(self.events) >= self.finish_after


def test_progress_rises_with_a_loss_and_a_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.STEPS, "quick", 12)
    monkeypatch.setattr("zsfiji.learning.loop.REPORT_EVERY", 0)
    host = Host()
    with progress.using(host):
        restored(captured(cells(64, 80)))
    fractions = [event.fraction for event in host.events]
    previews = [event.preview for event in host.events if event.preview is not None]
    assert any(event.loss is not None for event in host.events)
    assert previews[-1]().shape == (64, 80)
    assert max(fractions) == 1
    assert {"Measuring the noise", "Training", "Denoising"} <= {e.message for e in host.events}


def test_cancel_keeps_nothing_and_finish_now_keeps_the_best_so_far() -> None:
    image = as_image(captured(cells(64, 80)))
    with progress.using(Host(cancel_after=3)), pytest.raises(Cancelled):
        fitted(image, quality="best")
    host = Host(finish_after=6)
    with progress.using(host):
        model = fitted(image, quality="best")
    assert len(host.events) < 100
    assert METHOD.apply(model, image).image.shape == image.shape


@pytest.mark.parametrize("first", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_pairs_of_neighbours_are_fair(first: tuple[int, int]) -> None:
    source = torch.Generator().manual_seed(0)
    noise = torch.randn(128, 128, generator=source)
    noisy, target = objective.neighbour_pair(noise + 5, first)
    assert noisy.shape == target.shape == (64, 64)
    assert torch.equal(noisy, noise[first[0] :: 2, first[1] :: 2] + 5)
    assert float(noisy.var()) == pytest.approx(1, abs=0.15)
    assert float(target.var()) == pytest.approx(0.41, abs=0.05)
    assert abs(float(((noisy - 5) * (target - 5)).mean())) < 0.03
    # What is smooth is not moved: both are a parabola at the same places, but for its bend.
    rows, cols = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    noisy, target = objective.neighbour_pair(0.01 * rows**2 - 0.3 * cols, first)
    assert float((target - noisy)[2:-2, 2:-2].abs().max()) < 0.0045


@pytest.mark.parametrize("quality", ["quick", "standard", "best"])
def test_a_small_image_takes_fewer_steps_and_a_large_one_no_more(quality: str) -> None:
    edges = (32, 128, 256, 512, 4096)
    number = [settings.steps(quality, edge**2) for edge in edges]
    assert number == sorted(number)
    assert number[3] == number[4] == settings.STEPS[quality]
    assert number[1] <= 0.41 * number[3]
