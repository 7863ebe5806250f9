"""Compare the published methods for SIM with plain and automatic reconstructions.

Run ``python benchmarks/sim_published.py [--methods ...] [--specimens ...] [--peaks 5,20,100,500]
[--seeds 0,1,2] [--size 128] [--steps 0]``. Scenes, truth, PSNR and the first two methods are those
of ``benchmarks/sim.py``; see there. The patterns are estimated. Methods:

plain
    The usual Wiener filter with the best of 22 constants, chosen with the truth.
automatic
    ``SIM Reconstruct...``.
zs-sim, zs-sim-automatic
    ``ZS-SIM Denoise...`` with the classical and with the automatic Wiener filter.
zs-sim-input
    The reconstruction that the network of the former gets.
deconvnet-denoised, deconvnet
    ``ZS-DeconvNet Restore...`` with ``mode=sim``, the compact network, ``--steps`` steps (0: those
    of `quick`). The deconvolved image is binned to the pixels of the reconstruction, and is
    compared as the perfect lens of the truth shows it.

A line for each specimen and peak has means over the seeds and their standard deviation. The last
lines have means over the specimens, and processor seconds.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import sim
import torch
import xarray as xr

from zsfiji.physics.camera.model import KnownCamera
from zsfiji.physics.sim.simulator import Simulation
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.finding import calibrate
from zsfiji.services.sim.linear import Linear
from zsfiji.services.sim.reconstructor import Reconstructor
from zsfiji.services.sim.settings import Settings as Reconstruction
from zsfiji.services.two_stage.fit import Given as TwoStageGiven
from zsfiji.services.zs_deconvnet.service import METHOD as DECONVNET
from zsfiji.services.zs_deconvnet.settings import Settings as DeconvnetSettings
from zsfiji.services.zs_deconvnet.sim import RawFrames, psf_of
from zsfiji.services.zs_sim.service import METHOD as ZS_SIM
from zsfiji.services.zs_sim.service import Given as ZsSimGiven
from zsfiji.services.zs_sim.settings import Settings as ZsSimSettings

Results = dict[str, np.ndarray]

CAMERA = KnownCamera(dark_level=sim.OFFSET)


def linear(made: Simulation, calibration: Calibration, steps: int) -> Results:
    """The plain and the automatic reconstruction."""
    stack = np.asarray(made.raw.data, np.float32)
    automatic, _ = Reconstructor(calibration).reconstruct(stack, Reconstruction(), sim.CPU)
    plain = sim.plain(calibration, stack, made.reference)
    return {"plain": plain, "automatic": automatic["sim"]}


def zs_sim(made: Simulation, kind: str) -> Results:
    """ZS-SIM with one of the Wiener filters."""
    settings = ZsSimSettings(filter=kind)  # type: ignore[arg-type]
    model = ZS_SIM.fit(made.raw, settings, ZsSimGiven(sim.given(), CAMERA), device="cpu")
    found = ZS_SIM.apply(model, made.raw, device="cpu").images
    name = "zs-sim" if kind == "classical" else "zs-sim-automatic"
    return {name: found["zs-sim"].data, "zs-sim-input": found["sim"].data}


def deconvnet(made: Simulation, calibration: Calibration, steps: int) -> Results:
    """ZS-DeconvNet for SIM."""
    unit = Reconstructor(calibration)
    stack = np.asarray(made.raw.data, np.float32)
    take = Linear(calibration, torch.from_numpy(stack))
    plane = take(torch.from_numpy(stack)).numpy()
    image = xr.DataArray(plane, dims=("row", "col"))
    image.attrs["units"] = {"row": "nm", "col": "nm"}
    for dim in ("row", "col"):
        image.coords[dim] = np.arange(image.sizes[dim]) * sim.PIXEL / 2
    settings = DeconvnetSettings(steps=steps)
    psf = psf_of(unit, stack, settings.upsample)
    given = TwoStageGiven([psf], raw=RawFrames(made.raw, [unit], CAMERA))
    model = DECONVNET.fit(image, settings, given, device="cpu")
    found = DECONVNET.apply(model, image, device="cpu").images
    fine = settings.upsample
    sharp = found["deconvolved"].data.reshape(plane.shape[0], fine, plane.shape[1], fine)
    seen = take.wiener.seen(torch.from_numpy(sharp.mean((1, 3))))
    return {"deconvnet-denoised": found["denoised"].data, "deconvnet": seen.numpy()}


def runs(made: Simulation, steps: int) -> dict[str, Callable[[], Results]]:
    """What is run for each method, and gives several at once."""
    calibration = calibrate(np.asarray(made.raw.data, np.float32), sim.given())
    return {
        "plain automatic": lambda: linear(made, calibration, steps),
        "zs-sim zs-sim-input": lambda: zs_sim(made, "classical"),
        "zs-sim-automatic": lambda: zs_sim(made, "automatic"),
        "deconvnet-denoised deconvnet": lambda: deconvnet(made, calibration, steps),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="plain,automatic,zs-sim-input,zs-sim,zs-sim-automatic")
    parser.add_argument("--specimens", default=",".join(sim.SPECIMENS))
    parser.add_argument("--peaks", default="5,20,100,500")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=0)
    asked = parser.parse_args(arguments)
    methods = asked.methods.split(",")
    seconds: dict[str, list[float]] = defaultdict(list)
    print("specimen peak | " + " | ".join(methods), flush=True)
    for peak in (float(p) for p in asked.peaks.split(",")):
        means: dict[str, list[float]] = defaultdict(list)
        for kind in asked.specimens.split(","):
            found: dict[str, list[float]] = defaultdict(list)
            for seed in (int(s) for s in asked.seeds.split(",")):
                made = sim.scene(kind, peak, seed, asked.size, 0.0)
                for names, run in runs(made, asked.steps).items():
                    wanted = [name for name in names.split() if name in methods]
                    if not wanted:
                        continue
                    begun = time.process_time()
                    results = run()
                    seconds[wanted[0]].append(time.process_time() - begun)
                    for name in wanted:
                        found[name].append(sim.quality(results[name], made.reference))
            cells = [f"{np.mean(found[m]):.2f} ± {np.std(found[m]):.2f}" for m in methods]
            print(f"{kind} {peak:g} | " + " | ".join(cells), flush=True)
            for method in methods:
                means[method].append(float(np.mean(found[method])))
        print(f"mean {peak:g} | " + " | ".join(f"{np.mean(means[m]):.2f}" for m in methods))
    print("CPU s | " + " | ".join(f"{m} {np.mean(s):.1f}" for m, s in seconds.items()))


if __name__ == "__main__":
    main()
