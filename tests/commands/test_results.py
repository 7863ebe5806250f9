"""What a command says of its results before it runs is what it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from structured import simulate

from zsfiji import progress
from zsfiji.commands import Command, find, table
from zsfiji.commands.run import run
from zsfiji.images.axes import as_image, set_calibration
from zsfiji.physics.optics import kernel
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics

NAMED = [c for c in table().values() if c.takes_image and c.suffixes]
BEADS = "PSF from Beads..."


class Hasty:
    """A user who presses "Finish now" at once."""

    def show(self, event: progress.Event) -> None:
        """Look away."""

    def cancelled(self) -> bool:
        return False

    def finish_now(self) -> bool:
        return True


def calibrated(pixels: np.ndarray, *dims: str) -> xr.DataArray:
    image = as_image(pixels, dims, {"title": "cell.tif"})
    set_calibration(image, {"row": 0.1, "col": 0.1}, {"row": "micron", "col": "micron"})
    return image


@pytest.fixture(scope="module")
def raw() -> xr.DataArray:
    """A raw SIM image of nine slices."""
    stack = np.asarray(simulate("reticulum", (64, 80), 200).noisy).reshape(9, 64, 80)
    return calibrated(np.clip(stack + 100, 0, 65535).astype(np.uint16), "pln", "row", "col")


@pytest.fixture(scope="module")
def psf() -> xr.DataArray:
    return kernel.as_image(from_optics(Optics("wide-field", 1.2, 600), (0.05, 0.05)), "PSF")


@pytest.fixture(scope="module")
def model(raw: xr.DataArray, psf: xr.DataArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.zsfiji"
    run(find("ZS-DeconvNet Train..."), raw[0], {"psf": psf, "save_model": path, "steps": 1})
    return path


def beads() -> xr.DataArray:
    row, col = np.mgrid[:96, :96]
    pixels = np.random.default_rng(0).normal(100, 2, (96, 96))
    for y in (24, 72):
        for x in (24, 72):
            pixels += 2000 * np.exp(-((row - y) ** 2 + (col - x) ** 2) / 8)
    return calibrated(pixels.astype(np.float32), "row", "col")


@pytest.mark.parametrize("command", NAMED, ids=lambda command: command.label)
def test_results_are_titled_as_the_command_has_said(
    command: Command, raw: xr.DataArray, psf: xr.DataArray, model: Path
) -> None:
    of_sim = "order" in command.defaults and command.defaults.get("mode", "sim") == "sim"
    image = beads() if command.label == BEADS else raw if of_sim else raw[0]
    given = {"psf": psf, "model": model, "steps": 1, "iterations": 2}
    known = [p.key for p in command.parameters if p.key != "model" or p.required]
    options = {key: given[key] for key in known if key in given}
    options |= dict.fromkeys(command.on_request, True)
    choices = command.parameter("results").choices if "results" in command.defaults else ()
    for chosen in choices or (None,):
        options |= {"results": chosen} if chosen else {}
        with progress.using(Hasty()):
            outcome = run(command, image, options)
        titles = [f"cell-{name}" for name in command.results(command.validate(options))]
        assert [one.attrs["title"] for one in outcome.images] == titles
