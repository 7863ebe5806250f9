"""Denoisers compared on pairs of a noisy capture and its truth, as one Markdown table.

Run ``python benchmarks/denoising.py [folder] [--methods quick standard ...] [--seeds 3] [--images
Confocal_BPAE_B_1 ...] [--threads 2] [--times]``. The folder has ``raw/NAME_NUMBER.png`` (noisy
captures) and ``gt/NAME.png`` (their truths, for example the mean of 50 captures), 8 bit; NAME
begins with the modality. Without a folder ``../shared/data/fmd`` is read.

With ``--times`` it prints instead how long ours take for the middle 128 x 128 pixels of the first
capture and for all of it: each in a new process, the first call and a second one. The first has to
load the rest of the program as well.

Each method runs in a process of its own, and all have the same number of threads; the line above
the table names the processor. The seconds are elapsed time per image and CPU time of all threads
per image, training included: on a busy computer only the CPU times compare. "FM2S published" is the
authors' training on the whole 8-bit image (quality=best) with their constants for the microscope,
"FM2S patches" the same steps on patches (quality=standard). The memory is the most that the process
used above what it had with torch loaded and idle. PSNR is for a peak of 255; "aligned" is after the
gain and the offset that fit the truth best, because the brightness drifts between a capture and the
truth.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "fmd"
PEAK = 255.0
"""Data range of 8-bit images."""

OURS = ("quick", "standard", "best")


@dataclass(frozen=True)
class Score:
    """Quality of one method on one image."""

    name: str
    psnr: float
    ssim: float
    psnr_aligned: float
    ssim_aligned: float
    seconds: float
    cpu: float


def read_pairs(
    folder: Path, only: Sequence[str] | None = None
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Names, noisy captures and truths, of all or only of some captures."""
    from skimage.io import imread

    pairs = []
    for path in sorted((folder / "raw").glob("*.png")):
        if only and path.stem not in only:
            continue
        truth = folder / "gt" / f"{path.stem.rpartition('_')[0]}.png"
        planes = [np.asarray(imread(p), dtype=np.float32) for p in (path, truth)]
        noisy, truth_plane = (p if p.ndim == 2 else p[..., 0] for p in planes)
        pairs.append((path.stem, noisy, truth_plane))
    return pairs


