"""Contrast of faint structure after denoising, on simulated images, as tables.

Run ``python benchmarks/contrast.py [--kinds mixed filaments spots] [--photons 2 5 15 50] [--seeds 0
1] [--methods Gaussian quick ...] [--size 128] [--threads 1] [--keep FOLDER]``. The images are those
of :mod:`scenes`, and the truth is the image without noise: 1 is the contrast that an image without
noise has. The first columns have structure by its brightness above the background, in standard
deviations of the noise there; then comes structure of 1/12 to 1/6 of the brightest, the brightest
(from 1/2), and PSNR without any fit, in dB. All numbers are means over the seeds; empty cells have
too little structure of that brightness. The last column is the brightness, in grey levels, below
which the notes of the result say that structure may have lost contrast (0: they do not say it).
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scenes import ASSUMED, GAIN, OFFSET, PIXEL, READ, simulate

import zsfiji
from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.optics.pupil import lateral_fwhm
from zsfiji.physics.specimens import KINDS
from zsfiji.quality import baselines
from zsfiji.quality.detail import BRIGHTEST, contrast
from zsfiji.quality.faint import faintest
from zsfiji.quality.metrics import psnr

EDGES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Limits of the brightness, in standard deviations of the noise of the background."""

OURS = ("quick", "standard", "best")

METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Gaussian 1": lambda plane: baselines.gaussian(plane, 1.0),
    "non-local means": baselines.non_local_means,
    "ND-SAFIR": baselines.ndsafir,
    **{quality: partial(zsfiji.denoise, quality=quality) for quality in OURS},
}


def restored(
    name: str, kind: str, photons: float, seed: int, noisy: np.ndarray, keep: Path | None
) -> np.ndarray:
    """A result, from the folder where it was kept, if it was."""
    path = None
    if keep is not None:
        path = keep / f"denoised_{kind}_{photons:g}_{seed}_{len(noisy)}_{name}.npy"
        if path.exists():
            return np.load(path)
    result = np.asarray(METHODS[name](noisy), dtype=np.float32)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, result)
    return result


def measured(result: np.ndarray, noisy: np.ndarray, truth: np.ndarray) -> list[float]:
    """Contrasts, PSNR and the brightness that the notes name."""
    size = 1000 * lateral_fwhm(ASSUMED) / (1000 * PIXEL)
    noise = float(np.sqrt((np.median(truth) - OFFSET) * GAIN + READ**2))
    values = [
        contrast(result, truth, size, limits, brightest=noise)
        for limits in itertools.pairwise(EDGES)
    ]
    values += [contrast(result, truth, size), contrast(result, truth, size, BRIGHTEST)]
    span = float(np.quantile(truth, 0.999) - truth.min())
    values += [psnr(truth, result, data_range=span)]
    return [*values, faintest(calibrate([noisy.astype(np.float32)]), result)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["mixed", "filaments"], choices=KINDS)
    parser.add_argument("--photons", nargs="+", type=float, default=[2, 5, 15, 50])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--methods", nargs="+", default=["Gaussian 1", "quick"], choices=METHODS)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--keep", type=Path, help="folder in which results are kept")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    bins = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(EDGES)]
    head = ["image", "method", *bins, "faint", "bright", "PSNR", "notes from"]
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for kind in given.kinds:
        for photons in given.photons:
            scenes = [simulate(kind, photons, (given.size,) * 2, s) for s in given.seeds]
            for name in given.methods:
                rows = []
                for scene in scenes:
                    noisy = scene.image.data
                    result = restored(name, kind, photons, scene.seed, noisy, given.keep)
                    rows.append(measured(result, noisy, scene.expected))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)
                    means = np.nanmean(rows, 0)
                cells = ["" if np.isnan(v) else f"{v:.2f}" for v in means]
                print(f"| {kind}, {photons:g} photons | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
