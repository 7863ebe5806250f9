"""Zero-Shot Deconvolve for planes: noise pairs, exemplars, network, training, what is said."""

import errno
import mmap
import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from deconvolving import (
    BLACK,
    GAIN,
    PIXEL,
    READ,
    apply,
    calibrated,
    fit,
    gaussian_psf,
    lines,
    white_noise,
)
from scipy.ndimage import gaussian_filter

from zsfiji import progress
from zsfiji.compute import scratch
from zsfiji.compute.device import generator
from zsfiji.compute.tiling import pad_mirrored
from zsfiji.deconvolution.tiles import TileSizes
from zsfiji.errors import Cancelled, UserError
from zsfiji.learning import examples, foreground, models
from zsfiji.physics.camera.model import Camera, KnownCamera, measure
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.kernel import normalised
from zsfiji.quality import sharpening
from zsfiji.services.deconvolve.kinds import FastPlanes
from zsfiji.services.deconvolve.networks import FastNet, inverse_filter
from zsfiji.services.deconvolve.service import METHOD
from zsfiji.services.two_stage.fit import TRIES
from zsfiji.services.two_stage.service import training_report


def psf_of_a_stack():
    """A Gaussian with three slices."""
    flat = gaussian_psf()
    return normalised(
        np.stack([0.5 * flat.values, flat.values, 0.5 * flat.values]), (0.2, *flat.spacing)
    )


class Host:
    """A host that asks to finish or to cancel after so many reports."""

    def __init__(self, finish_after=None, cancel_after=None):
        self.events, self.finish_after, self.cancel_after = [], finish_after, cancel_after

    def show(self, event):
        self.events.append(event)

    def cancelled(self):
        return self.cancel_after is not None and len(self.events) >= self.cancel_after

    def finish_now(self):
        return self.finish_after is not None and len(self.events) >= self.finish_after


@pytest.fixture(scope="module")
def scene():
    truth, noisy = lines()
    return truth, calibrated(noisy, title="lines")


@pytest.fixture(scope="module")
def model(scene):
    return fit(scene[1], gaussian_psf(), steps=120)


@pytest.fixture(scope="module")
def result(scene, model):
    return apply(model, scene[1])


# Networks


@pytest.mark.parametrize("upsample", [1, 2])
def test_the_network_gives_a_denoised_and_a_finer_plane(upsample):
    network = FastNet(upsample)
    size = 2 * network.multiple
    denoised, sharp = network(torch.rand(1, 2, size, size + network.multiple))
    assert denoised.shape == (1, 1, size, size + network.multiple)
    assert sharp.shape == (1, 1, upsample * size, upsample * (size + network.multiple))


def test_the_margin_of_the_fast_network_covers_all_that_a_pixel_hears_of():
    network = FastNet()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.uniform_(module.weight, 0.01, 0.1)
    image = torch.rand(1, 2, 128, 128, requires_grad=True)
    network(image)[1][0, 0, 128:132, 128:132].sum().backward()
    heard = image.grad[0].sum(0).nonzero()
    assert 64 - int(heard.min()) <= network.margin
    assert int(heard.max()) - 65 <= network.margin


