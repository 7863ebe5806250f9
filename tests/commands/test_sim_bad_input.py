"""What the SIM commands refuse, each with a sentence, before they compute."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structured
import xarray as xr

from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image, set_calibration

OPTICS = {"na": 1.49, "emission": 525, "background": 100, "device": "cpu"}
STACK = {"dimensions": "3d", "excitation": 488, "order": "omx", "angles": 3, "phases": 5}
COMMANDS = {
    "SIM Reconstruct...": {},
    "SIM Parameters...": {},
    "Zero-Shot SIM...": {},
    "ZS-SIM Denoise...": {},
    "ZS-DeconvNet Restore...": {"mode": "sim"},
}


@cache
def noisy() -> np.ndarray:
    return structured.simulate(shape=(64, 72), peak=100, seed=3).noisy.numpy().reshape(9, 64, 72)


def raw(pixels: np.ndarray | None = None, *, pixel: float = 0.065) -> xr.DataArray:
    """A raw image as it comes from a file: frames as slices, an offset of 100."""
    image = as_image((noisy() if pixels is None else pixels) + 100, ("pln", "row", "col"))
    image.attrs["title"] = "cell.tif"
    steps = {"row": pixel, "col": pixel, "pln": 0.125}
    set_calibration(image, steps, dict.fromkeys(steps, "micron"))
    return image


def refused(image: xr.DataArray, label: str = "SIM Reconstruct...", **options: Any) -> str:
    with pytest.raises(UserError) as error:
        run(find(label), image, {**OPTICS, **COMMANDS[label], **options})
    return str(error.value)


@pytest.mark.parametrize("label", COMMANDS)
def test_pixels_that_are_no_numbers(label: str) -> None:
    pixels = noisy().copy()
    pixels[2, 10, 10] = np.nan
    assert "1 of the 41472 pixels is NaN" in refused(raw(pixels), label)


@pytest.mark.parametrize("label", COMMANDS)
@pytest.mark.parametrize("value", [50.0, 65535.0])
def test_a_frame_of_one_value(label: str, value: float) -> None:
    pixels = noisy().copy()
    pixels[4] = value
    said = refused(raw(pixels), label)
    assert "All pixels of phase 2 of angle 2 have the same value" in said


@pytest.mark.parametrize(
    ("options", "pixel"),
    [({"pixel_size": 0.5}, 0.065), ({}, 1e-9), ({"na": 0.02, "emission": 2000}, 0.065)],
)
def test_pixels_that_are_too_narrow(options: dict[str, float], pixel: float) -> None:
    assert "there is no room for a pattern" in refused(raw(pixel=pixel), **options)


def test_slices_that_are_too_far_apart() -> None:
    pixels = np.random.default_rng(0).poisson(50, (60, 48, 48)).astype(np.float32)
    said = refused(raw(pixels), **STACK, na=1.4, slice_spacing=100_000)
    assert "along the axis the lens resolves 561 nm" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one["channels"].clear(), "damaged ones"),
        (lambda one: one["channels"][0]["modulation"].pop(), "damaged ones"),
        (lambda one: one["channels"][0]["phases"][0][0].pop(), "damaged ones"),
        (lambda one: one["channels"][0]["wave_vectors"][0][0].append(0.1), "damaged ones"),
        (lambda one: one["channels"][0].update(cutoff=float("nan")), "damaged ones"),
        (lambda one: one["channels"][0].update(pixel=0.0), "damaged ones"),
        (lambda one: one["channels"][0].update(brightness=[[0, 0, 0]] * 3), "damaged ones"),
        (lambda one: one["channels"][0].update(gain=-1.0), "damaged ones"),
        (lambda one: one["channels"][0].update(noise_variance=0.0), "damaged ones"),
        (lambda one: one["channels"][0].update(contrast=[]), "damaged ones"),
        (lambda one: one["channels"][0].update(curve=[0.5]), "damaged ones"),
        (lambda one: one["channels"][0].update(pixel=0.13), "for pixels of 130 nm"),
        (lambda one: one["channels"].append(one["channels"][0]), "for 2 channels"),
        (lambda one: one.update(format=9), "another version"),
    ],
)
def test_parameters_that_are_damaged_or_of_another_image(
    change: Callable[[dict[str, Any]], None], words: str, parameters: Path, tmp_path: Path
) -> None:
    content = json.loads(parameters.read_text())
    change(content)
    path = tmp_path / "patterns.json"
    path.write_text(json.dumps(content))
    assert words in refused(raw(), use_parameters=path)


@pytest.fixture(scope="module")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "patterns.json"
    run(find("SIM Parameters..."), raw(), {**OPTICS, "damping": 1, "save_parameters": path})
    return path


def test_parameters_of_another_size_are_doubted(parameters: Path) -> None:
    smaller = raw(noisy()[:, 8:, 4:])
    options = {**OPTICS, "damping": 1, "use_parameters": parameters, "quality": "classical"}
    found = run(find("SIM Reconstruct..."), smaller, {**options, "spectrum": False})
    assert "of an image of 72 x 64 pixels, and this one has 68 x 56" in " ".join(found.notes)
    again = run(find("SIM Reconstruct..."), raw(), {**options, "spectrum": False})
    assert "begin at the same pixel" not in " ".join(again.notes)


def otf(path: Path, values: np.ndarray) -> Path:
    """An OTF as DeltaVision saves it."""
    header = np.zeros(256, ">i4")
    header[:4] = (*values.shape[::-1], 4)
    header[10:13] = np.array([0.05, 0.05, 0.05], ">f4").view(">i4")
    header.view(">i2")[48] = -16224
    path.write_bytes(header.tobytes() + values.astype(">c8").tobytes())
    return path


def test_an_otf_without_light(tmp_path: Path) -> None:
    path = otf(tmp_path / "flat.mrc", np.ones((1, 1, 65)))
    assert "nothing above its noise" in refused(raw(), otf=path)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((3, 40, 65)), "Order 0 of the OTF has nothing above its noise"),
        (np.zeros((3, 40, 65)), "Order 0 of the OTF has nothing above its noise"),
        (np.ones((3, 1, 1)), "Order 0 of the OTF has nothing above its noise"),
        (np.full((3, 40, 65), np.nan), "NaN or infinite"),
    ],
)
def test_an_otf_of_3d_without_light(values: np.ndarray, words: str, tmp_path: Path) -> None:
    path = otf(tmp_path / "orders.mrc", values)
    pixels = np.random.default_rng(0).poisson(50, (75, 48, 48)).astype(np.float32)
    assert words in refused(raw(pixels), **STACK, na=1.4, otf=path)


def test_a_psf_where_3d_needs_an_otf_of_all_orders(tmp_path: Path) -> None:
    path = tmp_path / "psf.npy"
    np.save(path, np.ones((5, 9, 9)))
    pixels = np.random.default_rng(0).poisson(50, (75, 48, 48)).astype(np.float32)
    assert "all orders of the pattern" in refused(raw(pixels), **STACK, na=1.4, otf=path)
