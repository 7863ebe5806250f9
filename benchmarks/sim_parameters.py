"""How well the patterns of raw SIM images are found, as tables.

Run ``python benchmarks/sim_parameters.py [--size 256] [--peaks 5 20 100 1000] [--modulations 0.9
0.6 0.3] [--hazes 0 1] [--kinds ...] [--seeds 41 42] [--mismatch] [--beams two]`` for simulated
images, ``--real FOLDER`` for the real ones (folders sim_er, sim_tirf_mt, sim_hex7, sim_nsim15), or
``--time 512`` for the time of an estimate, beside napari-sim-processor and pyfairsim if they are
installed.

A wave counts as found if it is within half a step of the spectrum (1 / side) of the true one. Then
come the waves that the estimate itself says are found, those it says so of wrongly, the error of
the wave vectors in such steps (median and largest of the found, root mean square, and that of the
Cramer-Rao bound of two beams, see `bounds`), that of the phases in degrees at the middle of the
image (median and largest; of the worst frame of each angle), the error of the
modulation (mean and standard deviation) and the CPU seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import itertools
import math
import sys
import time
import types
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.light import Beams, Light
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.physics.sim.simulator import CAMERA, simulate
from zsfiji.reconstruction.layouts import Layout
from zsfiji.reconstruction.search import Estimate, estimate

KINDS = ("filaments", "tubules", "vesicles", "reticulum")
OPTICS = Optics("wide-field", 1.49, 525.0)
PIXEL = 65.0
LAYOUTS: dict[Beams, Layout] = {
    "two": Layout.TWO_BEAM,
    "three": Layout.THREE_BEAM,
    "hexagonal": Layout.HEXAGONAL,
}
FRAMES: dict[Beams, tuple[int, int]] = {"two": (3, 3), "three": (3, 5), "hexagonal": (1, 7)}
BRIGHT = 1000.0


def matched(found: Patterns, true: Patterns) -> Patterns:
    """The waves of a hexagonal pattern in the order and with the signs of the true ones."""
    vectors, phases = found.wave_vectors.clone(), found.phases.clone()
    modulation = found.modulation.clone()
    for angle, wave in itertools.product(range(true.angles), range(true.waves)):
        apart = found.wave_vectors[angle] - true.wave_vectors[angle, wave]
        other = found.wave_vectors[angle] + true.wave_vectors[angle, wave]
        same, opposite = apart.norm(dim=-1), other.norm(dim=-1)
        best = int(torch.minimum(same, opposite).argmin())
        sign = 1 if same[best] < opposite[best] else -1
        vectors[angle, wave] = sign * found.wave_vectors[angle, best]
        phases[angle, wave] = sign * found.phases[angle, best]
        modulation[angle, wave] = found.modulation[angle, best]
    return Patterns(vectors, phases, modulation, found.brightness)


def errors(found: Estimate, true: Patterns, size: int) -> np.ndarray:
    """(wave, 4): steps of the spectrum, degrees, modulation, and whether it says found."""
    here = matched(found.patterns, true)
    off = here.wave_vectors - true.wave_vectors
    middle = TURN * (size - 1) / 2 * off.sum(-1)
    turn = here.phases - true.phases + middle[..., None]
    turn = ((turn + math.pi) % TURN - math.pi).abs().amax(-1)
    return np.stack(
        [
            (off.norm(dim=-1) * size).flatten().numpy(),
            np.degrees(turn.flatten().numpy()),
            (here.modulation - true.modulation).flatten().numpy(),
            found.found.flatten().numpy(),
        ],
        1,
    )


def bounds(photons: np.ndarray) -> np.ndarray:
    """Least standard deviation (angle,) of a wave vector in steps of the spectrum: Cramer-Rao.

    Of an estimate without bias that knows everything else but the phase, the specimen included;
    two beams. `photons` are the expected ones, (angle, frame, row, col).
    """
    frames, rows, cols = photons.shape[1:]
    turn = np.exp(-1j * TURN * np.arange(frames) / frames)
    wave = np.abs(np.einsum("f,afyx->ayx", turn, photons)) * (2 / frames)
    noise = (photons.mean(1) + CAMERA.read_noise**2) * (4 / frames)
    found = []
    for information in 2 * (TURN * wave) ** 2 / noise:
        y, x = (np.arange(n, dtype=float) for n in (rows, cols))
        total = information.sum()
        y -= (information.sum(1) * y).sum() / total
        x -= (information.sum(0) * x).sum() / total
        down, across = (information.sum(1) * y**2).sum(), (information.sum(0) * x**2).sum()
        both = y @ information @ x
        covariance = np.linalg.inv([[down, both], [both, across]])
        found.append(rows * math.sqrt(np.trace(covariance)))
    return np.array(found)


def stacks(
    args: argparse.Namespace, modulation: float, haze: float
) -> Iterator[tuple[np.ndarray, Patterns, int]]:
    """Expected photons (angle, frame, row, col) at a peak of `BRIGHT`, patterns and seed."""
    angles, phases = FRAMES[args.beams]
    light = Light(angles=angles, phases=phases, beams=args.beams, modulation=modulation)
    cutoff = 2 * OPTICS.numerical_aperture / OPTICS.emission * PIXEL
    lens = OPTICS if args.mismatch else RadialTransfer(cutoff)
    for kind, seed in itertools.product(args.kinds, args.seeds):
        made = simulate(
            kind,
            (args.size, args.size),
            optics=OPTICS,
            true_optics=lens,
            light=light,
            peak=BRIGHT,
            haze=haze,
            seed=seed,
        )
        yield (made.expected - CAMERA.offset) / CAMERA.gain, made.patterns, seed


def table(args: argparse.Namespace) -> None:
    cutoff = 2 * OPTICS.numerical_aperture / OPTICS.emission * PIXEL
    print(
        "peak  m    haze | found, said, wrongly | steps                  | degrees     | "
        "modulation    | CPU s"
    )
    for haze, modulation in itertools.product(args.hazes, args.modulations):
        rows: dict[float, list[np.ndarray]] = {peak: [] for peak in args.peaks}
        least: dict[float, list[np.ndarray]] = {peak: [] for peak in args.peaks}
        seconds = dict.fromkeys(args.peaks, 0.0)
        for expected, true, seed in stacks(args, modulation, haze):
            for peak in args.peaks:
                draws = np.random.default_rng([seed, 5])
                photons = draws.poisson(np.clip(expected * (peak / BRIGHT), 0, None))
                read = draws.normal(0, CAMERA.read_noise, photons.shape)
                stack = torch.from_numpy((photons + read).astype(np.float32))
                start = time.process_time()
                found = estimate(stack, RadialTransfer(cutoff), LAYOUTS[args.beams])
                seconds[peak] += time.process_time() - start
                rows[peak].append(errors(found, true, args.size))
                least[peak].append(bounds(np.clip(expected * (peak / BRIGHT), 0, None)))
        for peak in args.peaks:
            every = np.concatenate(rows[peak])
            near, said = every[:, 0] < 0.5, every[:, 3] > 0
            good = every[near] if near.any() else every
            print(
                f"{peak:5g} {modulation:.1f} {haze:5.1f} | {near.sum():3d}/{len(every)} "
                f"{said.sum():3d} {(said & ~near).sum():3d} | "
                f"{np.median(good[:, 0]):.3f} {good[:, 0].max():.3f} "
                f"{_rms(good[:, 0]):.3f} {_rms(np.array(least[peak])):.3f} | "
                f"{np.median(good[:, 1]):5.2f} {good[:, 1].max():5.1f} | "
                f"{good[:, 2].mean():+.3f} {good[:, 2].std():.3f} | "
                f"{seconds[peak] / len(rows[peak]):.2f}",
                flush=True,
            )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


def show(name: str, stack: np.ndarray, transfer: RadialTransfer, layout: Layout, um: float) -> None:
    start = time.process_time()
    found = estimate(torch.from_numpy(stack.astype(np.float32)), transfer, layout)
    spent = time.process_time() - start
    for angle, wave in itertools.product(range(found.patterns.angles), range(found.patterns.waves)):
        at = (angle, wave)
        length = float(found.patterns.wave_vectors[at].norm())
        print(
            f"{name:14s} angle {angle + 1} wave {wave + 1}: {length / um:.4f} cycles/um "
            f"({um * 1000 / length:.1f} nm, {length / transfer.cutoff:.2f} of the cut-off) at "
            f"{float(found.direction[at]):6.2f} deg, modulation "
            f"{float(found.patterns.modulation[at]):.2f} +- "
            f"{float(found.modulation_error[at]):.2f}, "
            f"significance {float(found.significance[at]):.1f}, "
            f"{'found' if found.found[at] else 'NOT found'}"
        )
    print(f"{'':14s} drift {found.drift.range:.2f} pixels, {spent:.2f} CPU s", flush=True)


def real(folder: Path) -> None:
    for path in sorted((folder / "sim_er").glob("ER_?.tif")):
        image = tifffile.imread(path).astype(np.float32) - 95
        for t, stack in enumerate(image.reshape(-1, 3, 3, *image.shape[-2:])):
            transfer = RadialTransfer(2 * 1.49 / 525 * 65, 0.3)
            show(f"{path.stem} t={t}", stack, transfer, Layout.TWO_BEAM, 0.065)
    raw = (folder / "sim_tirf_mt" / "MT.mrc").read_bytes()
    header = np.frombuffer(raw[:1024], "<i4")
    start = 1024 + int(header[23])
    stack = np.frombuffer(raw[start:], "<u2", 9 * 256 * 256).reshape(3, 3, 256, 256)
    # Each angle was scaled to 16 bits by itself.
    dark = np.quantile(stack, 0.01, axis=(1, 2, 3))[:, None, None, None]
    pixel = 0.0626
    samples = np.load(folder / "sim_tirf_mt" / "otf488_radial.npy").astype(float)
    last, step = 160, 0.0312
    transfer = RadialTransfer(last * step * pixel, curve=samples[: last + 1])
    show("TIRF", stack - dark, transfer, Layout.TWO_BEAM, pixel)
    image = tifffile.imread(next((folder / "sim_hex7").glob("*.tif"))).astype(np.float32)
    for aperture, magnification, emission in ((0.75, 40, 0.56), (1.1, 60, 0.525)):
        pixel = 6.5 / magnification
        transfer = RadialTransfer(2 * aperture / emission * pixel)
        show(f"hexagonal {aperture}", image[None] - 202, transfer, Layout.HEXAGONAL, pixel)
    for path in sorted((folder / "sim_nsim15").glob("*_raw15_x2.tif")):
        image = tifffile.imread(path).astype(np.float32)
        image -= np.quantile(image, 0.005)
        transfer = RadialTransfer(2 * 1.49 / 525 * 32.5)
        stack = image.reshape(3, 5, *image.shape[-2:])
        show(f"N-SIM {path.stem[:2]}", stack, transfer, Layout.THREE_BEAM, 0.0325)


def napari_peer(grey: np.ndarray) -> Any:
    """napari-sim-processor, calibrated."""
    folder = find_spec("napari_sim_processor")
    assert folder is not None
    assert folder.origin is not None
    # The package itself imports a user interface.
    stub = types.ModuleType("peer")
    stub.__path__ = [str(Path(folder.origin).parent / "processors")]
    sys.modules["peer"] = stub
    with contextlib.redirect_stdout(io.StringIO()):
        peer = importlib.import_module("peer.convSimProcessor").ConvSimProcessor()
        peer.N, peer.magnification, peer.pixelsize = max(grey.shape), 1, PIXEL / 1000
        peer.NA, peer.n, peer.wavelength = OPTICS.numerical_aperture, 1.515, OPTICS.emission / 1000
        # Just below the pattern, in units of the pupil: its search begins at 1.9 times that.
        peer.eta, peer.debug = 0.85, False
        peer.calibrate(grey.reshape(9, *grey.shape[-2:]))
    return peer


def napari(grey: np.ndarray) -> np.ndarray:
    """Frequencies, in cycles per pixel, that napari-sim-processor finds."""
    peer = napari_peer(grey)
    # Its unit is NA / wavelength.
    unit = OPTICS.numerical_aperture / OPTICS.emission * PIXEL
    return np.hypot(np.ravel(peer.kx), np.ravel(peer.ky)) * unit


def fairsim_module(name: str) -> Any:
    return importlib.import_module(f"pyfairsim.{name}")


def fairsim_peer(grey: np.ndarray, damping: float) -> tuple[Any, Any]:
    """Parameters that pyfairsim found with its usual settings, and its spectra of the frames."""
    parts = fairsim_module("sim_algorithm.SIM_Parameters")
    lines = fairsim_module("sim_algorithm.Direction")
    size = grey.shape[-1]
    settings = parts.Parameters(
        [lines.Direction(2, 3) for _ in range(3)],
        parts.Microscope_Parameters(PIXEL, OPTICS.numerical_aperture, OPTICS.emission),
        parts.SIM_Parameters(damping, "EXPONENTIAL", True, 0.99, 1.2, True, 1, 0.8),
        parts.Filter_Parameters(0.05, 2, 0.9),
        parts.Image_Parameters((size, size), "paz", 0, 0, size),
    )
    with contextlib.redirect_stdout(io.StringIO()):
        frames = fairsim_module("utils.tif").fft_images(list(grey.reshape(9, size, size)), 3, 3, 0)
        fairsim_module("sim_algorithm.SIM_Utils").estimate_parameters(settings, frames, False)
    return settings, frames


def fairsim(grey: np.ndarray) -> np.ndarray:
    """Frequencies, in cycles per pixel, that pyfairsim finds."""
    settings, _ = fairsim_peer(grey, 1.0)
    return np.array([np.hypot(d.px, d.py) / grey.shape[-1] for d in settings.directions])


def ours(grey: np.ndarray) -> np.ndarray:
    """Frequencies, in cycles per pixel, that zsfiji finds."""
    cutoff = 2 * OPTICS.numerical_aperture / OPTICS.emission * PIXEL
    found = estimate(torch.from_numpy(grey), RadialTransfer(cutoff))
    return found.patterns.wave_vectors.norm(dim=-1).flatten().numpy()


PEERS = {"napari_sim_processor": napari, "pyfairsim": fairsim}


def timed(size: int) -> None:
    """Seconds of an estimate, and of the peers for the same image."""
    made = simulate("filaments", (size, size), optics=OPTICS, peak=100.0, seed=41)
    grey = made.raw.values.astype(np.float32) - CAMERA.offset
    true = made.patterns.wave_vectors.norm(dim=-1).flatten().numpy()
    there = {name: work for name, work in PEERS.items() if find_spec(name) is not None}
    for name, work in {"zsfiji": ours, **there}.items():
        # The first one prepares transforms and processes.
        for _ in range(2):
            start, spent = time.perf_counter(), time.process_time()
            found = work(grey)
            wall, cpu = time.perf_counter() - start, time.process_time() - spent
        print(
            f"{name:22s} {wall:6.2f} s ({cpu:.2f} CPU s in this process), frequencies differ by "
            f"{size * np.abs(found - true).max():.3f} steps of the spectrum at most",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--peaks", type=float, nargs="+", default=[5, 20, 100, 1000])
    parser.add_argument("--modulations", type=float, nargs="+", default=[0.9, 0.6, 0.3])
    parser.add_argument("--hazes", type=float, nargs="+", default=[0, 1])
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[41, 42])
    parser.add_argument("--beams", choices=list(LAYOUTS), default="two")
    parser.add_argument("--mismatch", action="store_true", help="a lens of vectorial optics")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--time", type=int)
    args = parser.parse_args()
    if args.real:
        real(args.real)
    elif args.time:
        timed(args.time)
    else:
        table(args)


if __name__ == "__main__":
    main()
