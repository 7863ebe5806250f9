"""How often the true error lies within the uncertainty that is given with a result.

Run ``python benchmarks/uncertainty.py [--methods denoise deconvolve] [--kinds filaments ...]
[--photons 2 10 50 500] [--seeds 0 1] [--size 128] [--optics exact] [--steps 0]
[--stack [--slices 12]] [--captures 0] [--pairs FOLDER] [--threads 1]``. The scenes are those of
:mod:`scenes`; the truth of the denoised image is the image without noise, that of the deconvolved
one the specimen. `--captures` adds so many of :mod:`captures`, from seed 5000 on; `--pairs` real
captures (the middle of them) with the mean of 50 as the truth, as :mod:`denoising` reads them, with
the gain and offset of the truth that fit best. Quality `quick`; `--steps` is for the deconvolution.

A line has the share of the pixels whose error lies within one and within two standard deviations,
the same for two in the fifth of the pixels where the truth is brightest, and the root mean squares
of the error and of the standard deviation in grey levels. Without an error of the calibration, and
if all errors were normally distributed, the shares would be 68, 95 and 95 %. The constants of
:mod:`zsfiji.services.uncertainty` were found with seeds 11 and 101.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import captures
import numpy as np
import torch
import xarray as xr
from denoising import read_pairs
from scenes import CONDITIONS, simulate

from zsfiji.images.axes import as_image
from zsfiji.physics.camera.model import NOTHING_KNOWN
from zsfiji.physics.optics.kernel import Psf
from zsfiji.quality.coverage import coverage
from zsfiji.quality.metrics import aligned
from zsfiji.services.deconvolve.service import METHOD as DECONVOLVE
from zsfiji.services.deconvolve.settings import Settings
from zsfiji.services.denoise.service import METHOD as DENOISE
from zsfiji.services.denoise.settings import Settings as DenoiseSettings
from zsfiji.services.two_stage.fit import Given
from zsfiji.services.uncertainty import NAME, with_uncertainty

KINDS = ("filaments", "tubules", "vesicles", "reticulum", "texture", "mixed")

FIRST_CAPTURE = 5000
"""First seed of the random captures; other ones than those of the tests of the denoiser."""

HEADER = (
    "| method | image | photons | seed | within 1 | within 2 | within 2, bright | RMS error "
    "| RMS of the deviation | s, plain | s, in all |"
)


def row(
    method: Any,
    name: str,
    model: Any,
    image: xr.DataArray,
    truth: np.ndarray,
    began: float,
    *,
    of: str | None = None,
    again: Callable[[], Any] | None = None,
    border: int = 0,
) -> str:
    """Apply a model, measure the uncertainty of a result, and make a line of the table.

    The result is the last one if `of` does not name another; `border` pixels at each side are left
    out. `again` makes the method that restores captures, where that is another.
    """
    restored = method.apply(model, image)
    plain = time.process_time() - began
    of = of or list(restored.images)[-1]
    found = with_uncertainty(method, model, restored, of=of, again=again() if again else None)
    whole = time.process_time() - began
    rows, cols = (slice(border, n - border) for n in truth.shape[-2:])
    truth, result, deviation = (
        np.asarray(values)[..., rows, cols]
        for values in (truth, found.images[of].data, found.images[NAME].data)
    )
    shares = (
        coverage(truth, result, deviation, 1),
        coverage(truth, result, deviation),
        coverage(truth, result, deviation, bright=True),
    )
    cells = [f"{100 * share:.1f}" for share in shares]
    cells += [f"{np.sqrt(np.mean(np.square(v))):.3g}" for v in (result - truth, deviation)]
    return f"| {name} | {' | '.join(cells)} | {plain:.0f} | {whole:.0f} |"


def denoised(name: str, image: xr.DataArray, truth: np.ndarray, seed: int) -> str:
    """A line for ``Zero-Shot Denoise...``."""
    began = time.process_time()
    model = DENOISE.fit(image, DenoiseSettings(quality="quick", seed=seed), NOTHING_KNOWN)
    return row(DENOISE, name, model, image, truth, began)


def deconvolved(
    name: str, image: xr.DataArray, truth: np.ndarray, psf: Psf, seed: int, steps: int
) -> str:
    """A line for our deconvolution."""
    began = time.process_time()
    settings = Settings(steps=steps, seed=seed)
    model = DECONVOLVE.fit(image, settings, Given([psf]))
    return row(DECONVOLVE, name, model, image, truth, began)


def rows(options: argparse.Namespace) -> Iterator[str]:
    """The lines of the table."""
    shape = (options.slices,) * options.stack + (options.size,) * 2
    for kind in options.kinds:
        for photons in options.photons:
            for seed in options.seeds:
                scene = simulate(kind, photons, shape, seed, options.optics)
                name = f"{kind} | {photons:g} | {seed}"
                if "denoise" in options.methods:
                    yield denoised(f"denoise | {name}", scene.image, scene.expected, seed)
                if "deconvolve" in options.methods:
                    yield deconvolved(
                        f"deconvolve | {name}",
                        scene.image,
                        scene.truth,
                        scene.psf,
                        seed,
                        options.steps,
                    )
    for seed in range(FIRST_CAPTURE, FIRST_CAPTURE + options.captures):
        capture = captures.draw(seed, options.size)
        name = f"denoise | capture, {capture.kind} | {capture.photons:.0f} | {seed}"
        yield denoised(name, as_image(capture.noisy), capture.truth, seed)
    if options.pairs is not None:
        for name, *both in read_pairs(options.pairs):
            middle = tuple(
                slice((n - options.size) // 2, (n + options.size) // 2) for n in both[0].shape
            )
            noisy, truth = (plane[middle] for plane in both)
            # The exposure of a capture differs a little from that of its truth.
            fitted = aligned(truth, noisy).astype(np.float32)
            yield denoised(f"denoise | {name} | | 0", as_image(noisy), fitted, 0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    both = ("denoise", "deconvolve")
    parser.add_argument("--methods", nargs="*", choices=both, default=both)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--photons", nargs="*", type=float, default=(2.0, 10.0, 50.0, 500.0))
    parser.add_argument("--seeds", nargs="*", type=int, default=(0, 1))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--optics", choices=list(CONDITIONS), default="exact")
    parser.add_argument("--steps", type=int, default=0, help="of the deconvolution; 0 as quick")
    parser.add_argument("--stack", action="store_true")
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--captures", type=int, default=0)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(HEADER)
    print("|" + " --- |" * (HEADER.count("|") - 1))
    for line in rows(options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
