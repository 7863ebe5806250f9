"""Compare reconstructions of simulated raw SIM images with the truth.

Run ``python benchmarks/sim.py [--methods plain,automatic,...] [--specimens ...]
[--peaks 5,20,100,500] [--seeds 0,1,2] [--size 256] [--haze 0] [--quality standard]``. Specimens
are drawn on a grid six times as fine as the camera's pixels of 65 nm. The methods are told an
objective of NA 1.4 at 525 nm whose OTF is damped to 0.6 at its cut-off; what is true instead is one
of :data:`CONDITIONS`, by the seed. The patterns are estimated. `peak` is the number of expected
photons of a frame in bright pixels of the wide-field image.

A line for each specimen and peak has the mean PSNR of each method over the seeds, and their
standard deviation. The truth is the specimen as a perfect lens shows it that resolves what SIM
does. Before the comparison an image is fitted to it by a straight line, and 16 fine pixels of the
border are left out; the range is from the darkest pixel of the truth to its 99.9 percent quantile.
"plain" is the usual Wiener filter with the best of 22 constants, chosen with the truth. "damping"
is "automatic" with the damping of the OTF measured in the image, as "zero-shot" does it too; the
others take what they are told. A stack in which no pattern is found is left out, for all methods
alike, and named. A line "mean" has the means over the specimens, and the last one
processor seconds.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import xarray as xr

from zsfiji.errors import UserError
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.physics.sim.simulator import Simulation, simulate
from zsfiji.quality.metrics import aligned, psnr
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.given import Given
from zsfiji.services.sim.reconstructor import Reconstructor
from zsfiji.services.sim.settings import Settings as Reconstruction
from zsfiji.services.zero_shot_sim.fit import fit_restorer
from zsfiji.services.zero_shot_sim.settings import Settings

NA, EMISSION, PIXEL, DAMPING = 1.4, 525.0, 65.0, 0.6
"""What the methods are told; lengths in nm."""

CUTOFF = 2 * NA / EMISSION * PIXEL
"""In cycles per pixel."""

CONDITIONS = {
    "damped": RadialTransfer(CUTOFF, 0.4),
    "low": RadialTransfer(0.97 * CUTOFF, DAMPING),
    "high": RadialTransfer(1.03 * CUTOFF, DAMPING),
    "exact": RadialTransfer(CUTOFF, DAMPING),
}
"""The true OTFs: less contrast at fine detail than assumed, NA 3 % lower, and 3 % higher."""

SPECIMENS = ("filaments", "tubules", "vesicles", "reticulum")
"""Those of the means."""

BORDER, OFFSET = 16, 100.0
CPU = torch.device("cpu")


def scene(
    kind: str, peak: float, seed: int, size: int, haze: float, condition: str | None = None
) -> Simulation:
    """A raw image and its truth; the seed says which lens is true by default."""
    lens = CONDITIONS[condition or ("damped", "low", "high")[seed % 3]]
    return simulate(
        kind,
        (size, size),
        optics=Optics("wide-field", NA, EMISSION),
        true_optics=lens,
        peak=peak,
        haze=haze,
        seed=seed,
    )


def quality(found: np.ndarray, truth: np.ndarray) -> float:
    """PSNR in dB after a fit of gain and offset."""
    inside = (slice(BORDER, -BORDER),) * 2
    image, wanted = found[inside].astype(float), truth[inside].astype(float)
    contrast = float(np.quantile(wanted, 0.999) - wanted.min())
    return psnr(wanted, aligned(image, wanted), data_range=contrast)


def given() -> Given:
    """What the methods are told."""
    return Given(RadialTransfer(CUTOFF, DAMPING), PIXEL / 1000, OFFSET)


def plain(calibration: Calibration, stack: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The usual Wiener filter with the best constant."""
    above = calibration.above(stack)
    shape = (stack.shape[-2], stack.shape[-1])
    wiener = Wiener(calibration.used, shape, calibration.transfer, weights="equal")
    numerator, top = wiener.numerator(above), float(wiener.density.max())
    images = (wiener.solve(numerator, top * 1e-4 * 1.6**n).numpy() for n in range(22))
    return max(images, key=lambda image: quality(image, truth))


def restored(
    method: str, raw: xr.DataArray, calibration: Calibration, truth: np.ndarray, settings: Settings
) -> np.ndarray:
    """The result of a method."""
    stack = np.asarray(raw.data, np.float32)
    if method == "plain":
        return plain(calibration, stack, truth)
    if method in ("automatic", "iterative"):
        kind = Reconstruction(quality=method)  # type: ignore[arg-type]
        return Reconstructor(calibration).reconstruct(stack, kind, CPU)[0]["sim"]
    own = calibrate(stack, replace(given(), measure_damping=True))
    if method == "damping":
        return Reconstructor(own).reconstruct(stack, Reconstruction(), CPU)[0]["sim"]
    unit = fit_restorer([stack], own, settings=settings, device=CPU, label="Training")
    return unit.restore(stack, CPU)[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="plain,automatic,damping,iterative,zero-shot")
    parser.add_argument("--specimens", default=",".join(SPECIMENS))
    parser.add_argument("--peaks", default="5,20,100,500")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--haze", type=float, default=0.0)
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--remove-haze", action="store_true")
    parser.add_argument("--condition")
    given_arguments = parser.parse_args(arguments)
    methods = given_arguments.methods.split(",")
    settings = Settings(
        quality=given_arguments.quality, haze="remove" if given_arguments.remove_haze else "keep"
    )
    means: dict[tuple[float, str], list[float]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    print("specimen peak | " + " | ".join(methods), flush=True)
    for peak in (float(p) for p in given_arguments.peaks.split(",")):
        for kind in given_arguments.specimens.split(","):
            found: dict[str, list[float]] = defaultdict(list)
            for seed in (int(s) for s in given_arguments.seeds.split(",")):
                made = scene(
                    kind,
                    peak,
                    seed,
                    given_arguments.size,
                    given_arguments.haze,
                    given_arguments.condition,
                )
                calibration = calibrate(np.asarray(made.raw.data, np.float32), given())
                images, taken = {}, {}
                try:
                    for method in methods:
                        begun = time.process_time()
                        image = restored(method, made.raw, calibration, made.reference, settings)
                        images[method], taken[method] = image, time.process_time() - begun
                except UserError as refused:
                    print(f"{kind} {peak:g}, seed {seed}, left out: {refused}", flush=True)
                    continue
                for method in methods:
                    seconds[method].append(taken[method])
                    found[method].append(quality(images[method], made.reference))
            if not found:
                continue
            cells = [f"{np.mean(found[m]):.2f} ± {np.std(found[m]):.2f}" for m in methods]
            print(f"{kind} {peak:g} | " + " | ".join(cells), flush=True)
            if kind in SPECIMENS:
                for method in methods:
                    means[peak, method].append(float(np.mean(found[method])))
        if any(key[0] == peak for key in means):
            cells = [f"{np.mean(means[peak, m]):.2f}" for m in methods]
            print(f"mean {peak:g} | " + " | ".join(cells), flush=True)
    print("CPU s | " + " | ".join(f"{np.mean(seconds[m]):.1f}" for m in methods))


if __name__ == "__main__":
    main()