def test_the_seed_decides_the_weights():
    first, same, other = (FastNet(seed=s).stage1.outer[0].weight for s in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


# Noise: equations 2 and 3


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_recorrupted_pairs_have_independent_noise_when_the_calibration_is_right(alpha):
    camera = Camera(white_noise(), BLACK)
    draws = generator(0)
    mean = torch.full((1, 1, 512, 512), 160.0)
    noisy = camera.capture(mean, draws)
    assert float(noisy.var()) == pytest.approx(GAIN * 60 + READ, rel=0.02)
    noisier, target, deviation = camera.recorrupt(noisy, alpha, draws)
    variance = GAIN * 60 + READ
    covariance = float(((noisier - mean) * (target - mean)).mean())
    assert abs(covariance) < 0.02 * variance
    assert float(noisier.var()) == pytest.approx((1 + alpha**2) * variance, rel=0.02)
    assert float(target.var()) == pytest.approx((1 + alpha**-2) * variance, rel=0.02)
    assert float(deviation.square().mean()) == pytest.approx(variance, rel=0.02)


def test_the_photon_and_the_read_part_of_the_added_noise_are_varied_for_each_patch():
    camera = Camera(white_noise(), BLACK)
    dark, bright = BLACK, 160.0
    noisy = torch.tensor([dark, bright, bright]).reshape(3, 1, 1, 1).expand(3, 1, 256, 256)
    shot, read = (torch.tensor(v).reshape(3, 1, 1, 1) for v in ([9.0, 0.5, 0.0], [2.0, 0.0, 1.0]))
    _, _, deviation = camera.recorrupt(noisy, 1.0, generator(0), shot=shot, read=read)
    found = deviation.square().mean((1, 2, 3))
    assert found.tolist() == pytest.approx([2 * READ, 0.5 * GAIN * 60, READ], rel=1e-3)


def test_a_gain_that_is_too_small_leaves_the_pair_correlated():
    draws = generator(0)
    mean = torch.full((1, 1, 512, 512), 160.0)
    noisy = Camera(white_noise(), BLACK).capture(mean, draws)
    wrong = Camera(white_noise(gain=GAIN / 2), BLACK)
    noisier, target, _ = wrong.recorrupt(noisy, 1.0, draws)
    covariance = float(((noisier - mean) * (target - mean)).mean())
    assert covariance == pytest.approx(GAIN / 2 * 60, rel=0.05)


def test_correlated_noise_is_added_with_its_own_spectrum():
    frequency = np.arange(16) / 32
    spectrum = np.exp(-((frequency[:, None] ** 2 + frequency**2) / 0.05))
    noise = Noise(0.0, 9.0, 9.0, spectrum / spectrum.mean(), False)
    camera = Camera(noise, 0.0)
    flat = torch.zeros(1, 1, 400, 400)
    captured = camera.capture(flat, generator(0))
    assert float(captured.var()) == pytest.approx(9, rel=0.05)
    found = float((captured[..., 1:] * captured[..., :-1]).mean() / captured.var())
    assert found == pytest.approx(float(noise.correlation(1)[1]), abs=0.05)
    assert found > 0.3


def test_the_noise_is_measured_or_given_or_read_off_a_dark_frame():
    flat = np.repeat(np.linspace(110, 300, 256), 256).reshape(256, 256)
    draws = np.random.default_rng(0)
    noisy = draws.poisson((flat - BLACK) / GAIN) * GAIN + BLACK + draws.normal(0, 2, flat.shape)
    plane = noisy.astype(np.float32)
    assert measure([plane]).noise.gain == pytest.approx(GAIN, rel=0.15)
    given = measure([plane], KnownCamera(gain=3.0, read_variance=5.0, dark_level=90.0))
    assert (given.noise.gain, given.dark_level) == (3.0, 90.0)
    assert float(given.variance(torch.tensor(100.0))) == pytest.approx(35)


@pytest.mark.parametrize("read", [0.2, 0.4, 2])
@pytest.mark.parametrize("hot", [0, 1, 20])
def test_hot_pixels_of_a_dark_frame_do_not_count(hot, read):
    draws = np.random.default_rng(0)
    plane = (draws.poisson(40, (64, 64)) * GAIN + BLACK).astype(np.float32)
    dark = np.rint(draws.normal(BLACK, read, (64, 64)))
    expected = dark.var()
    dark[3, 3 : 3 + hot] = 4000
    camera = measure([plane], KnownCamera(dark=dark, gain=GAIN))
    assert camera.dark_level == pytest.approx(BLACK, abs=0.15)
    variance = float(camera.variance(torch.tensor(camera.dark_level)))
    assert variance == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dark_level": 5000.0}, "not less than the brightest"),
        ({"gain": -1.0}, "cannot be negative"),
        ({"read_variance": -1.0, "dark_level": 0.0}, "cannot be negative"),
        ({"read_variance": 4.0}, "needs the background"),
        ({"dark": np.full((4, 4), np.nan)}, "dark frame"),
    ],
)
def test_impossible_calibrations_are_refused(given, words):
    with pytest.raises(UserError, match=words):
        measure([lines(64)[1]], KnownCamera(**given))


# Losses, places and exemplars


def test_patches_are_looked_for_where_there_is_structure():
    plane = np.zeros((200, 200), np.float32)
    plane[40:50, 150:160] = 100
    places = foreground.centres([plane], 0.0)
    near = (places[:, 1] - 45).abs().lt(40) & (places[:, 2] - 155).abs().lt(40)
    assert len(places) >= 200
    assert bool(near.all())
    mixed = foreground.centres([plane], 0.5)
    assert len(mixed) == 2 * len(foreground.centres([plane], 0.0))


