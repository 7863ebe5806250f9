"""Time of a training step and of a prediction, as a Markdown table.

Run ``python benchmarks/deconvolution_speed.py [--threads 2] [--repeats 3]``. A step is the
networks' pass forward and back over 4 patches of 160 x 160 pixels with upsampling, the PSF and
Adam; a prediction is one plane of 1024 x 1024 pixels from the noisy image to both results, as the
mean of the given number of flips and rotations. The best of the repeats counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from zsfiji.deconvolution.tiles import restore
from zsfiji.learning.scale import Scale
from zsfiji.physics.filters.anscombe import Stabiliser
from zsfiji.physics.noise import Noise
from zsfiji.physics.optics.degradation import Degradation
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.physics.optics.resample import match
from zsfiji.services.deconvolve.kinds import FastPlanes
from zsfiji.services.deconvolve.networks import FastNet
from zsfiji.services.two_stage.network import run
from zsfiji.services.two_stage.restorer import Record
from zsfiji.services.zs_deconvnet.networks import PublishedUNet

PATCH, BATCH, PLANE, PIXEL = 160, 4, 1024, 0.0313
"""Edge and number of the patches of a step, edge of the plane, and fine pixel in micrometres."""


def best(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of several runs, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def step(network: nn.Module, channels: int, optics: Degradation) -> Callable[[], object]:
    """Make a training step."""
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5, fused=True)
    patches, target = torch.rand(BATCH, channels, PATCH, PATCH), torch.rand(BATCH, 1, PATCH, PATCH)

    def work() -> None:
        optimizer.zero_grad()
        denoised, sharp = run(network, patches)
        loss = (denoised - target).abs().mean() + (optics(sharp) - target).abs().mean()
        loss.backward()
        optimizer.step()

    return work


def prediction(symmetries: int, optics: Degradation) -> Callable[[], object]:
    """Make a prediction with the default network."""
    noise = Noise(1.0, 0.0, 1.0, np.ones((16, 16)), True)
    scale = Scale(0.0, 100.0, Stabiliser.of(noise), 0.0)
    kind = FastPlanes.kind
    record = Record(kind, 2, 2, noise, 0.0, scale, (PIXEL, PIXEL), "recorruption")
    unit = FastPlanes(record, optics, FastPlanes.build(2).eval())
    plane = np.random.default_rng(0).poisson(30, (PLANE, PLANE)).astype(np.float32)
    return lambda: restore(unit, plane, symmetries=symmetries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    psf = match(
        from_optics(Optics("wide-field", 1.3, 525.0), (PIXEL,) * 2), (PIXEL,) * 2, (320,) * 2
    )
    optics = Degradation(torch.from_numpy(psf.values).float(), 2)
    published = best(step(PublishedUNet(), 1, optics), given.repeats)
    ours = best(step(FastNet(), 2, optics), given.repeats)
    print("| what | s |\n| --- | --- |")
    print(f"| step, published network | {published:.2f} |")
    print(f"| step, default network | {ours:.2f} ({published / ours:.1f} times as fast) |")
    for symmetries in (1, 4):
        seconds = best(prediction(symmetries, optics), given.repeats)
        print(f"| {PLANE} x {PLANE} pixels, {symmetries} positions | {seconds:.2f} |")


if __name__ == "__main__":
    main()
