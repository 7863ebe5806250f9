"""Reconstruction of simulated 3D-SIM stacks, as a table.

Run ``python benchmarks/sim_3d.py [--kinds filaments reticulum vesicles] [--photons 20 100 500]
[--seeds 1] [--shape 16 96 96] [--conditions exact low spherical] [--threads 1]``. Numbers are PSNR
in dB after a fit of gain and offset, with the range of the 99.9 % quantile, without 12 fine pixels
and 2 slices at the border; the truth is the specimen as a lens shows it that passes all that the
reconstruction can reach, and behind the bar the specimen itself. All are told the optics of NA 1.4;
"low" has 5 % less, "spherical" is 3 micrometres deep in a medium of index 1.48.

wide-field: the mean of all frames. Wiener, RL: that stack, deconvolved with the constant that is
fitted to it, and by Richardson-Lucy with the number of iterations (of 4 to 24) that is best for
this truth. constant w: 3D-SIM with all bands alike and a constant w set by hand, over the weight of
the lens; "best" is the one of ten that is best for this truth. automatic: with the constant that is
fitted to the stack, with the true patterns and with those that were found. iterative: joint
Richardson-Lucy of all frames with the patterns that were found (``--iterative``; a minute or two
each).
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace

import numpy as np
import torch

from zsfiji.deconvolution.richardson_lucy import deblur
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.sim.optics_3d import StackTransfer, calculated
from zsfiji.physics.sim.simulator import Camera
from zsfiji.physics.sim.simulator_3d import simulate_stack
from zsfiji.reconstruction.estimate_3d import estimate_stack
from zsfiji.reconstruction.joint_3d import JointStack
from zsfiji.reconstruction.wiener_3d import StackWiener, field_slices
from zsfiji.services.sim.iterative import explained

PIXEL, SPACING = 80.0, 125.0
CAMERA = Camera()
TOLD = Optics("wide-field", 1.4, 525.0, excitation=488.0)
CONDITIONS = {
    "exact": TOLD,
    "low": replace(TOLD, numerical_aperture=0.95 * 1.4),
    "spherical": replace(TOLD, sample_index=1.48, depth=3.0),
}
BY_HAND = (0.003, 0.01, 0.03)
CONSTANTS = tuple(10 ** (-3.5 + 0.25 * i) for i in range(10))
ITERATIONS = (4, 6, 9, 12, 17, 24)


def psnr(image: torch.Tensor, truth: torch.Tensor) -> float:
    """In dB, after a fit."""
    inside = (slice(2, -2), slice(12, -12), slice(12, -12))
    x, y = (v[inside].double().flatten() for v in (image, truth))
    x = x - x.mean()
    fitted = x * float((x * (y - y.mean())).sum() / x.square().sum()) + y.mean()
    span = float(np.quantile(y.numpy(), 0.999)) - float(y.min())
    return 10 * math.log10(span**2 / float((fitted - y).square().mean()))


def results(
    kind: str,
    photons: float,
    seed: int,
    shape: tuple[int, int, int],
    condition: str,
    iterative: bool,
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor, str]:
    """Images by their names, the truth as a lens shows it, the specimen, and what was found."""
    scene = simulate_stack(
        kind,
        shape,
        optics=TOLD,
        pixel=PIXEL,
        spacing=SPACING,
        true_optics=CONDITIONS[condition],
        camera=CAMERA,
        peak=photons,
        seed=seed,
    )
    true = scene.patterns
    raw = torch.from_numpy(scene.raw.data.astype(np.float32)) - CAMERA.offset
    read = (CAMERA.gain * CAMERA.read_noise) ** 2
    noise = CAMERA.gain * float(raw.mean()) + read
    specimen = torch.from_numpy(scene.truth) - CAMERA.offset

    def transfer(slices: int, line: float = true.finest) -> StackTransfer:
        return calculated(TOLD, pixel=PIXEL, spacing=SPACING, slices=slices, line=line)

    field = transfer(field_slices(shape[0]))
    made = StackWiener(true, shape, field)
    truth = made.seen(specimen)
    wide = raw.mean((0, 1))
    images = {"wide-field": torch.nn.functional.interpolate(wide[None], scale_factor=2)[0]}
    plain = replace(true, modulation=torch.zeros_like(true.modulation))
    images["Wiener"] = StackWiener(plain, shape, field).reconstruct(raw, noise)
    psf = from_optics(TOLD, (SPACING / 1000, PIXEL / 2000, PIXEL / 2000))
    optics = Degradation(torch.from_numpy(psf.values.astype(np.float32)), 2)
    frames = math.prod(raw.shape[:2])
    light = wide * frames / CAMERA.gain
    deblurred = [
        deblur(light, optics, n, frames * CAMERA.read_noise**2).specimen for n in ITERATIONS
    ]
    images["RL"] = max(deblurred, key=lambda image: psnr(image, truth))
    equal = StackWiener(true, shape, field, weights="equal")
    numerator, centre = equal.numerator(raw), float(equal._weights[0][0])
    for w in BY_HAND:
        images[f"constant {w:g}"] = equal.solve(numerator, centre * w**2)
    by_hand = [equal.solve(numerator, centre * w**2) for w in CONSTANTS]
    images["constant, best"] = max(by_hand, key=lambda image: psnr(image, truth))
    images["automatic, true patterns"] = made.reconstruct(raw, noise)
    found = estimate_stack(raw, lambda line: transfer(shape[0], line))
    images["automatic"] = StackWiener(found.patterns, shape, field).reconstruct(raw, noise)
    if iterative:
        joint = JointStack(found.patterns, field, shape, read / CAMERA.gain)
        began = time.process_time()
        images["iterative"] = explained(joint, raw, CAMERA.gain, read, seed=0)
        print(f"iterative: {time.process_time() - began:.0f} processor seconds", flush=True)
    return images, truth, specimen, said(found.patterns, true, found.plane.found, shape)


def said(patterns, true, there, shape) -> str:  # type: ignore[no-untyped-def]
    """How far the patterns that were found are from the true ones."""
    sign = (patterns.wave_vectors * true.wave_vectors).sum(-1).sign()
    off = (patterns.wave_vectors - sign[..., None] * true.wave_vectors).norm(dim=-1)
    middle = (shape[1] / 2, shape[2] / 2)
    turned = patterns.moved(*middle).phases - sign[..., None] * true.moved(*middle).phases
    turned = torch.rad2deg(torch.remainder(turned + math.pi, 2 * math.pi) - math.pi).abs()
    ratio = (patterns.modulation / true.modulation).mean(0).tolist()
    return (
        f"{int(there.sum())} of {there.numel()} waves found, off by at most "
        f"{float(off.max()) * shape[1]:.3f} px of the spectrum, phases by "
        f"{float(turned.median()):.1f} degrees (median), modulation of order 1 "
        f"{ratio[0]:.2f}, of order 2 {ratio[1]:.2f} of the true one"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["filaments", "reticulum", "vesicles"])
    parser.add_argument("--photons", nargs="+", type=float, default=[20, 100, 500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--shape", nargs=3, type=int, default=[16, 96, 96])
    parser.add_argument("--iterative", action="store_true")
    parser.add_argument("--conditions", nargs="+", default=["exact"], choices=CONDITIONS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shape = tuple(given.shape)
    head: list[str] = []
    for condition in given.conditions:
        for kind in given.kinds:
            for photons in given.photons:
                for seed in given.seeds:
                    images, truth, specimen, note = results(
                        kind, photons, seed, shape, condition, given.iterative
                    )
                    if not head:
                        head = list(images)
                        print("| stack | " + " | ".join(head) + " |")
                        print("|" + " --- |" * (len(head) + 1))
                    cells = [
                        f"{psnr(i, truth):.1f} / {psnr(i, specimen):.1f}" for i in images.values()
                    ]
                    name = f"{kind}, {photons:g} photons, seed {seed}, {condition}"
                    print(f"| {name} | {' | '.join(cells)} | {note}", flush=True)


if __name__ == "__main__":
    main()