def test_exemplars_are_the_restored_image_at_half_its_size_and_as_bright_to_the_camera():
    truth = torch.from_numpy(lines()[0].astype(np.float32) - BLACK)[None, None]
    degradation = Degradation(torch.from_numpy(gaussian_psf().values).float(), 2)
    small = examples.shrink(truth)
    assert small.shape[-1] == truth.shape[-1] // 2
    assert float(small.mean()) == pytest.approx(float(truth.mean()), rel=1e-2)
    seen = degradation(truth)
    scaled = examples.matched(small, degradation(small), seen)
    bright = float(examples.bright(degradation(scaled)))
    assert bright == pytest.approx(float(examples.bright(seen)), rel=1e-3)
    larger = pad_mirrored(small, 130)
    assert larger.shape[-2:] == (130, 130)
    assert torch.equal(larger[..., :96, :96], small)


# Training and its results


def test_both_results_are_nearer_to_the_truth_than_what_went_in(scene, result):
    truth, image = scene
    denoised, sharp = result.images["denoised"].data, result.images["deconvolved"].data
    clean = gaussian_filter(truth, 3.0, mode="mirror").reshape(96, 2, 96, 2).mean((1, 3))
    assert np.square(denoised - clean).mean() < 0.4 * np.square(image.data - clean).mean()
    plain = sharpening.enlarged(clean.astype(np.float32), 2)
    assert np.square(sharp - truth).mean() < 0.9 * np.square(plain - truth).mean()


def test_the_deconvolved_result_is_sharper_and_is_the_image_again_when_blurred(result):
    metrics = result.report.metrics
    assert metrics["sharpening"] > 1.5
    assert 0.7 < metrics["reblurred_residual_variance"] < 1.4
    assert abs(metrics["reblurred_residual_excess"]) < 0.15
    assert not any("Not sharpened" in note for note in result.report.notes)


def test_detail_beyond_the_optics_is_looked_for_again_under_other_noise(result):
    metrics = result.report.metrics
    assert 0 <= metrics["beyond_optics"] < 0.5
    assert -1 <= metrics["beyond_optics_agreement"] <= 1


def test_the_results_have_the_calibration_and_the_mean_of_the_image(scene, result):
    image = scene[1]
    denoised, sharp = result.images["denoised"], result.images["deconvolved"]
    assert denoised.shape == image.shape
    assert sharp.shape == (192, 192)
    assert sharp.dtype == denoised.dtype == np.float32
    assert float(sharp.mean()) == pytest.approx(float(image.mean()), rel=1e-4)
    assert float(denoised.mean()) == pytest.approx(float(image.mean()), rel=1e-4)
    fine = sharp.coords["col"].data
    assert np.diff(fine) == pytest.approx(PIXEL / 2)
    assert fine.reshape(-1, 2).mean(1) == pytest.approx(image.coords["col"].data)
    assert sharp.attrs["units"] == image.attrs["units"]


def test_a_model_from_a_file_gives_the_same_pixels(scene, model, result, tmp_path):
    path = models.save(model, tmp_path / "m.zsfiji")
    again = apply(models.load(path, METHOD), scene[1])
    assert np.array_equal(again.images["denoised"], result.images["denoised"])
    assert np.array_equal(again.images["deconvolved"], result.images["deconvolved"])


def test_the_same_seed_gives_the_same_model(scene):
    first, same, other = (fit(scene[1], gaussian_psf(), steps=3, seed=seed) for seed in (1, 1, 2))
    assert models.digest(first) == models.digest(same)
    assert models.digest(first) != models.digest(other)


def test_training_continues_from_a_model(scene, model):
    longer = fit(scene[1], gaussian_psf(), steps=5, start=model)
    assert longer.units[0].record.steps == 125
    assert models.digest(longer) != models.digest(model)
    with pytest.raises(UserError, match="continue from"):
        fit(scene[1], gaussian_psf(), steps=5, start=model, upsample=1)


