"""Deconvolution compared on simulated specimens with their truth, as tables of mean and spread.

Run ``python benchmarks/deconvolution.py [--kinds filaments texture ...] [--photons 5 15] [--seeds 0
1 2] [--methods raw ours ...] [--size 128] [--stack [--slices 16]] [--steps 600] [--threads 2]
[--keep FOLDER]``. :mod:`scenes` says how the images are made: on a grid three times as fine as that
of the results, and with a PSF that is not the one that the methods are told. Each seed has another
specimen, other noise and, unless `--optics` chooses, another error of the PSF: NA 5 % lower, 5 %
higher, and spherical aberration alone (which the first two have as well). The table has the mean
over the seeds and the standard deviation between them. Real images: ``deconvolution_real.py``.

The classical methods are oracles; the published network gets the time that our default took on the
same image. With `--bound` our network also learns from other simulated specimens of the kind: about
the best that is possible. `--keep` keeps the results in a folder, so that they can be measured
again without training.

- PSNR, SSIM: relative to the specimen on the fine grid, after fitting gain and offset; the range is
  from its minimum to its 99.9 % quantile. Of a stack SSIM and all that follows are those of the
  slice with the most structure.
- FRC: the period at which the ring correlation with the truth falls below one half.
- two lines: the smallest distance at which, and at all larger ones, at least 3 of 4 pairs of lines
  are seen as two with a dip of 10 % and the true distance within 25 %, over all seeds; "split" is
  the share of the single lines that are shown as two. Only for "pairs" and "crossings".
- decorrelation: of the result on its own grid, without the truth.
- faint, bright: share of the true contrast of structure with 1/12 to 1/6 and with 1/2 to all of the
  brightness of the brightest. No deconvolution reaches 1: the finest detail is lost.
- power, correlation beyond: power at 1.3 to 1.7 times the cut-off frequency of the optics, relative
  to that of the truth, and correlation with the truth there. Power without correlation is invented.
- RSE: the result, blurred again, against the noisy image, in standard deviations of the noise.
- width: of the mean profile across lines.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from types import EllipsisType

import numpy as np
import torch
from deconvolvers import CLASSICAL, aligned_any, bound, ours, published
from scenes import CONDITIONS, CUTOFF, PIXEL, UPSAMPLE, Scene, simulate

from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.specimens import KINDS
from zsfiji.quality.detail import BRIGHTEST, beyond_cutoff, contrast
from zsfiji.quality.error_map import consistency
from zsfiji.quality.metrics import psnr, ssim
from zsfiji.quality.resolution import decorrelation_resolution, frc_resolution, ridge_width
from zsfiji.quality.two_lines import Seen, look, split, two_line_resolution

NM = 1000 * PIXEL / UPSAMPLE
"""Size of a pixel of the deconvolved image in nm."""

LINES = ("filaments", "tubules", "reticulum")
"""Specimens whose lines have a width."""

METHODS = {
    "raw": "raw",
    "nlm-rl": "NLM, then RL (oracle)",
    "rl-tv": "RL-TV (oracle)",
    "ours": "ours",
    "published": "published network, same time",
    "bound": "ours, with other specimens",
}
"""Name on the command line -> name in the table."""


@dataclass(frozen=True)
class Score:
    """What one method made of one image; in the order of the table."""

    psnr: float
    ssim: float
    frc: float
    decorrelation: float
    faint: float
    bright: float
    power: float
    correlation: float
    rse: float
    width: float
    seconds: float
    seen: list[Seen] = field(default_factory=list)


HEADER = (
    "image",
    "method",
    "PSNR after gain and offset fit, dB",
    "SSIM, same fit",
    "FRC, nm",
    "decorrelation, nm",
    "faint contrast",
    "bright contrast",
    "power beyond",
    "correlation beyond",
    "RSE",
    "line width, nm",
    "s",
    "two lines, nm (split)",
)
DECIMALS = (2, 3, 0, 0, 2, 2, 2, 2, 2, 0, 0)
"""Of the numbers of a score."""


def score(scene: Scene, result: np.ndarray, seconds: float, *, own: np.ndarray, nm: float) -> Score:
    """Measure a result; `own` is what is shown on its own grid, with pixels of `nm`."""
    truth = scene.truth
    span = float(np.quantile(truth, 0.999) - truth.min())
    fitted = aligned_any(result, truth)
    flat, true_flat = (x.reshape(-1, truth.shape[-1]) for x in (fitted, truth))
    shown = fullest(truth)
    plane, true_plane, fitted_plane = (x[shown] for x in (result, truth, fitted))
    size = fwhm(scene.psf)[-1] * 1000 / NM
    beyond = beyond_cutoff(plane, true_plane, CUTOFF * NM / 1000)
    return Score(
        psnr(true_flat, flat, data_range=span),
        ssim(true_plane, fitted_plane, data_range=span),
        frc_resolution(plane, true_plane, NM, threshold=0.5),
        decorrelation_resolution(own[shown], nm),
        contrast(plane, true_plane, size),
        contrast(plane, true_plane, size, BRIGHTEST),
        beyond.power,
        beyond.correlation,
        unexplained(scene.image.data, result, scene.optics, shown),
        ridge_width(plane, true_plane, NM) if scene.kind in LINES else float("nan"),
        seconds,
        look(plane, scene.pairs, NM),
    )


def fullest(truth: np.ndarray) -> int | EllipsisType:
    """The slice of a stack that has the most structure; a plane is taken whole."""
    return int(truth.std(axis=(1, 2)).argmax()) if truth.ndim == 3 else ...


def unexplained(
    noisy: np.ndarray, result: np.ndarray, optics: Degradation, shown: int | EllipsisType
) -> float:
    """RSE in standard deviations of the noise; of a stack in one slice."""
    blurred = optics(torch.from_numpy(np.ascontiguousarray(result, dtype=np.float32))).numpy()
    plane = noisy[shown].astype(np.float32)
    noise = float(np.sqrt(calibrate([plane]).variance(plane).mean()))
    return consistency(plane, blurred[shown]).rse / noise


def restored(
    scene: Scene, name: str, work: Callable[[], np.ndarray], keep: Path | None, steps: int
) -> tuple[np.ndarray, float]:
    """A result and the seconds that it took, from the folder where it was kept, if it was."""
    label = f"{scene.kind}_{scene.photons:g}_{scene.seed}_{scene.condition}_{scene.image.shape}"
    path = None if keep is None else keep / f"{label}_{name}_{steps}.npz"
    if path is not None and path.exists():
        found = np.load(path)
        return found["result"], float(found["seconds"])
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, result=result.astype(np.float32), seconds=seconds)
    print(f"{label}: {name} {seconds:.0f} s", file=sys.stderr, flush=True)
    return result, seconds


def compare(
    scene: Scene, methods: Sequence[str], steps: int, keep: Path | None
) -> dict[str, Score]:
    """The chosen methods on one image."""
    scores = {}
    taken = 0.0
    for name in methods:
        shown = METHODS[name]
        work: Callable[[], np.ndarray]
        if shown in CLASSICAL:
            work = partial(CLASSICAL[shown], scene)
        elif name == "published":
            work = partial(published, scene, taken)
        else:
            work = partial(ours if name == "ours" else bound, scene, steps)
        result, seconds = restored(scene, name, work, keep, steps)
        if name == "ours":
            taken = seconds
        raw = name == "raw"
        own = scene.image.data if raw else result
        scores[shown] = score(scene, result, seconds, own=own, nm=NM * (UPSAMPLE if raw else 1))
    return scores


def row(image: str, method: str, seeds: Sequence[Sequence[Score]]) -> str:
    """One line of the table: mean and standard deviation over the seeds, each with its scores."""
    cells = [image, method]
    for f, decimals in zip(fields(Score), DECIMALS, strict=False):
        values = np.array([_mean([getattr(s, f.name) for s in scores]) for scores in seeds])
        values = values[np.isfinite(values)]
        text = f"{values.mean():.{decimals}f}" if values.size else ""
        if values.size > 1 and f.name != "seconds":
            text += f" ± {values.std(ddof=1):.{decimals}f}"
        cells.append(text)
    seen = [s for scores in seeds for one in scores for s in one.seen]
    lines = ""
    if seen:
        smallest = two_line_resolution(seen)
        lines = f"{smallest:.0f}" if np.isfinite(smallest) else "above 300"
        if np.isfinite(split(seen)):
            lines += f" ({split(seen):.0%})"
    return "| " + " | ".join([*cells, lines]) + " |"


def _mean(values: Sequence[float]) -> float:
    """Mean of the numbers that there are."""
    there = [v for v in values if np.isfinite(v)]
    return float(np.mean(there)) if there else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--photons", nargs="+", type=float, default=[5, 15, 50])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["raw", "nlm-rl", "rl-tv", "ours"],
        choices=METHODS,
        help="ours comes before published, which gets the same time",
    )
    parser.add_argument("--optics", choices=CONDITIONS, help="the same true optics for all seeds")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--stack", action="store_true", help="stacks instead")
    parser.add_argument("--slices", type=int, default=16, help="of the stacks")
    parser.add_argument("--steps", type=int, default=0, help="of ours; 0: those of quick")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--keep", type=Path, help="folder in which results are kept")
    given = parser.parse_args()
    methods = [m for m in METHODS if m in given.methods]
    if "published" in methods and "ours" not in methods:
        parser.error("published gets the time of ours: name both")
    torch.set_num_threads(given.threads)
    shape = ((given.slices,) if given.stack else ()) + (given.size, given.size)
    print("| " + " | ".join(HEADER) + " |")
    print("|" + " --- |" * len(HEADER))
    everything: dict[str, list[list[Score]]] = {
        METHODS[m]: [[] for _ in given.seeds] for m in methods
    }
    for kind in given.kinds:
        for photons in given.photons:
            found: dict[str, list[list[Score]]] = {METHODS[m]: [] for m in methods}
            for number, seed in enumerate(given.seeds):
                scene = simulate(kind, photons, shape, seed, given.optics)
                for name, one in compare(scene, methods, given.steps, given.keep).items():
                    found[name].append([one])
                    everything[name][number].append(one)
            for name, scores in found.items():
                print(row(f"{kind}, {photons:g} photons", name, scores), flush=True)
    for name, scores in everything.items():
        print(row("all", name, scores), flush=True)


if __name__ == "__main__":
    main()
