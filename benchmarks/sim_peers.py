"""Reconstructions of raw SIM images beside those of the peers from PyPI, in one run.

Run ``python benchmarks/sim_peers.py [--real FOLDER] [--peaks 20 100] [--seeds 41] [--size 128]
[--methods ...]``
where napari-sim-processor 0.1.1 and pyfairsim 0.0.3 are installed (both without their dependencies
but matplotlib). The peers get the best of five Wiener constants, chosen with the truth, and keep
their other settings; zsfiji gets none. Every image is moved by up to one fine pixel in steps of a
half to fit the reference best: the grids are not the same.

Simulated: PSNR in dB to the specimen as a perfect lens shows it that resolves what SIM does, after
a fit of gain and offset, mean over the specimens. Real: Pearson's correlation of the ER images
(folder sim_er, last time point) with the authors' reconstruction, without 20 fine pixels of the
border. For pyfairsim, which needs squares, the ER frames fade to the mean in a square.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import sim_parameters as tools
import tifffile
import torch
from scipy.ndimage import fourier_shift

from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.simulator import CAMERA, simulate
from zsfiji.quality.metrics import aligned, psnr
from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.reconstructor import Reconstructor
from zsfiji.services.sim.settings import Settings

CONSTANTS = (0.05, 0.1, 0.2, 0.4, 0.8)
DAMPING = 0.3
Score = Callable[[np.ndarray], float]


def moved(image: np.ndarray) -> Iterator[np.ndarray]:
    spectrum = np.fft.fft2(image)
    steps = (-1.0, -0.5, 0.0, 0.5, 1.0)
    for shift in itertools.product(steps, steps):
        yield np.fft.ifft2(fourier_shift(spectrum, shift)).real


def best(images: Iterator[np.ndarray], score: Score) -> float:
    return max(max(score(other) for other in moved(image)) for image in images)


def ours(grey: np.ndarray, quality: str) -> Iterator[np.ndarray]:
    """Grey levels above the background."""
    cutoff = 2 * tools.OPTICS.numerical_aperture / tools.OPTICS.emission * tools.PIXEL
    given = Given(RadialTransfer(cutoff, DAMPING), tools.PIXEL / 1000, 0.0)
    unit = Reconstructor(calibrate(grey, given))
    settings = Settings(quality=quality)  # type: ignore[arg-type]
    yield unit.reconstruct(grey, settings, torch.device("cpu"))[0]["sim"]


def napari(grey: np.ndarray) -> Iterator[np.ndarray]:
    frames = grey.reshape(9, *grey.shape[-2:])
    peer = tools.napari_peer(grey)
    for constant in CONSTANTS:
        peer.w = constant
        with contextlib.redirect_stdout(io.StringIO()):
            peer.calibrate(frames, findCarrier=False)
        yield np.asarray(peer.reconstruct_rfftw(frames))


def fairsim(grey: np.ndarray) -> Iterator[np.ndarray]:
    rows, cols = grey.shape[-2:]
    side = max(rows, cols)
    square = grey
    if rows != cols:
        ramp = np.minimum(1, (np.arange(rows) + 0.5) / 10)
        fade = np.minimum(ramp, ramp[::-1])[:, None]
        mean = grey.mean((2, 3), keepdims=True)
        wide = ((0, 0), (0, 0), ((side - rows) // 2,) * 2, (0, 0))
        square = np.pad((grey - mean) * fade, wide) + mean
    settings, frames = tools.fairsim_peer(square, DAMPING)
    work = tools.fairsim_module("sim_algorithm.SIM_Utils")
    top = side - rows
    for constant in CONSTANTS:
        settings.filter_parameters.wiener_filter_parameter = constant
        with contextlib.redirect_stdout(io.StringIO()):
            image = np.real(work.run_reconstruction(settings, frames)[0])
        yield image[top : top + 2 * rows, : 2 * cols]


METHODS: dict[str, Callable[[np.ndarray], Iterator[np.ndarray]]] = {
    "automatic": lambda grey: ours(grey, "automatic"),
    "iterative": lambda grey: ours(grey, "iterative"),
    "napari-sim-processor": napari,
    "pyfairsim": fairsim,
}


def simulated(args: argparse.Namespace) -> None:
    optics: Optics = tools.OPTICS
    cutoff = 2 * optics.numerical_aperture / optics.emission * tools.PIXEL
    for peak in args.peaks:
        rows = []
        for kind, seed in itertools.product(tools.KINDS, args.seeds):
            made = simulate(
                kind,
                (args.size, args.size),
                optics=optics,
                true_optics=RadialTransfer(cutoff, DAMPING),
                peak=peak,
                seed=seed,
            )
            truth = made.reference[16:-16, 16:-16].astype(float)
            contrast = float(np.quantile(truth, 0.999) - truth.min())

            def score(
                image: np.ndarray, truth: np.ndarray = truth, contrast: float = contrast
            ) -> float:
                inside = image[16:-16, 16:-16].astype(float)
                return psnr(truth, aligned(inside, truth), data_range=contrast)

            grey = made.raw.values.astype(np.float32) - CAMERA.offset
            rows.append([best(METHODS[name](grey), score) for name in args.methods])
            line(f"{kind} {peak:g}", rows[-1], 2)
        line(f"mean {peak:g} photons", np.mean(rows, 0).tolist(), 2)


def real(args: argparse.Namespace) -> None:
    for path in sorted((args.real / "sim_er").glob("ER_?.tif")):
        truth = tifffile.imread(path.with_name(f"{path.stem}_gt.tif")).astype(float)
        image = tifffile.imread(path).astype(np.float32) - 95
        grey = image.reshape(-1, 3, 3, *image.shape[-2:])[-1]
        wanted = truth[20:-20, 20:-20].ravel()

        def score(found: np.ndarray, wanted: np.ndarray = wanted) -> float:
            return float(np.corrcoef(found[20:-20, 20:-20].ravel(), wanted)[0, 1])

        line(path.stem, [best(METHODS[name](grey), score) for name in args.methods], 3)


def line(name: str, values: list[float], digits: int) -> None:
    print(f"{name:20s} | " + " | ".join(f"{v:.{digits}f}" for v in values), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--peaks", type=float, nargs="*", default=[20, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[41])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    args = parser.parse_args()
    print(f"{'':20s} | " + " | ".join(args.methods), flush=True)
    simulated(args)
    if args.real:
        real(args)


if __name__ == "__main__":
    main()