def test_a_training_that_is_continued_has_the_camera_and_the_optics_of_its_image(scene, model):
    camera = KnownCamera(gain=3.0, read_variance=5.0, dark_level=95.0)
    longer = fit(scene[1], gaussian_psf(deviation=2.5), steps=1, start=model, camera=camera)
    unit = longer.units[0]
    assert (unit.record.noise.gain, unit.record.dark_level) == (3.0, 95.0)
    assert torch.equal(unit.network.inverse, inverse_filter(unit.optics))
    assert not torch.equal(unit.network.inverse, model.units[0].network.inverse)


@pytest.mark.parametrize("shape", [(33, 47), (64, 130), (101, 38)])
def test_every_size_is_taken(model, shape):
    noisy = lines(130)[1][: shape[0], : shape[1]]
    result = apply(model, calibrated(noisy), symmetries=1)
    assert result.images["denoised"].shape == shape
    assert result.images["deconvolved"].shape == (2 * shape[0], 2 * shape[1])


def test_small_odd_images_can_be_trained_on_without_upsampling():
    small = calibrated(lines(96)[1][:33, :45])
    fitted = fit(small, gaussian_psf(spacing=PIXEL, deviation=1.5), steps=4, upsample=1)
    assert apply(fitted, small).images["deconvolved"].shape == (33, 45)


class SmallTiles(FastPlanes):
    """Tiles of 64 pixels."""

    tiles = TileSizes(tile=64)


def test_tiles_leave_no_seams(scene, model):
    image = scene[1]
    whole = apply(model, image, symmetries=2).images["deconvolved"].data
    tiled = apply(model, image, symmetries=2, restorers=[SmallTiles]).images["deconvolved"].data
    inside = slice(8, -8)
    assert np.abs(whole - tiled)[inside, inside].max() < 0.05 * np.ptp(whole)
    assert np.abs(whole - tiled).mean() < 2e-3 * np.ptp(whole)


def test_stacks_and_channels_are_restored_plane_by_plane(scene):
    noisy = scene[1].data
    pixels = np.stack([np.stack([noisy, noisy[::-1]]), np.stack([noisy.T, noisy])], -1)
    stack = calibrated(pixels, ("t", "row", "col", "ch"))
    shared = fit(stack, [gaussian_psf(), gaussian_psf(2.5)], steps=3)
    assert len(shared.units) == 2
    result = apply(shared, stack, symmetries=1)
    assert result.images["denoised"].dims == ("t", "row", "col", "ch")
    assert result.images["deconvolved"].shape == (2, 192, 192, 2)
    each = fit(stack, gaussian_psf(), steps=2, fit_per="plane")
    assert len(each.units) == 4


def test_equal_frames_of_a_time_lapse_become_equal(model, scene):
    noisy = scene[1].data
    frames = calibrated(np.stack([noisy, 0.5 * (noisy - 100) + 100, noisy]), ("t", "row", "col"))
    done = apply(model, frames, symmetries=1).images["deconvolved"].data
    assert np.array_equal(done[0], done[2])
    assert done[1].mean() == pytest.approx(frames.data[1].mean(), rel=1e-4)


def test_what_cannot_be_sharpened_comes_back_denoised_and_is_said(scene, model, monkeypatch):
    monkeypatch.setattr(sharpening, "SHARPER", 1e9)
    result = apply(model, scene[1])
    assert "Not sharpened" in result.report.notes[0]
    expected = sharpening.enlarged(result.images["denoised"].data, 2)
    assert np.allclose(result.images["deconvolved"].data, expected)


def test_sharpening_is_one_for_the_denoised_image_itself_and_more_for_the_truth(scene):
    truth = scene[0].astype(np.float32)
    degradation = Degradation(torch.from_numpy(gaussian_psf().values).float(), 2)
    blurred = degradation(torch.from_numpy(truth)).numpy()
    plain = sharpening.enlarged(blurred, 2)
    assert sharpening.sharpening(degradation, blurred, plain) == pytest.approx(1, abs=0.01)
    assert sharpening.sharpening(degradation, blurred, truth) > 5


