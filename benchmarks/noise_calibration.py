"""The noise calibration on simulated captures whose noise is known, and on real ones.

Run ``python benchmarks/noise_calibration.py [--draws 280] [--first 5000] [--size 256] [--real
FOLDER] [--worst 10]``. The captures are those of :mod:`captures`: `draws` of them from the seed
`first` on, and the six bright ones. Seeds below 1000 were used for tuning.

A table gives for each kind of capture: the median error of the gain (if shot noise is at least half
of the variance at the 95 % quantile of brightness), of the variance at the median brightness and at
the 95 % quantile, and the shares of captures within 10 %, 20 % and a factor of 1.5. "smoothest" is
the measurement in the smoothest blocks alone: the baseline.

FOLDER has ``raw/NAME_NUMBER.png`` (captures) and ``gt/NAME.png`` (their truths). For these the
estimated variance over the observed one of raw minus truth is printed, at both quantiles.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import captures
import numpy as np
from denoising import read_pairs

from zsfiji.physics.camera.calibration.calibrate import calibrate, in_smoothest
from zsfiji.physics.camera.calibration.filters import OUTERMOST
from zsfiji.physics.noise import SURE, Noise

FACTOR = 1.5
"""Factor beyond which a variance counts as wrong."""

TOLD = 8.4
"""Information, in nats, with which a test is wrong in 2 % of the cases, both ways: half the square
of the distance of two normal distributions, which is twice 2.05 standard deviations."""

METHODS: dict[str, Callable[[Sequence[np.ndarray]], Noise]] = {
    "smoothest": in_smoothest,
    "calibrate": calibrate,
}


@dataclass(frozen=True)
class Found:
    """The calibration of a capture, relative to the truth."""

    capture: captures.Capture
    noise: Noise
    gain: float
    median: float
    bright: float
    seconds: float

    @property
    def off(self) -> bool:
        """Whether a variance is wrong by more than the factor."""
        return max(abs(np.log(max(v, 1e-9))) for v in (self.median, self.bright)) > np.log(FACTOR)

    @property
    def sure(self) -> bool:
        """Whether the user is not warned."""
        return self.noise.confidence >= SURE


def found(capture: captures.Capture, method: Callable[[Sequence[np.ndarray]], Noise]) -> Found:
    """Calibrate a capture."""
    start = time.perf_counter()
    noise = method([capture.noisy])
    seconds = time.perf_counter() - start
    levels = [float(np.quantile(capture.truth, q)) for q in (0.5, 0.95)]
    median, bright = (float(noise.variance(x)) / capture.variance(x) for x in levels)
    return Found(capture, noise, noise.gain / capture.gain, median, bright, seconds)


def information(capture: captures.Capture) -> float:
    """What the corner of the DCT tells about the correlation of noise, in nats.

    The Kullback-Leibler divergence of the capture's true noise, rounding included, from white noise
    of the same power in the four coefficients nearest to the corner, in all blocks that do not
    overlap. Structure may have any power at the lower frequencies, so nothing else tells in
    general; in an image without structure all coefficients would.

    Parameters
    ----------
    capture : captures.Capture
        With correlated noise.
    """
    assert capture.spectrum is not None, "white noise has no correlation"
    variance = capture.variance(float(np.median(capture.truth))) - captures.ROUNDING
    power = variance * capture.spectrum[OUTERMOST] + captures.ROUNDING
    blocks = capture.noisy.size / capture.spectrum.size
    ratio = power / power.mean()
    return float(blocks / 2 * (ratio - 1 - np.log(ratio)).sum())


def shares(ratios: Sequence[float]) -> str:
    """Median error, and shares within 10 %, 20 % and the factor."""
    if not ratios:
        return "-"
    r = np.asarray(ratios)
    error = np.abs(r - 1)
    within = np.abs(np.log(np.maximum(r, 1e-9))) < np.log(FACTOR)
    return (
        f"{np.median(error):.3f} / {np.mean(error < 0.1):.2f} / {np.mean(error < 0.2):.2f} / "
        f"{np.mean(within):.3f}"
    )


def _white_of(kind: str, found: Found) -> bool:
    return found.capture.white and found.capture.kind == kind


def table(name: str, all_found: Sequence[Found]) -> None:
    """Print the table of one method, and its mistakes."""
    rows: dict[str, Callable[[Found], bool]] = {
        "all": lambda f: True,
        "white": lambda f: f.capture.white,
        "correlated": lambda f: not f.capture.white,
        "saturated": lambda f: f.capture.saturation is not None,
        "white, pixels finer than Nyquist's": lambda f: f.capture.white and f.capture.sampling < 1,
        "white, coarser": lambda f: f.capture.white and f.capture.sampling >= 1,
        "white, 100 photons or more": lambda f: f.capture.white and f.capture.photons >= 100,
    }
    for kind in (*captures.KINDS, "bright"):
        rows[f"white, {kind}"] = partial(_white_of, kind)
    print(f"\n### {name}: median error / within 10 % / 20 % / a factor of {FACTOR}\n")
    print("| captures | number | gain | variance at the median | at the brightest twentieth |")
    print("| --- | --- | --- | --- | --- |")
    for label, chosen in rows.items():
        some = [f for f in all_found if chosen(f)]
        gains = [f.gain for f in some if f.capture.shot > 0.5]
        columns = [shares(v) for v in (gains, [f.median for f in some], [f.bright for f in some])]
        print(f"| {label} | {len(some)} | {' | '.join(columns)} |")
    white = [f for f in all_found if f.capture.white]
    correlated = [f for f in all_found if not f.capture.white]
    off = [f for f in all_found if f.off]
    mistaken = sum(not f.noise.white for f in white)
    missed = [f for f in correlated if f.noise.white]
    print(f"\nwhite noise called correlated: {mistaken} of {len(white)}")
    untold = sum(information(f.capture) < TOLD for f in missed)
    print(f"correlated noise missed: {len(missed)} of {len(correlated)}, ", end="")
    print(f"of which {untold} cannot be told by the corner of the DCT (less than {TOLD} nats)")
    print(f"variance wrong by more than {FACTOR}: {len(off)}, of which without a warning: ", end="")
    print(sum(f.sure for f in off))
    print(f"warnings: {sum(not f.sure for f in all_found)} of {len(all_found)}")
    print(f"seconds: median {np.median([f.seconds for f in all_found]):.2f}")


def worst(all_found: Sequence[Found], number: int) -> None:
    """Print the captures with the largest errors."""
    order = sorted(all_found, key=lambda f: -max(abs(np.log([f.median, f.bright]))))
    for f in order[:number]:
        print(
            f"{f.capture.name}: gain {f.gain:.2f}, variances {f.median:.2f} and {f.bright:.2f} of "
            f"the truth, {'white' if f.noise.white else 'correlated'}, confidence "
            f"{f.noise.confidence:.2f}"
        )


def show_real(folder: Path) -> None:
    """Print estimated over observed variance of real pairs."""
    print(f"\n| capture | {' | '.join(METHODS)} | confidence |")
    print("| --- | --- | --- | --- |")
    for name, noisy, truth in read_pairs(folder):
        line = np.polyfit(truth.ravel().astype(float), noisy.ravel().astype(float), 1)
        mean = np.polyval(line, truth.astype(float))
        points = []
        for low, high in ((0.4, 0.6), (0.92, 0.98)):
            lowest, highest = np.quantile(mean, (low, high))
            there = (mean >= lowest) & (mean <= highest) & (noisy < noisy.max())
            points.append((float(mean[there].mean()), float((noisy - mean)[there].var())))
        columns = []
        for noise in (method([noisy]) for method in METHODS.values()):
            columns.append(", ".join(f"{float(noise.variance(x)) / v:.2f}" for x, v in points))
        print(f"| {name} | {' | '.join(columns)} | {noise.confidence:.2f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=280)
    parser.add_argument("--first", type=int, default=5000, help="seed of the first draw")
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--real", type=Path, help="folder with raw/ and gt/")
    parser.add_argument("--worst", type=int, default=10, help="captures to name")
    options = parser.parse_args()
    drawn = [captures.draw(options.first + n, options.size) for n in range(options.draws)]
    drawn += captures.bright()
    for name, method in METHODS.items():
        all_found = [found(capture, method) for capture in drawn]
        table(name, all_found)
        worst(all_found, options.worst)
    if options.real is not None:
        show_real(options.real)


if __name__ == "__main__":
    main()
