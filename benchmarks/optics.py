"""Width of the PSF in the deconvolution, relative to the true one, as a table.

Run ``python benchmarks/optics.py``. Each line follows the documented steps: PSF Generator... or PSF
from Beads..., the PSF saved as TIFF, Zero-Shot Deconvolve... with that file (one step). Then a
point on the grid of the deconvolved image is blurred by the optics of the model, and compared with
what the camera shows of that point: the PSF on a grid of a twelfth of the camera's pixel,
integrated over that pixel once. The beads are points at random places in an image of the same
camera, with shot noise and read noise. `ratio` is the factor by which the true PSF has to be
widened to fit that of the model (least squares), `misfit` the remaining root mean square, relative
to that of the PSF.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy.interpolate import RectBivariateSpline
from scipy.optimize import minimize_scalar

import zsfiji
from zsfiji.images import tiff
from zsfiji.learning import models
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.services.deconvolve.service import METHOD

FINER = 12
"""Pixels of the true PSF per pixel of the camera."""

PHOTONS, READ, FLOOR = 5000.0, 1.5, 100.0
"""Photons of a bead, read noise and offset of the camera."""


@dataclass(frozen=True)
class Case:
    """An objective and a camera; micrometres and nm."""

    pixel: float
    aperture: float
    immersion: float = 1.515
    emission: float = 525.0

    @property
    def airy(self) -> float:
        """Radius of the first dark ring in micrometres."""
        return 0.61e-3 * self.emission / self.aperture


CASES = (Case(0.0626, 1.4), Case(0.108, 1.4), Case(0.325, 0.75, 1.0))
"""The pixels of the authors' images, and those of 6.5 um cameras at 60x and 20x."""


class Truth:
    """What the camera shows of a point: the light of the PSF on each of its pixels."""

    def __init__(self, case: Case) -> None:
        self.case = case
        step = case.pixel / FINER
        size = 2 * int(8 * case.airy / step) + 1
        optics = Optics("wide-field", case.aperture, case.emission, case.immersion)
        fine = from_optics(optics, (step, step), (size, size)).values
        edges = (np.arange(size + 1) - size / 2) * step
        sums = np.pad(fine.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        self._light = RectBivariateSpline(edges, edges, sums)

    def __call__(self, y: np.ndarray, x: np.ndarray, wider: float = 1.0) -> np.ndarray:
        """Light on pixels whose centres lie at `y` and `x` from the point, for a wider PSF."""
        half = self.case.pixel / 2
        low, high = ([(c / wider + s * half) for c in (y, x)] for s in (-1, 1))
        light = self._light
        return light(*high) - light(low[0], high[1]) - light(high[0], low[1]) + light(*low)


def effective(psf: torch.Tensor, upsample: int, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """The image of a point: distances along an axis, and light.

    The point is placed in each of the fine pixels of a pixel of the camera. These images together
    give the PSF at steps of a fine pixel.
    """
    optics = Degradation(psf.double(), upsample)
    count = 2 * max(optics.margin) + 3
    middle = count // 2
    light = np.zeros((count * upsample, count * upsample))
    for row in range(upsample):
        for col in range(upsample):
            specimen = torch.zeros(count * upsample, count * upsample, dtype=torch.float64)
            specimen[middle * upsample + row, middle * upsample + col] = 1
            seen = optics(specimen).numpy() * upsample**2
            light[upsample - 1 - row :: upsample, upsample - 1 - col :: upsample] = seen
    where = (np.arange(count * upsample) - (count * upsample - 1) / 2) * pixel / upsample
    return where, light


def width_ratio(case: Case, psf: torch.Tensor, upsample: int) -> tuple[float, float]:
    """Ratio of the widths, and the misfit that is left; see the top of this file."""
    truth = Truth(case)
    where, light = effective(psf, upsample, case.pixel)
    inside = np.abs(where) < 1.6 * case.airy + case.pixel
    where, light = where[inside], light[np.ix_(inside, inside)]

    def misfit(wider: float) -> float:
        true = truth(where, where, wider)
        scaled = true * (true * light).sum() / (true * true).sum()
        return float(np.sqrt(((scaled - light) ** 2).sum() / (light**2).sum()))

    found = minimize_scalar(misfit, bounds=(0.8, 1.4), method="bounded")
    return float(found.x), float(found.fun)


def calibrated(pixels: np.ndarray, pixel: float) -> xr.DataArray:
    """An image with a pixel size."""
    dims = ("row", "col")
    coords = {d: np.arange(n) * pixel for d, n in zip(dims, pixels.shape, strict=True)}
    return xr.DataArray(
        pixels, dims=dims, coords=coords, attrs={"units": dict.fromkeys(dims, "micron")}
    )


def beads(case: Case, seed: int = 0) -> xr.DataArray:
    """Beads at random fractions of pixels, as the camera shows them."""
    truth, draws = Truth(case), np.random.default_rng(seed)
    apart = 2 * int(np.ceil(5 * case.airy / case.pixel)) + 5
    count = 10
    light = np.zeros((apart * count,) * 2)
    places = np.arange(apart)
    for row in range(count):
        for col in range(count):
            y, x = apart // 2 + draws.uniform(-0.5, 0.5, 2)
            seen = truth((places - y) * case.pixel, (places - x) * case.pixel)
            corner = row * apart, col * apart
            light[corner[0] : corner[0] + apart, corner[1] : corner[1] + apart] += seen
    mean = PHOTONS * np.clip(light, 0, None) + 1
    noisy = draws.poisson(mean) + READ * draws.normal(size=mean.shape) + FLOOR
    return calibrated(noisy.astype(np.float32), case.pixel)


def generated(case: Case) -> xr.DataArray:
    """The PSF as PSF Generator... makes it for the pixels of the camera."""
    return zsfiji.psf_generator(
        na=case.aperture,
        emission=case.emission,
        immersion=case.immersion,
        pixel_size=1000 * case.pixel,
    )


def measured(case: Case) -> xr.DataArray:
    """The PSF as PSF from Beads... makes it of an image by the same camera."""
    return zsfiji.psf_from_beads(beads(case))


def used(case: Case, psf: xr.DataArray, upsample: int, folder: Path) -> torch.Tensor:
    """The PSF that a model has, after the PSF was saved and the model trained."""
    draws = np.random.default_rng(0)
    light = np.repeat(np.repeat(draws.uniform(5, 50, (16, 16)), 4, 0), 4, 1)
    image = calibrated(draws.poisson(light).astype(np.float32), case.pixel)
    file, model = folder / "psf.tif", folder / "model.zsfiji"
    tiff.write(psf, file)
    zsfiji.deconvolve(image, psf=file, upsample=upsample, steps=1, save_model=model)
    return models.load(model, METHOD).units[0].optics.psf


SOURCES = {"PSF Generator": generated, "PSF from Beads": measured}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--upsample", nargs="+", type=int, default=[2, 1], choices=[1, 2])
    given = parser.parse_args()
    print("| pixel (nm) | NA | PSF | upsample | ratio | misfit |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for name, make in SOURCES.items():
            psf = make(case)
            for upsample in given.upsample:
                with tempfile.TemporaryDirectory() as folder:
                    found = used(case, psf, upsample, Path(folder))
                ratio, misfit = width_ratio(case, found, upsample)
                print(
                    f"| {1000 * case.pixel:g} | {case.aperture} | {name} | {upsample} "
                    f"| {ratio:.3f} | {misfit:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