def test_large_results_lie_in_a_file_that_the_memory_can_let_go(monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY", 100)
    large = scratch.scratch_array((10, 20))
    large[:] = 1
    scratch.release(large[3:5])
    assert large.sum() == 200
    assert isinstance(large.base.base.obj, mmap.mmap)
    monkeypatch.undo()
    small = scratch.scratch_array((5, 5))
    scratch.release(small)
    assert small.base is None


def test_a_full_disk_is_said_and_nothing_is_left_on_it(monkeypatch, tmp_path):
    monkeypatch.setattr(scratch, "IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(UserError, match="Free disk space"):
        scratch.scratch_array((2**20, 2**20, 16))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scratch.mmap, "mmap", full)
    with pytest.raises(UserError, match="No space left"):
        scratch.scratch_array((10, 20))
    assert not list(tmp_path.iterdir())


# What goes wrong


def test_a_training_that_always_diverges_is_refused(scene, caplog):
    class Broken(FastPlanes):
        def training(self, task, steps, *, ready):
            training = super().training(task, steps, ready=ready)
            weights = next(self.network.parameters())
            return replace(training, objective=lambda step: weights.sum() * float("nan"))

    with pytest.raises(UserError, match="3 seeds"):
        fit(scene[1], gaussian_psf(), steps=2, restorers=[Broken])
    assert caplog.text.count("diverged") == TRIES


def test_finish_now_keeps_what_there_is_and_cancel_nothing(scene):
    with progress.using(Host(finish_after=2)):
        early = fit(scene[1], gaussian_psf(), steps=100_000)
    assert 0 < early.units[0].record.steps < 1000
    with progress.using(Host(cancel_after=2)), pytest.raises(Cancelled):
        fit(scene[1], gaussian_psf(), steps=100_000)
    with progress.using(Host(cancel_after=1)), pytest.raises(Cancelled):
        apply(early, scene[1])


def test_a_model_of_an_earlier_version_is_refused(model, tmp_path):
    path = models.save(model, tmp_path / "m.zsfiji")
    size = int.from_bytes(path.read_bytes()[:8], "little")
    head, weights = path.read_bytes()[8 : 8 + size], path.read_bytes()[8 + size :]
    # As the version before wrote it: another format, and other names of the layers.
    older = head.replace(b'\\"format\\": %d' % models.FORMAT, b'\\"format\\": 1').replace(
        b"stage1", b"denois"
    )
    assert older != head
    path.write_bytes(size.to_bytes(8, "little") + older + weights)
    with pytest.raises(UserError, match="by an earlier version"):
        models.load(path, METHOD)


def test_the_preview_shows_the_deconvolved_image(scene):
    host = Host(finish_after=3)
    with progress.using(host):
        model = fit(scene[1], gaussian_psf(), steps=1000)
    shown = next(e.preview for e in host.events if e.preview is not None)()
    assert shown.shape == (192, 192)
    assert np.isfinite(shown).all()
    # As in the result nothing is darker than no light.
    assert shown.min() >= model.units[0].record.dark_level


def test_a_training_that_was_finished_early_is_said_in_the_notes(scene):
    with progress.using(Host(finish_after=2)):
        early = fit(scene[1], gaussian_psf(), steps=100_000)
        result = apply(early, scene[1], symmetries=1)
    assert np.isfinite(result.images["deconvolved"]).all()
    assert any("of 100000 steps" in note for note in result.report.notes)
    with progress.using(Host(finish_after=2)):
        further = fit(scene[1], gaussian_psf(), steps=1000, start=early)
    done = early.units[0].record.steps
    assert f"of {done + 1000} steps" in training_report(further, scene[1]).notes[0]


def test_every_stage_can_be_cancelled(scene):
    class CancelAt(Host):
        def __init__(self, stage):
            super().__init__()
            self.stage = stage

        def cancelled(self):
            return bool(self.events) and self.events[-1].message == self.stage

    def work():
        apply(fit(scene[1], gaussian_psf(), steps=3), scene[1], symmetries=1)

    for stage in ("Measuring the noise", "Training", "Deconvolving"):
        host = CancelAt(stage)
        with progress.using(host), pytest.raises(Cancelled):
            work()
        assert host.events[-1].message == stage


def test_a_device_whose_memory_is_small_gets_smaller_tiles(model, caplog):
    class Cramped(FastPlanes):
        def restore_piece(self, piece, positions, label):
            if piece.shape[-1] > 200:
                raise RuntimeError("CUDA out of memory.")
            return super().restore_piece(piece, positions, label)

    image = calibrated(lines(160)[1])
    whole = apply(model, image, symmetries=1).images["deconvolved"].data
    small = apply(model, image, symmetries=1, restorers=[Cramped]).images["deconvolved"].data
    assert "halving" in caplog.text
    assert np.abs(whole - small).mean() < 2e-3 * np.ptp(whole)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory.")])
def test_a_training_without_enough_memory_is_the_users_to_mend(scene, error):
    class Cramped(FastPlanes):
        @classmethod
        def begin(cls, task, seed):
            raise error

    with pytest.raises(UserError, match="memory"):
        fit(scene[1], gaussian_psf(), steps=1, device="cpu", restorers=[Cramped])


def test_defective_pixels_are_replaced_and_said(scene, model, result):
    noisy = scene[1].data.copy()
    noisy[[20, 60], [30, 70]] = 60_000
    image = calibrated(noisy)
    fitted = fit(image, gaussian_psf(), steps=1)
    assert fitted.units[0].record.scale.unit == pytest.approx(
        model.units[0].record.scale.unit, rel=0.05
    )
    repaired = apply(model, image)
    assert any("replaced by their neighbours: 2." in note for note in repaired.report.notes)
    change = np.abs(repaired.image.data - result.image.data)
    assert np.quantile(change, 0.99) < 0.05 * np.ptp(result.images["deconvolved"].data)
    assert change.max() < np.ptp(noisy[:10])


def test_nothing_is_said_of_an_empty_frame(model, scene):
    movie = np.stack([scene[1].data, np.full_like(scene[1].data, BLACK)])
    result = apply(model, calibrated(movie, ("t", "row", "col")), symmetries=1)
    alone = apply(model, scene[1], symmetries=1)
    assert result.report.notes == alone.report.notes
    assert np.ptp(result.images["deconvolved"].data[1]) < 0.1 * np.ptp(scene[1].data)


def _constant():
    return calibrated(np.full((64, 64), 7.0, np.float32))


def _mostly_saturated():
    return calibrated(np.minimum(lines(64)[1], 110))


def _of_two_values():
    pixels = np.zeros((64, 64), np.float32)
    pixels[20:40, 20:40] = 255
    return calibrated(pixels)


def _with_nan():
    noisy = lines(64)[1].copy()
    noisy[3, 3] = np.nan
    return calibrated(noisy)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (lambda: calibrated(np.zeros((0, 0), np.float32)), "empty"),
        (_constant, "same value"),
        (_with_nan, "NaN"),
        (_mostly_saturated, "saturated"),
        (_of_two_values, "No noise"),
        (lambda: calibrated(lines(64)[1][:20]), "at least 32"),
        (lambda: xr.DataArray(lines(64)[1], dims=("row", "col")), "no unit of length"),
    ],
)
def test_images_that_do_not_serve_are_refused(image, words):
    with pytest.raises(UserError, match=words):
        fit(image(), gaussian_psf(), steps=1)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"quality": "splendid"}, "quality"),
        ({"upsample": 3}, "upsampling"),
        ({"steps": -1}, "steps"),
        ({"fit_per": "day"}, "fit one model per"),
    ],
)
def test_settings_that_do_not_exist_are_refused(scene, setting, words):
    with pytest.raises(UserError, match=f"(?i){words}"):
        fit(scene[1], gaussian_psf(), **{"steps": 1, **setting})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dark_level": 1e5}, "not less than the brightest pixel"),
        ({"dark_level": BLACK + 30}, "darker than the background of 130"),
        ({"dark": np.zeros((8, 8))}, "shutter closed"),
    ],
)
def test_cameras_that_do_not_fit_are_refused(scene, given, words):
    with pytest.raises(UserError, match=words):
        fit(scene[1], gaussian_psf(), steps=1, camera=KnownCamera(**given))


