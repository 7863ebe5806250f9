"""ZS-DeconvNet for SIM: pairs, noise and PSF of reconstructions, and the commands."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import structured
import torch
import xarray as xr

import zsfiji
from zsfiji import progress
from zsfiji.commands import device_lock, find
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image, set_calibration
from zsfiji.images.parts import STACK
from zsfiji.physics.camera.doubt import measure_for_training
from zsfiji.physics.camera.model import Camera, KnownCamera
from zsfiji.physics.noise import no_noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.measure import fwhm
from zsfiji.quality.residual import hidden
from zsfiji.services.over_parts import Group
from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.linear import Linear
from zsfiji.services.sim.reconstructor import Reconstructor
from zsfiji.services.two_stage.task import Task
from zsfiji.services.zs_deconvnet.objective import ReconstructedPairs, Sizes
from zsfiji.services.zs_deconvnet.sim import RawFrames, noise_of, psf_of

PIXEL = 0.065
CAMERA = KnownCamera(gain=1.0, read_variance=structured.READ**2, dark_level=0.0)
ONE = Group(0, 1, [{}], [{}])


@cache
def simulated() -> structured.Stack:
    """A raw image of 96 x 96 pixels."""
    return structured.simulate(shape=(96, 96), peak=100.0)


@cache
def unit() -> Reconstructor:
    """Its reconstruction."""
    stack = simulated().noisy.numpy()
    return Reconstructor(calibrate(stack, Given(structured.TRANSFER, PIXEL, 0.0)))


def image(stack: torch.Tensor | None = None) -> xr.DataArray:
    """The raw image with its axes."""
    pixels = (simulated().noisy if stack is None else stack).numpy()
    raw = as_image(pixels, ("ang", "pha", "row", "col"))
    set_calibration(raw, {"row": PIXEL, "col": PIXEL}, {"row": "micron", "col": "micron"})
    return raw


def test_the_noise_of_a_pair_is_independent_and_its_mean_is_the_reconstruction() -> None:
    clean, draws = simulated().expected, torch.Generator().manual_seed(0)
    take = Linear(unit().calibration, simulated().noisy)
    truth = take(clean).numpy()
    noise = []
    for seed in range(6):
        read = structured.READ * torch.randn(clean.shape, generator=draws)
        frames = torch.poisson(clean, generator=draws) + read
        made = RawFrames(image(frames), [unit()], CAMERA, seed)(ONE)
        assert made.pairs is not None
        noise.append((made.pairs - truth)[:, 0, :, 16:-16, 16:-16])
    pairs = np.concatenate(noise)
    spread = pairs.std((0, 2, 3))
    assert spread[0] > 1.5 * spread[1]  # the input has more noise, as published
    correlation = np.corrcoef(pairs[:, 0].ravel(), pairs[:, 1].ravel())[0, 1]
    # Without the noise that was added to one and subtracted from the other it would be above 0.5.
    assert abs(correlation) < 0.12


def test_nothing_is_learnt_from_a_slice_without_light() -> None:
    bright = simulated().noisy
    raw = as_image(
        torch.stack([bright, bright - bright.mean() - 1]).numpy(), ("t", "ang", "pha", "row", "col")
    )
    group = Group(0, 1, [{"t": 0}, {"t": 1}], [{"t": 0}, {"t": 1}])
    pairs = RawFrames(raw, [unit()], CAMERA)(group).pairs
    alone = RawFrames(image(), [unit()], CAMERA)(ONE)
    np.testing.assert_array_equal(pairs, alone.pairs)
    slices = RawFrames(raw.rename(t="pln"), [unit()], CAMERA)(ONE, STACK, pairs=False)
    assert slices.camera.noise.gain == pytest.approx(alone.camera.noise.gain, rel=0.2)


def test_the_noise_of_a_reconstruction_is_measured() -> None:
    made = RawFrames(image(), [unit()], CAMERA)(ONE)
    take = Linear(unit().calibration, simulated().noisy)
    truth = take(simulated().expected)
    noise = (take(simulated().noisy) - truth).numpy()
    told = made.camera.noise.variance(np.maximum(truth.numpy(), 0)).mean()
    assert told == pytest.approx(float(np.square(noise).mean()), rel=0.2)
    assert not made.camera.noise.white
    assert made.camera.noise.correlation(1)[1] > 0.4


def test_noise_of_tells_a_line_and_a_spectrum() -> None:
    drawn = np.random.default_rng(1)
    mean = np.add.outer(np.linspace(10, 90, 192), np.zeros(160)).astype(np.float32)
    field = drawn.normal(size=mean.shape) * np.sqrt(0.5 * mean + 3)
    noise = noise_of([field.astype(np.float32)], [mean])
    assert noise.gain == pytest.approx(0.5, rel=0.1)
    assert noise.variance(50.0) == pytest.approx(28, rel=0.05)
    assert noise.spectrum.shape == (16, 16)
    assert noise.spectrum.std() < 0.25  # white


def test_of_a_reconstruction_without_its_raw_frames_the_notes_say_that_its_noise_is_hidden() -> (
    None
):
    frames = simulated().noisy
    for plane, words in (
        (Linear(unit().calibration, frames)(frames).numpy(), "filtered or reconstructed"),
        (frames[0, 0].numpy(), ""),
    ):
        camera, _ = measure_for_training([plane], KnownCamera())
        said = hidden(camera.noise, plane)
        assert len(said) == bool(words)
        assert words in "".join(said)


@cache
def stack() -> tuple[xr.DataArray, np.ndarray]:
    """A raw stack of eight slices of one brightness each, and its reconstruction without noise."""
    draws, frames, truth = torch.Generator().manual_seed(3), [], []
    for brightness in np.linspace(0.7, 1, 8):
        expected = float(brightness) * simulated().expected
        frames.append(torch.poisson(expected, generator=draws))
        frames[-1] += structured.READ * torch.randn(expected.shape, generator=draws)
        truth.append(Linear(unit().calibration, frames[-1])(expected).numpy())
    raw = as_image(torch.stack(frames, 2).numpy(), ("ang", "pha", "pln", "row", "col"))
    return raw, np.stack(truth)


def test_the_noise_of_a_reconstructed_stack_is_measured_in_its_raw_frames() -> None:
    raw, truth = stack()
    made = RawFrames(raw, [unit()], CAMERA)(ONE, STACK, pairs=False)
    assert made.pairs is None
    noise = []
    for number, plane in enumerate(truth):
        frames = torch.from_numpy(raw.data[:, :, number])
        noise.append(Linear(unit().calibration, frames)(frames).numpy() - plane)
    told = made.camera.noise.variance(np.maximum(truth, 0)).mean()
    assert told == pytest.approx(float(np.square(noise).mean()), rel=0.2)


def test_the_pairs_of_a_stack_are_stacks_of_one_strength_of_noise() -> None:
    raw, truth = stack()
    made = RawFrames(raw, [unit()], CAMERA)(ONE, STACK, pairs=True)
    assert made.pairs is not None
    assert made.pairs.shape == (3, 8, 2, 192, 192)
    noise = (made.pairs - truth[:, None])[..., 16:-16, 16:-16]
    spread = noise.std((-2, -1))
    assert (spread[..., 0] > 1.5 * spread[..., 1]).all()
    # Of the slices of a pair alike, of the pairs not.
    strength = spread[..., 0] / spread[..., 1]
    assert strength.std(1).max() < 0.5 * strength.mean(1).std()
    correlation = np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, 1].ravel())[0, 1]
    assert abs(correlation) < 0.12


class Seen(torch.nn.Module):
    """Keeps what it is given, and gives it back."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.image = image
        return image, image


