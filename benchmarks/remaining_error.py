"""What is left of the error after denoising real captures, and which part no denoiser could remove.

Run ``python benchmarks/remaining_error.py [FOLDER] [--quality quick] [--images ...] [--captures 50]
[--threads 2]`` with a folder as :mod:`denoising` takes it. The truth of such pairs is the mean of
many captures, so the specimen and its light may have changed between the capture and its truth. The
columns are the mean squared error in grey levels, what it is after the gain and offset that fit
best, and after a shift as well (with its size in pixels), and the noise of the truth itself. The
last row has their means, each as a share of the error.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from denoising import FOLDER, read_pairs
from numpy.typing import NDArray
from scipy.ndimage import shift
from scipy.optimize import minimize

import zsfiji
from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.quality.metrics import aligned

_RIM = 8
"""Pixels at the border that are not compared after a shift: what lies beyond is not known."""


def error(result: NDArray, truth: NDArray) -> float:
    """Mean squared error inside the rim."""
    inside = (slice(_RIM, -_RIM),) * 2
    return float(np.square(result[inside] - truth[inside]).mean())


def registered(result: NDArray, truth: NDArray) -> tuple[NDArray, NDArray]:
    """The result moved onto the truth, gain and offset fitted, and by how many pixels it moved."""

    def moved(by: NDArray) -> NDArray:
        return aligned(shift(result, by, order=3, mode="nearest"), truth)

    start = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2]])
    found = minimize(
        lambda by: error(moved(by), truth),
        start[0],
        method="Nelder-Mead",
        options={"initial_simplex": start, "xatol": 0.01, "fatol": 1e-3},
    )
    return moved(found.x), found.x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--quality", default="standard", choices=("quick", "standard", "best"))
    parser.add_argument("--images", nargs="*", help="captures by name; all without it")
    parser.add_argument("--captures", type=int, default=50, help="of which a truth is the mean")
    parser.add_argument("--threads", type=int, default=2, help="processor cores for torch")
    options = parser.parse_args()
    pairs = read_pairs(options.folder, options.images)
    if not pairs:
        parser.error(f"there are no pairs in {options.folder}")
    torch.set_num_threads(options.threads)
    print(
        "| capture | error | after gain and offset | after a shift too | pixels | truth's noise |"
    )
    print("|" + " --- |" * 6)
    shares = []
    for name, noisy, truth in pairs:
        result = np.asarray(zsfiji.denoise(noisy, quality=options.quality), dtype=np.float64)
        there, by = registered(result, truth)
        parts = [error(x, truth) for x in (result, aligned(result, truth), there)]
        parts.append(float(calibrate([noisy]).variance(result).mean()) / options.captures)
        shares.append([part / parts[0] for part in parts])
        cells = [f"{part:.2f}" for part in parts]
        cells.insert(3, f"{np.hypot(*by):.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    cells = [f"{share:.0%}" for share in np.mean(shares, 0)]
    cells.insert(3, "")
    print(f"| share of the error | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