def test_a_psf_that_does_not_fit_is_refused(scene):
    with pytest.raises(UserError, match="microns wide"):
        fit(scene[1], gaussian_psf(spacing=10.0), steps=1)
    with pytest.raises(UserError, match="less than a pixel"):
        fit(scene[1], gaussian_psf(spacing=0.001), steps=1)
    ring = np.zeros((401, 401))
    ring[190:211, 190:211] = 1
    ring[0], ring[-1], ring[:, 0], ring[:, -1] = 2, 2, 2, 2
    with pytest.raises(UserError, match="Choose a larger image or a smaller PSF"):
        fit(scene[1], normalised(ring, (PIXEL / 2, PIXEL / 2)), steps=1)
    with pytest.raises(UserError, match="PSFs"):
        fit(scene[1], [gaussian_psf()] * 2, steps=1)


def test_images_of_another_kind_than_the_models_are_refused(scene, model):
    noisy = scene[1].data
    with pytest.raises(UserError, match="fitted to 1 channel and"):
        apply(model, calibrated(np.stack([noisy, noisy], -1), ("row", "col", "ch")))
    coarse = scene[1].assign_coords(row=np.arange(96) * 0.1, col=np.arange(96) * 0.1)
    with pytest.raises(UserError, match="100 x 100 nm"):
        apply(model, coarse)