def test_of_pairs_of_stacks_one_stack_is_the_input_and_the_other_the_target() -> None:
    low, high = torch.arange(1.0, 9.0), torch.arange(101.0, 109.0)
    pairs = torch.stack([low, high], 1)[None, :, :, None, None].expand(1, 8, 2, 40, 40)
    camera, optics = Camera(no_noise(), 0.0), Degradation(torch.ones(1, 1, 1), 1)
    data = np.ones((8, 40, 40), np.float32)
    task = Task.of(
        [data], camera, optics, (1, 1, 1), elsewhere=0, recorrupted=pairs.contiguous().numpy()
    )
    seen = Seen()
    loss = ReconstructedPairs(seen, task, Sizes(32, 2, 5), 0)(0)
    assert seen.image.shape == (2, 1, 5, 32, 32)
    shown = seen.image[:, 0, :, 0, 0] * 108
    torch.testing.assert_close(shown.diff(dim=1), torch.ones(2, 4))
    assert shown.max() < 8.1
    assert float(loss) == pytest.approx(100 / 108, rel=1e-4)


def test_the_psf_is_what_the_reconstruction_makes_of_a_point() -> None:
    psf = psf_of(unit(), simulated().noisy.numpy(), 1)
    assert psf.values.sum() == pytest.approx(1)
    assert psf.spacing == (PIXEL / 2, PIXEL / 2)
    lens = 0.51 / structured.TRANSFER.cutoff * 2 * PIXEL  # that of the wide-field image
    assert 0.4 * lens < fwhm(psf)[0] < 0.95 * lens
    fine = psf_of(unit(), simulated().noisy.numpy(), 2)
    assert fwhm(fine)[0] == pytest.approx(fwhm(psf)[0], rel=0.1)