def method(name: str, sigma: float, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """The denoiser of that name, a function from plane to plane."""
    from zsfiji.quality import baselines

    if name in OURS:
        return _command("denoise", seed, quality=name)
    if name == "FM2S auto":
        return _command("fm2s", seed, modality="auto")
    return {
        "noisy": lambda plane: plane,
        f"Gaussian {sigma:g}": lambda plane: baselines.gaussian(plane, sigma),
        "Gaussian 2.5": lambda plane: baselines.gaussian(plane, 2.5),
        "non-local means": _stabilised_non_local_means,
        "ND-SAFIR": baselines.ndsafir,
    }[name]


def _command(name: str, seed: int, **options: str) -> Callable[[np.ndarray], np.ndarray]:
    """A command of ours, as Python calls it."""
    import zsfiji

    return partial(getattr(zsfiji, name), seed=seed, **options)


PUBLISHED = {"FM2S published": "best", "FM2S patches": "standard"}
"""Rows of FM2S with the authors' constants, and their quality."""


def _published(name: str, label: str, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """FM2S with the constants of the image's own modality, as its user would choose them."""
    modality = label.split("_")[0].lower()
    denoiser = _command("fm2s", seed, modality=modality, quality=PUBLISHED[name])
    # Full scale is that of 8 bit.
    return lambda plane: denoiser(plane.astype(np.uint8))


def _stabilised_non_local_means(plane: np.ndarray) -> np.ndarray:
    """Non-local means under the best conditions: on stabilised noise of standard deviation 1."""
    from skimage.restoration import denoise_nl_means

    from zsfiji.physics.camera.calibration.calibrate import calibrate
    from zsfiji.physics.filters.anscombe import Stabiliser

    stabiliser = Stabiliser.of(calibrate([plane]))
    result = denoise_nl_means(
        stabiliser.forward(plane), h=0.6, sigma=1.0, patch_size=5, patch_distance=6, fast_mode=True
    )
    return stabiliser.inverse(result).astype(np.float32)


class _Memory(threading.Thread):
    """Reads every few milliseconds how much memory this process has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        import psutil

        self._process = psutil.Process()
        self.idle = self.highest = self._process.memory_info().rss

    def run(self) -> None:
        while True:
            self.highest = max(self.highest, self._process.memory_info().rss)
            time.sleep(0.01)

    def above_idle(self) -> float:
        """Megabytes."""
        return (self.highest - self.idle) / 1e6


def measure(
    name: str,
    folder: Path,
    only: Sequence[str] | None,
    sigma: float,
    seed: int,
    threads: int,
) -> tuple[list[Score], float]:
    """Run a method over all pairs; scores, and megabytes above the idle process."""
    import torch

    from zsfiji.quality.metrics import aligned, psnr, ssim

    torch.set_num_threads(threads)
    denoiser = method("noisy" if name in PUBLISHED else name, sigma, seed)
    pairs = read_pairs(folder, only)
    memory = _Memory()
    memory.start()
    scores = []
    for label, noisy, truth in pairs:
        if name in PUBLISHED:
            denoiser = _published(name, label, seed)
        began, used = time.perf_counter(), time.process_time()
        result = denoiser(noisy)
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        held = np.clip(result, 0, PEAK)
        fitted = np.clip(aligned(result, truth), 0, PEAK)
        scores.append(
            Score(
                label,
                psnr(truth, held, data_range=PEAK),
                ssim(truth, held, data_range=PEAK),
                psnr(truth, fitted, data_range=PEAK),
                ssim(truth, fitted, data_range=PEAK),
                seconds,
                cpu,
            )
        )
        print(f"{name}, seed {seed}: {label} {scores[-1].psnr:.2f} dB", file=sys.stderr, flush=True)
    return scores, memory.above_idle()


def row(name: str, scores: Sequence[Score], noisy: Sequence[Score], megabytes: float) -> str:
    """One line of the table."""
    kinds = sorted({s.name.split("_")[0] for s in noisy})

    def pair(chosen: Sequence[Score]) -> str:
        return f"{mean(s.psnr for s in chosen):.2f} / {mean(s.ssim for s in chosen):.3f}"

    below = sum(s.psnr < n.psnr for s, n in zip(scores, noisy, strict=True))
    cells = [
        name,
        *(pair([s for s in scores if s.name.split("_")[0] == kind]) for kind in kinds),
        f"**{pair(scores)}**",
        f"{mean(s.psnr_aligned for s in scores):.2f} / {mean(s.ssim_aligned for s in scores):.3f}",
        f"{min(s.psnr - n.psnr for s, n in zip(scores, noisy, strict=True)):+.2f}",
        str(below),
        f"{mean(s.seconds for s in scores):.1f}",
        f"{mean(s.cpu for s in scores):.1f}",
        f"{megabytes:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def mean(values: object) -> float:
    return statistics.fmean(values)  # type: ignore[arg-type]


def spread(name: str, runs: Sequence[Sequence[Score]]) -> str:
    """How much the results of seeds differ: the mean PSNR, and single images."""
    means = [mean(s.psnr for s in run) for run in runs]
    single = [statistics.pstdev(run[i].psnr for run in runs) for i in range(len(runs[0]))]
    return (
        f"{name}: {len(runs)} seeds, mean PSNR {min(means):.3f} to {max(means):.3f} dB; standard "
        f"deviation of one image's PSNR {mean(single):.3f} dB, at most {max(single):.3f} dB"
    )


def times(name: str, plane: np.ndarray, threads: int) -> tuple[float, float, float]:
    """Seconds of the first and of the second call in this process, and CPU time of the second."""
    import torch

    import zsfiji

    torch.set_num_threads(threads)
    elapsed = []
    for _ in range(2):
        began, used = time.perf_counter(), time.process_time()
        zsfiji.denoise(plane, quality=name)
        elapsed.append(time.perf_counter() - began)
        cpu = time.process_time() - used
    return elapsed[0], elapsed[1], cpu


def print_times(plane: np.ndarray, names: Sequence[str], threads: int) -> None:
    """Print a table of :func:`times`."""
    print(f"{threads} threads of {processor()}.\n")
    print("| quality | pixels | s, first call | s, second call | CPU s |\n|" + " --- |" * 5)
    context = multiprocessing.get_context("spawn")
    for name in names:
        for edge in (128, min(plane.shape)):
            top, left = ((length - edge) // 2 for length in plane.shape)
            part = plane[top : top + edge, left : left + edge].copy()
            with context.Pool(1) as pool:
                found = pool.apply(times, (name, part, threads))
            cells = " | ".join(f"{seconds:.1f}" for seconds in found)
            print(f"| {name} | {edge} x {edge} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--methods", nargs="*", help="rows of the table; all without it")
    parser.add_argument("--images", nargs="*", help="captures by name; all without it")
    parser.add_argument("--seeds", type=int, default=1, help="runs of ours, to see the spread")
    parser.add_argument("--threads", type=int, default=2, help="processor cores for torch")
    parser.add_argument("--times", action="store_true", help="only how long ours take")
    options = parser.parse_args()
    pairs = read_pairs(options.folder, options.images)
    if not pairs:
        parser.error(f"there are no pairs in {options.folder}")
    if options.times:
        chosen = [name for name in OURS if name in (options.methods or OURS)]
        print_times(pairs[0][1], chosen, options.threads)
        return

    from zsfiji.quality.baselines import best_sigma

    sigma = best_sigma([(noisy, truth) for _, noisy, truth in pairs], data_range=PEAK)
    names = ["noisy", f"Gaussian {sigma:g}", "Gaussian 2.5", "non-local means", "ND-SAFIR"]
    names += [*PUBLISHED, "FM2S auto", *OURS]
    if options.methods:
        names = ["noisy", *(n for n in names[1:] if n in options.methods)]
    kinds = sorted({name.split("_")[0] for name, _, _ in pairs})
    head = ["method", *kinds, "mean", "mean, aligned", "least gain, dB", "below noisy"]
    head += ["s an image", "CPU s", "MB"]
    print(f"{len(pairs)} pairs; PSNR in dB / SSIM. The best single Gaussian has sigma {sigma:g}.")
    print(f"{options.threads} threads of {processor()}.\n")
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    notes = []
    reference: Sequence[Score] = ()
    # A new process for each method: otherwise memory of one would count for the next.
    context = multiprocessing.get_context("spawn")
    for name in names:
        runs = []
        for seed in range(options.seeds if name in OURS else 1):
            with context.Pool(1) as pool:
                arguments = (name, options.folder, options.images, sigma, seed, options.threads)
                scores, megabytes = pool.apply(measure, arguments)
            runs.append(scores)
        reference = reference or runs[0]
        print(row(name, runs[0], reference, megabytes), flush=True)
        if len(runs) > 1:
            notes.append(spread(name, runs))
    print("\n" + "\n".join(notes) if notes else "")


if __name__ == "__main__":
    main()
