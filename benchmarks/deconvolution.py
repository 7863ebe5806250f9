"""Deconvolution compared on simulated specimens with their truth, and on real images, as tables.

Run ``python benchmarks/deconvolution.py [--kinds filaments tubules ...] [--photons 5 15 50]
[--seeds 0] [--size 256] [--stack [--slices 16]] [--steps 600] [--threads 2]``, or
``--real FOLDER`` for the images in the folders wf_lysosome, wf_microtubule and celegans2d of
FOLDER. Each simulated image is a specimen on a grid of 31 nm, blurred by the PSF of an objective of
NA 1.3 at 525 nm, binned to pixels of 62.6 nm (a stack is part of a larger specimen, whose haze
overlaps it), and recorded by a camera of gain 2.2, offset 100 and read noise 1.5; `photons` is the
99.5 % quantile of the photoelectrons per pixel.

The classical methods are oracles: number of iterations, strength of the total variation and filter
are chosen with the truth. The published network gets the time that our default took on the same
image. PSNR is relative to the specimen on the fine grid; its range is from the minimum to the 99.9
% quantile, after fitting gain and offset. FRC is the period at which the ring correlation with the
truth falls below one half; resolution is that of decorrelation analysis, which needs no truth. RSP
and RSE compare the result, blurred again, with the noisy image, whose noise limits them; RSE is in
standard deviations of the noise. The width is that of the mean profile across lines. FRC of real
images is that of two images of independent noise, each with twice the variance, made from the one
image. Our default takes `--steps` (0: those of quick). With `--bound` it also learns from other
simulated specimens of the kind instead of the image itself: about the best that is possible.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from zsfiji import progress
from zsfiji.images.tiff import read
from zsfiji.physics.camera.calibration.calibrate import calibrate
from zsfiji.physics.camera.exposure import expose
from zsfiji.physics.camera.model import measure
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.files import read_psf
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.optics.resample import match
from zsfiji.physics.specimens import KINDS, specimen
from zsfiji.quality.baselines import non_local_means
from zsfiji.quality.error_map import consistency
from zsfiji.quality.metrics import aligned, nrmse, psnr, ssim
from zsfiji.quality.resolution import decorrelation_resolution, frc_resolution, ridge_width
from zsfiji.quality.richardson_lucy_tv import richardson_lucy
from zsfiji.services.deconvolve.kinds import RESTORERS, FastPlanes
from zsfiji.services.deconvolve.networks import FastNet
from zsfiji.services.deconvolve.service import METHOD, Deconvolve
from zsfiji.services.deconvolve.settings import Settings
from zsfiji.services.two_stage.fit import Given
from zsfiji.services.two_stage.task import Task
from zsfiji.services.zs_deconvnet.service import METHOD as PUBLISHED
from zsfiji.services.zs_deconvnet.settings import Settings as PublishedSettings

PIXEL, STEP = 0.0626, 0.2
"""Pixel size (that of the authors' wide-field images) and slice spacing in micrometres."""

GAIN, OFFSET, READ = 2.2, 100.0, 1.5
"""The camera, in grey levels: gain similar to that of the authors' lysosome images."""

STRENGTHS = (0.0, 0.002, 0.01, 0.05)
"""Weights of the total variation from which the truth chooses; 0.002 is Dey's."""

ITERATIONS = 160
"""Most iterations from which the truth chooses. Chosen by eye."""


@dataclass(frozen=True)
class Scene:
    """A simulated image, its truth and its optics."""

    kind: str
    photons: float
    truth: np.ndarray
    image: xr.DataArray
    optics: Degradation
    psf: Psf


@dataclass(frozen=True)
class Score:
    """What one method made of one image."""

    psnr: float
    ssim: float
    nrmse: float
    frc: float
    resolution: float
    rsp: float
    rse: float
    width: float
    seconds: float


HEADER = (
    "| image | method | PSNR | SSIM | NRMSE | FRC (nm) | resolution (nm) | RSP | RSE "
    "| line width (nm) | s |"
)


def simulate(kind: str, photons: float, shape: Sequence[int], seed: int) -> Scene:
    """Blur, bin and expose a specimen; `shape` is that of the image."""
    axes = len(shape)
    spacing = (STEP, PIXEL, PIXEL)[-axes:]
    fine = (STEP, PIXEL / 2, PIXEL / 2)[-axes:]
    finer = (*shape[:-2], 2 * shape[-2], 2 * shape[-1])
    psf = from_optics(Optics("wide-field", 1.3, 525.0), fine)
    optics = Degradation(torch.from_numpy(match(psf, fine, finer).values.astype(np.float32)), 2)
    density, mean = _seen(kind, finer, seed, psf, optics)
    scale = photons / np.quantile(mean, 0.995)
    camera = {"gain": GAIN, "offset": OFFSET, "read_noise": READ / GAIN}
    noisy, _ = expose(mean, photons=scale, seed=seed + 99, **camera)
    dims = ("pln", "row", "col")[-axes:]
    image = xr.DataArray(
        noisy,
        dims=dims,
        coords={d: np.arange(n) * s for d, n, s in zip(dims, shape, spacing, strict=True)},
        attrs={"units": dict.fromkeys(dims, "micron"), "title": kind},
    )
    return Scene(kind, photons, density * scale * GAIN + OFFSET, image, optics, psf)


def _seen(
    kind: str, shape: Sequence[int], seed: int, psf: Psf, optics: Degradation
) -> tuple[np.ndarray, np.ndarray]:
    """A specimen, and what is to be seen of it; a stack has surroundings as far as the PSF."""
    around = [0] * len(shape)
    if len(shape) == 3:
        around = [n // 2 + n // 2 % 2 for n in psf.values.shape]
        optics = Degradation(torch.from_numpy(psf.values.astype(np.float32)), 2)
    field = [n + 2 * a for n, a in zip(shape, around, strict=True)]
    density = specimen(kind, field, seed=seed, flatness=STEP / (PIXEL / 2)).astype(np.float32)
    mean = optics(torch.from_numpy(density)).numpy()
    inside = tuple(slice(a, a + n) for a, n in zip(around, shape, strict=True))
    pixels = (*inside[:-2], *(slice(s.start // 2, s.stop // 2) for s in inside[-2:]))
    return density[inside], mean[pixels]


def raw(scene: Scene) -> np.ndarray:
    """The noisy image on the fine grid."""
    return scene.image.data.astype(np.float32).repeat(2, -2).repeat(2, -1)


def _best_richardson_lucy(
    scene: Scene, light: np.ndarray, strengths: Sequence[float], background: float
) -> np.ndarray:
    """Richardson-Lucy with the iterations and the strength that the truth says are best."""
    best, found = np.inf, raw(scene)

    def each(done: int, estimate: torch.Tensor) -> None:
        nonlocal best, found
        if done % 2 == 0:
            now = estimate.numpy()
            error = float(np.square(aligned_any(now, scene.truth) - scene.truth).mean())
            if error < best:
                best, found = error, now.copy()

    axes = (-3, -2, -1) if light.ndim == 3 else (-2, -1)
    measured = torch.from_numpy(light.astype(np.float32))
    for strength in strengths:
        richardson_lucy(
            measured,
            scene.optics,
            ITERATIONS,
            tv=strength,
            background=background,
            axes=axes,
            each=each,
        )
    return found * GAIN + OFFSET


def oracle(scene: Scene) -> np.ndarray:
    """Richardson-Lucy with total variation; the read noise counts as light, as it should."""
    read = (READ / GAIN) ** 2
    light = (scene.image.data - OFFSET) / GAIN + read
    return _best_richardson_lucy(scene, light, STRENGTHS, read)


def filtered(scene: Scene) -> np.ndarray:
    """Non-local means, then Richardson-Lucy."""
    stack = scene.image.data.reshape(-1, *scene.image.shape[-2:])
    smooth = np.stack([non_local_means(plane) for plane in stack]).reshape(scene.image.shape)
    return _best_richardson_lucy(scene, np.maximum(smooth - OFFSET, 0) / GAIN, (0.0,), 0.0)


def ours(scene: Scene, steps: int) -> np.ndarray:
    """The default."""
    return trained(scene, Settings(steps=steps), METHOD)


def trained(scene: Scene, settings: Settings, method: Deconvolve) -> np.ndarray:
    """What a method makes of the image that it has learnt from."""
    model = method.fit(scene.image, settings, Given([scene.psf]))
    return method.apply(model, scene.image).images["deconvolved"].data


def bound(scene: Scene, steps: int) -> np.ndarray:
    """Our network that learns from other specimens of the kind, which no user has."""
    number = itertools.count(1000)

    class Others:
        """The source of these specimens."""

        def specimens(self, least: int, draw: torch.Generator) -> list[torch.Tensor]:
            """Make six of them."""
            shape = tuple(max(n * 2, least) for n in scene.image.shape)
            made = []
            for seed in itertools.islice(number, 6):
                density = torch.from_numpy(specimen(scene.kind, shape, seed=seed))
                level = torch.quantile(scene.optics(density), 0.995)
                light = density * scene.photons / level * GAIN
                made.append(torch.stack([light, 0 * light])[None].float())
            return made

    class FromOthers(FastPlanes):
        """The restorer that learns from them."""

        def source(self, task: Task, average: FastNet) -> Others:
            """Give them."""
            return Others()

    method = Deconvolve({**RESTORERS, (FastPlanes.kind, 2): FromOthers})
    return trained(scene, Settings(steps=steps), method)


class Deadline:
    """A user who wants the best result so far after some seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    def show(self, event: progress.Event) -> None:
        """Nobody looks."""

    def cancelled(self) -> bool:
        """Never."""
        return False

    def finish_now(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self._end


def published(scene: Scene, seconds: float) -> np.ndarray:
    """The faithful configuration, for so many seconds and no longer."""
    with progress.using(Deadline(seconds)):
        model = PUBLISHED.fit(scene.image, PublishedSettings(quality="paper"), Given([scene.psf]))
    return PUBLISHED.apply(model, scene.image, symmetries=1).images["deconvolved"].data


def aligned_any(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Gain and offset of best fit, for planes and stacks."""
    width = truth.shape[-1]
    return aligned(image.reshape(-1, width), truth.reshape(-1, width)).reshape(truth.shape)


def score(scene: Scene, result: np.ndarray, seconds: float) -> Score:
    """Measure a result; of a stack FRC, SSIM and width in its middle slice."""
    truth = scene.truth
    span = float(np.quantile(truth, 0.999) - truth.min())
    fitted = aligned_any(result, truth)
    plane, true_plane = fitted, truth
    if truth.ndim == 3:
        plane, true_plane = fitted[len(truth) // 2], truth[len(truth) // 2]
    flat, true_flat = (x.reshape(-1, truth.shape[-1]) for x in (fitted, truth))
    nm = 1000 * PIXEL / 2
    return Score(
        psnr(true_flat, flat, data_range=span),
        ssim(true_plane, plane, data_range=span),
        nrmse(true_flat, flat),
        frc_resolution(plane, true_plane, nm, threshold=0.5),
        decorrelation_resolution(plane, nm),
        *explained(scene.image.data, result, scene.optics),
        ridge_width(plane, true_plane, nm) if scene.kind != "vesicles" else float("nan"),
        seconds,
    )


def explained(noisy: np.ndarray, result: np.ndarray, optics: Degradation) -> tuple[float, float]:
    """RSP, and RSE in standard deviations of the noise; of a stack in its middle slice."""
    blurred = optics(torch.from_numpy(np.ascontiguousarray(result, dtype=np.float32))).numpy()
    plane = noisy.astype(np.float32)
    if plane.ndim == 3:
        plane, blurred = plane[len(plane) // 2], blurred[len(blurred) // 2]
    found = consistency(plane, blurred)
    noise = float(np.sqrt(calibrate([plane]).variance(plane).mean()))
    return found.rsp, found.rse / noise


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def compare(scene: Scene, steps: int, with_published: bool, with_bound: bool) -> dict[str, Score]:
    """All methods on one image."""
    scores = {"raw": score(scene, raw(scene), 0.0)}
    for name, method in (("NLM, then RL (oracle)", filtered), ("RL-TV (oracle)", oracle)):
        result, seconds = timed(partial(method, scene))
        scores[name] = score(scene, result, seconds)
    result, seconds = timed(lambda: ours(scene, steps))
    mine = score(scene, result, seconds)
    if with_published:
        result, seconds = timed(lambda: published(scene, mine.seconds))
        scores["published network, same time"] = score(scene, result, seconds)
    if with_bound:
        result, seconds = timed(lambda: bound(scene, steps))
        scores["ours, with other specimens"] = score(scene, result, seconds)
    scores["ours"] = mine
    return scores


def real_images(folder: Path) -> Iterator[tuple[str, xr.DataArray, Psf]]:
    """Calibrated real images with the PSFs that belong to them."""
    half = (PIXEL / 2, PIXEL / 2)
    lysosome, microtubule = folder / "wf_lysosome", folder / "wf_microtubule"
    psf = read_psf(lysosome / "TIRF560_cam2_0_z21_OTF2d.mrc", grid=half)
    yield "lysosomes", _calibrated(lysosome / "cell01.tif", PIXEL), psf
    psf = read_psf(microtubule / "psf_emLambda525_dxy0.0313_NA1.3.tif", spacing=(0.0313, 0.0313))
    yield "microtubules", _calibrated(microtubule / "01.tif", PIXEL), psf
    # Its optics are not told: these are usual ones for such pixels.
    psf = from_optics(Optics("wide-field", 1.4, 461.0), (0.05, 0.05))
    yield "C. elegans", _calibrated(folder / "celegans2d" / "celegans.tif", 0.1), psf


def _calibrated(path: Path, pixel: float) -> xr.DataArray:
    plane = read(str(path)).data.squeeze()
    return xr.DataArray(
        plane,
        dims=("row", "col"),
        coords={d: np.arange(n) * pixel for d, n in zip(("row", "col"), plane.shape, strict=True)},
        attrs={"units": dict.fromkeys(("row", "col"), "micron"), "title": path.stem},
    )


def halves(image: xr.DataArray) -> list[xr.DataArray]:
    """Two images of independent noise out of one, each with twice its variance (equation 2)."""
    plane = image.data.astype(np.float32)
    draws = torch.Generator().manual_seed(0)
    pair = measure([plane]).recorrupt(torch.from_numpy(plane)[None, None], 1.0, draws)
    return [image.copy(data=half[0, 0].numpy()) for half in pair[:2]]


def show_real(folder: Path, steps: int) -> None:
    """What needs no truth, of the real images; lines are looked for in the deconvolved image."""
    print(
        "| image | result | FRC (nm) | resolution (nm) | RSP | RSE | line width (nm) | sharpening "
        "| s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, image, psf in real_images(folder):
        began = time.perf_counter()
        model = METHOD.fit(image, Settings(steps=steps), Given([psf]))
        both = METHOD.apply(model, image)
        seconds = time.perf_counter() - began
        nm = 1000 * float(image.coords["row"][1] - image.coords["row"][0]) / 2
        smooth, sharp = (both.images[name].data for name in ("denoised", "deconvolved"))
        optics = model.units[0].optics
        noise = float(np.sqrt(calibrate([image.data]).variance(image.data).mean()))
        grown = both.report.metrics["sharpening"]
        pair = halves(image)
        restored = [METHOD.apply(model, half).images for half in pair]
        for result, plane, repeated in (
            ("raw", image.data.astype(np.float32), pair),
            ("denoised", smooth, [r["denoised"] for r in restored]),
            ("deconvolved", sharp, [r["deconvolved"] for r in restored]),
        ):
            pixel = nm if plane is sharp else 2 * nm
            ring = frc_resolution(repeated[0].data, repeated[1].data, pixel)
            fine = plane if plane is sharp else plane.repeat(2, 0).repeat(2, 1)
            seen = optics(torch.from_numpy(np.ascontiguousarray(sharp))).numpy()
            found = consistency(image.data, seen if plane is sharp else plane)
            print(
                f"| {name} | {result} | {ring:.0f} | {decorrelation_resolution(fine, nm):.0f} "
                f"| {found.rsp:.3f} | {found.rse / noise:.2f} | {ridge_width(fine, sharp, nm):.0f} "
                f"| {grown if plane is sharp else 1:.1f} | {seconds:.0f} |",
                flush=True,
            )


def rows(title: str, scores: dict[str, Score]) -> None:
    for name, s in scores.items():
        print(
            f"| {title} | {name} | {s.psnr:.2f} | {s.ssim:.3f} | {s.nrmse:.3f} | {s.frc:.0f} "
            f"| {s.resolution:.0f} | {s.rsp:.3f} | {s.rse:.2f} | {s.width:.0f} | {s.seconds:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--photons", nargs="+", type=float, default=[5, 15, 50])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--stack", action="store_true", help="stacks instead")
    parser.add_argument("--slices", type=int, default=16, help="of the stacks")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--real", type=Path, help="folder of the real images, instead")
    parser.add_argument(
        "--published", nargs="*", type=float, help="photons at which the published network runs"
    )
    parser.add_argument(
        "--bound", action="store_true", help="also learn from other specimens, for planes"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shape = ((given.slices,) if given.stack else ()) + (given.size, given.size)
    if given.real is not None:
        show_real(given.real, given.steps)
        return
    print(HEADER)
    print("|" + " --- |" * (HEADER.count("|") - 1))
    everything = defaultdict(list)
    for kind in given.kinds:
        for photons in given.photons:
            chosen = given.published is None or photons in given.published
            for seed in given.seeds:
                scores = compare(
                    simulate(kind, photons, shape, seed), given.steps, chosen, given.bound
                )
                rows(f"{kind}, {photons:g} photons" + (f", seed {seed}" if seed else ""), scores)
                for name, found in scores.items():
                    everything[name].append(found)
    means = {
        name: Score(
            *(float(np.nanmean([getattr(s, f.name) for s in all_of])) for f in fields(Score))
        )
        for name, all_of in everything.items()
    }
    rows("mean", means)


if __name__ == "__main__":
    main()