@pytest.fixture(scope="module")
def raw_file() -> np.ndarray:
    """A raw image as a camera gives it: 64 x 64, nine slices, with an offset."""
    stack = structured.simulate(shape=(64, 64), peak=100.0, seed=2).noisy.numpy().reshape(9, 64, 64)
    return np.clip(np.rint(2 * stack + 100), 0, 65535).astype(np.uint16)


OPTICS = {
    "mode": "sim",
    "pixel_size": 65,
    "na": structured.TRANSFER.cutoff * 525 / 2 / 65,
    "emission": 525,
    "damping": 1,
    "background": 100,
}


def test_a_raw_image_is_restored_and_its_model_serves_another_one(
    raw_file: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "model.zsfiji"
    denoised, sharp = zsfiji.zs_deconvnet_restore(
        raw_file, **OPTICS, steps=2, save_model=path, device="cpu"
    )
    assert denoised.shape == (128, 128)
    assert sharp.shape == (256, 256)
    again = zsfiji.zs_deconvnet_predict(raw_file, model=path, **OPTICS, device="cpu")
    np.testing.assert_array_equal(again[1], sharp)


class Watched:
    """Keeps the fractions that are shown, and those at which the device was not ours."""

    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.free: list[float] = []

    def show(self, event: progress.Event) -> None:
        self.fractions.append(event.fraction)
        if "cpu" not in device_lock._locks or not device_lock._locks["cpu"].locked():
            self.free.append(event.fraction)

    def cancelled(self) -> bool:
        return False

    def finish_now(self) -> bool:
        return False


def test_the_reconstruction_is_a_part_of_the_work_and_its_notes_are_told(
    raw_file: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "model.zsfiji"
    given = {**OPTICS, "device": "cpu"}
    jobs = {
        "Restore": {"steps": 2, "save_model": path},
        "Train": {"steps": 2, "save_model": path},
        "Predict": {"model": path},
    }
    for job, options in jobs.items():
        seen = Watched()
        with progress.using(seen):
            outcome = run(
                find(f"ZS-DeconvNet {job}..."),
                as_image(raw_file, ("pln", "row", "col")),
                {**given, **options},
            )
        assert seen.fractions == sorted(seen.fractions), job
        # The order of the frames is found before.
        assert set(seen.free) <= {0.0}, job
        assert any("pattern" in note for note in outcome.notes), job


@pytest.mark.parametrize("pairs", ["slices", "recorruption"])
def test_a_raw_stack_is_restored_in_3d_with_the_options_of_its_camera(pairs: str) -> None:
    expected = structured.simulate(shape=(64, 64), peak=100.0, seed=2).expected.numpy()
    frames = np.random.default_rng(1).poisson(expected[:, :, None] * np.ones((10, 1, 1)))
    raw = as_image((2.0 * frames + 100).astype(np.uint16), ("ang", "pha", "pln", "row", "col"))
    psf = zsfiji.psf_generator(
        na=1.49,
        emission=525,
        pixel_size=32.5,
        dimensions="3d",
        slice_spacing=125,
        slices=5,
        width=21,
    )
    given = {**OPTICS, "gain": 2, "psf": psf, "slice_spacing": 125, "device": "cpu"}
    outcome = run(
        find("ZS-DeconvNet Restore..."),
        raw,
        {**given, "dimensions": "3d", "pairs": pairs, "steps": 2, "results": "denoised"},
    )
    (denoised,) = outcome.images
    assert denoised.shape == (10, 128, 128)
    optics = {name: value for name, value in OPTICS.items() if name != "mode"}
    slices = np.asarray(zsfiji.sim_reconstruct(raw, **optics)[-1])
    told = outcome.metrics["noise_gain"] * slices.mean() + outcome.metrics["noise_intercept"]
    assert told == pytest.approx(slices.var(0, ddof=1).mean(), rel=0.3)


def test_a_wide_field_image_still_needs_its_psf(raw_file: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"PSF: .*needed without mode=sim"):
        zsfiji.zs_deconvnet_restore(raw_file[0], steps=2)


def test_further_raw_images_are_refused(raw_file: np.ndarray, tmp_path: Path) -> None:
    # Said before the reconstruction, which this one would not pass.
    for image in (raw_file, np.zeros_like(raw_file)):
        with pytest.raises(UserError, match="patterns of its own"):
            zsfiji.zs_deconvnet_train(
                image, **OPTICS, steps=2, save_model=tmp_path / "m", more_images=tmp_path
            )