def test_training_does_not_go_on_with_a_model_of_another_kind(scene, model):
    noisy = scene[1].data
    two = calibrated(np.stack([noisy, noisy], -1), ("row", "col", "ch"))
    coarse = scene[1].assign_coords(row=np.arange(96) * 0.1, col=np.arange(96) * 0.1)
    stack = calibrated(np.stack([noisy] * 5), ("pln", "row", "col"))
    stack = stack.assign_coords(pln=np.arange(5) * 0.2)
    stack.attrs["units"]["pln"] = "micron"
    for image, settings, words in (
        (two, {}, "2 of the kind 'fast' in 2D"),
        (coarse, {}, "100 x 100 nm"),
        (stack, {"dimensions": "3d"}, "'fast' in 3D"),
        (scene[1], {"upsample": 1}, "in 2D with 1"),
    ):
        psf = psf_of_a_stack() if "dimensions" in settings else gaussian_psf()
        with pytest.raises(UserError, match=words):
            fit(image, psf, steps=1, start=model, **settings)


def test_an_image_of_one_value_is_refused_by_a_model_too(model):
    with pytest.raises(UserError, match="same value"):
        apply(model, _constant())


def test_the_channel_that_does_not_serve_is_named(scene):
    noisy = scene[1].data
    for other, words in (
        (np.full_like(noisy, 7), "in channel 2 have the same value"),
        (gaussian_filter(noisy, 9), "No noise was found in channel 2"),
        (np.minimum(noisy, 103), "saturated"),
    ):
        image = calibrated(np.stack([noisy, other], -1), ("row", "col", "ch"))
        with pytest.raises(UserError, match=words):
            fit(image, gaussian_psf(), steps=1)


def test_models_of_another_method_are_refused(model, tmp_path):
    path = models.save(replace(model, method="fm2s"), tmp_path / "m.zsfiji")
    with pytest.raises(UserError, match="belongs to the method 'fm2s'"):
        models.load(path, METHOD)


def test_a_damaged_model_is_refused(model):
    unit = model.units[0]
    tensors = unit.tensors()
    cut = {name: value[:1] for name, value in tensors.items() if name != "psf"}
    for damaged in (tensors | cut, {k: v for k, v in tensors.items() if k != "psf"}):
        with pytest.raises(UserError, match="damaged"):
            METHOD.unit(unit.record, damaged)


def test_saturation_and_correlated_noise_are_said():
    draws = np.random.default_rng(0)
    noisy = lines(128)[1]
    cut = fit(calibrated(np.minimum(noisy, 140)), gaussian_psf(), steps=1)
    notes = apply(cut, calibrated(np.minimum(noisy, 140)), symmetries=1).report.notes
    assert any("saturated" in n for n in notes)
    smeared = gaussian_filter(draws.normal(size=(128, 128)), 0.6) * 20 + lines(128)[0][::2, ::2]
    image = calibrated(smeared.astype(np.float32))
    fitted = fit(image, gaussian_psf(), steps=1)
    notes = apply(fitted, image, symmetries=1).report.notes
    assert any("Correlated noise" in n for n in notes)


def test_the_raw_image_of_a_colour_camera_is_said():
    mosaic = np.tile([[1.0, 0.4], [0.6, 1.0]], (64, 64))
    noisy = np.random.default_rng(0).poisson(lines(128)[0][::2, ::2] * mosaic)
    image = calibrated(noisy.astype(np.float32))
    notes = apply(fit(image, gaussian_psf(), steps=1), image, symmetries=1).report.notes
    assert any("colour camera" in n for n in notes)
