"""Check whether the result of a method is ever worse than the noisy image.

Run ``python benchmarks/never_worse.py [--method denoise|deconvolve] [--draws 20] [--first 3000]
[--size 128] [--steps 0]``. The images are those of :mod:`captures`: `draws` of them from the seed
`first` on, and the six bright ones. A line for each has the RMSE of the result against the truth,
over that of the noisy image, in the pixels that are not saturated. For ``deconvolve`` the second
number is that of the deconvolved image, blurred again with the PSF of the capture, without the
borders that light from outside reaches. `steps` is for ``deconvolve``; 0 means those of `quick`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import Final

import captures
import numpy as np
import torch
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.physics.camera.model import NOTHING_KNOWN
from zsfiji.physics.optics.kernel import normalised
from zsfiji.quality.sharpening import away_from_borders
from zsfiji.services.deconvolve.service import METHOD as DECONVOLVE
from zsfiji.services.deconvolve.settings import Settings
from zsfiji.services.denoise.service import METHOD as DENOISE
from zsfiji.services.denoise.settings import Settings as DenoiseSettings
from zsfiji.services.method import Restored
from zsfiji.services.two_stage.fit import Given

PIXEL = 0.1
UPSAMPLE: Final = 2
"""Pixel size in micrometres, and pixels of the deconvolved image per pixel of the image."""


def image_of(capture: captures.Capture) -> xr.DataArray:
    """The noisy image, calibrated."""
    coords = {
        d: np.arange(n) * PIXEL for d, n in zip(("row", "col"), capture.noisy.shape, strict=True)
    }
    units = dict.fromkeys(coords, "micron")
    return xr.DataArray(capture.noisy, dims=tuple(coords), coords=coords, attrs={"units": units})


def ratio(capture: captures.Capture, result: np.ndarray, inside: Sequence[slice]) -> float:
    """RMSE of the result over that of the noisy image."""
    there = np.ones(capture.noisy.shape, dtype=bool)
    if capture.saturation is not None:
        there = capture.noisy < capture.saturation
    there = there[tuple(inside)]
    noisy, truth = (image[tuple(inside)][there] for image in (capture.noisy, capture.truth))
    errors = [float(np.mean((i - truth) ** 2)) for i in (result[tuple(inside)][there], noisy)]
    return (errors[0] / errors[1]) ** 0.5


def denoised(capture: captures.Capture, steps: int) -> tuple[Restored, dict[str, float]]:
    """What ``Zero-Shot Denoise...`` makes of it, quality `quick`."""
    image = image_of(capture)
    model = DENOISE.fit(image, DenoiseSettings(quality="quick"), NOTHING_KNOWN)
    result = DENOISE.apply(model, image)
    return result, {"denoised": ratio(capture, result.image.data, ())}


def deconvolved(capture: captures.Capture, steps: int) -> tuple[Restored, dict[str, float]]:
    """What ``Zero-Shot Deconvolve...`` makes of it."""
    image = image_of(capture)
    psf = normalised(captures.psf(capture, UPSAMPLE), (PIXEL / UPSAMPLE,) * 2)
    model = DECONVOLVE.fit(image, Settings(steps=steps, upsample=UPSAMPLE), Given([psf]))
    result = DECONVOLVE.apply(model, image)
    optics = model.units[0].optics
    reblurred = optics(torch.from_numpy(result.image.data)).numpy()
    return result, {
        "denoised": ratio(capture, result.images["denoised"].data, ()),
        "reblurred": ratio(capture, reblurred, away_from_borders(optics, reblurred.shape)),
    }


METHODS = {"denoise": denoised, "deconvolve": deconvolved}


def draws(first: int, count: int, size: int) -> Iterator[captures.Capture]:
    """The images, one after the other."""
    for seed in range(first, first + count):
        yield captures.draw(seed, size)
    yield from captures.bright(size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--method", choices=tuple(METHODS), default="denoise")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=3000, help="seed of the first draw")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--steps", type=int, default=0, help="of deconvolve; 0: those of quick")
    parser.add_argument("--notes", action="store_true", help="print what is said of each result")
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    for capture in draws(options.first, options.draws, options.size):
        began = time.perf_counter()
        try:
            result, ratios = METHODS[options.method](capture, options.steps)
        except UserError as error:
            print(f"{'refused':30s} {capture.name}: {error}", flush=True)
            continue
        shown = "  ".join(f"{name} {value:.3f}" for name, value in ratios.items())
        print(f"{shown}  {time.perf_counter() - began:4.0f} s  {capture.name}", flush=True)
        if options.notes:
            print("\n".join(f"    {note}" for note in result.report.notes), flush=True)
        for name, value in ratios.items():
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        above = sum(value > 1 for value in values)
        print(
            f"{name}: {above} of {len(values)} above 1; "
            f"median {np.median(values):.3f}, maximum {max(values):.3f}"
        )


if __name__ == "__main__":
    main()
