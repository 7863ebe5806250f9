"""Compare SIMFormer on stacks as it was published with: PSNR in dB for each number of photons.

Run ``python benchmarks/simformer.py [--photons 0.5,1,10,100,500] [--seeds 1000,...] [--side 128]
[--kinds curve,tube,ring] [--methods ...] [--known]``. Curves, tubes and rings as its authors
simulate them (:mod:`zsfiji.physics.sim.published`), or specimens of ``SIM Simulator...``, on a grid
six times as fine as the camera's pixels. None of the seeds is used for training or tuning.

"wide field" is the mean frame; "Richardson-Lucy" deconvolves it with the true PSF and stops where
the truth says it is best, after 1 to 160 iterations; "Wiener" knows patterns, contrast and PSF, and
has the best of 13 constants, with or without a window, chosen with the truth. "SIMFormer" and
"SIMFormer+" find patterns, OTF, noise and background in the stack as ``Blind SIM...`` does (with
``--known`` they are told). "Blind SIM" is that command with its ``quick`` network, "fit" the same
without a network, and "SIMFormer; fit" is ``SIMFormer Reconstruct...``. "tuned" and "tuned; fit",
which have to be named, are "SIMFormer" and "SIMFormer; fit" after ``SIMFormer Fine-tune...`` on
the stack, whose processor seconds count for the first of them. The truth is the specimen
in pixels a third as wide as the camera's. Each image is fitted to it by a straight line; 24 fine
pixels at the border are left out; the range is the 99.9 percent quantile of the truth. The last
number of a line is the mean over the kinds, with its standard deviation over the seeds; the last
line has processor seconds.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr

from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.learning.models import Model
from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import Blur
from zsfiji.physics.sim.published import (
    FACTOR,
    MARGIN,
    PIXEL,
    PublishedStack,
    published_stack,
    stack_of,
)
from zsfiji.physics.specimens import KINDS, specimen
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.borders import extended_shape
from zsfiji.services.blind_sim.service import METHOD as BLIND
from zsfiji.services.blind_sim.service import Given
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.simformer.compact import Compact
from zsfiji.services.simformer.emitter import emitter
from zsfiji.services.simformer.front import Linear
from zsfiji.services.simformer.remake import PUBLISHED, score
from zsfiji.services.simformer.service import METHOD, PLUS, Simformer
from zsfiji.services.simformer.service import Given as Start
from zsfiji.services.simformer.settings import Settings as Training
from zsfiji.services.simformer.shipped import name_of, path_of

_ITERATIONS = 160
_CONSTANTS = np.geomspace(1e-4, 1.0, 13)
_MARGIN = 8
_DARK = Optics(background=0.0)


@dataclass
class Case:
    """A stack, and what is found in it once for all methods."""

    stack: PublishedStack
    found: blind.Found | None
    _tuned: Model[Any, Any] | None = None

    @property
    def frames(self) -> torch.Tensor:
        """Of all angles and phases."""
        return torch.from_numpy(self.stack.raw)

    def network(self, network: Compact) -> np.ndarray:
        """What a network makes of the stack."""
        found = self.found
        if found is None:
            made = emitter(
                network,
                self.frames,
                self.stack.patterns,
                self.stack.transfer,
                gain=1.0,
                read_variance=self.stack.read_noise**2,
            )
        else:
            made = emitter(
                network,
                found.above(self.frames),
                found.patterns,
                found.transfer,
                gain=found.gain,
                read_variance=found.read_variance,
            )
        return made.numpy()

    def fit(self) -> np.ndarray:
        """The physics fit."""
        found = self.found or blind.find(self.frames, 0.0)
        return blind.fit(found, self.frames).specimen.numpy()

    @property
    def image(self) -> xr.DataArray:
        """The raw image that a command gets."""
        return as_image(self.stack.raw, ("ang", "pha", "row", "col"))

    def blind(self) -> np.ndarray:
        """What ``Blind SIM...`` gives."""
        model = BLIND.fit(self.image, Settings(), Given(_DARK))
        return BLIND.apply(model, self.image).image.to_numpy()

    def fitted(self, model: Model[Any, Any]) -> np.ndarray:
        """What ``SIMFormer Reconstruct...`` gives."""
        return Simformer(optics=_DARK).apply(model, self.image).image.to_numpy()

    def tuned(self, model: Model[Any, Any]) -> Model[Any, Any]:
        """The model after ``SIMFormer Fine-tune...`` on the stack."""
        if self._tuned is None:
            self._tuned = METHOD.fit(self.image, Training(), Start(_DARK, model))
        return self._tuned


def stack_with(kind: str, side: int, photons: float, seed: int) -> PublishedStack:
    """A published stack, or one of a specimen of the simulator."""
    if kind not in KINDS:
        return published_stack(kind, side, photons=photons, seed=seed)
    field = (side + 2 * MARGIN) * FACTOR
    drawn = specimen(kind, (field, field), seed=seed, pixel=PIXEL / FACTOR)
    draws = np.random.default_rng([seed, 714])
    return stack_of(drawn.astype(np.float32), draws, photons=photons, seed=seed)


def wide_field(stack: PublishedStack) -> np.ndarray:
    mean = torch.from_numpy(stack.raw).mean((0, 1))[None, None]
    wide = F.interpolate(mean, scale_factor=SCALE, mode="bicubic", align_corners=False)
    return wide[0, 0].numpy()


def richardson_lucy(stack: PublishedStack) -> np.ndarray:
    counts = torch.from_numpy(stack.raw).sum((0, 1)).clamp_min(0)
    field = extended_shape((counts.shape[0], counts.shape[1]), _MARGIN)
    blur = Blur(stack.transfer, field, SCALE)
    seen = F.pad(torch.ones_like(counts), _pads(counts, field))
    counts = F.pad(counts, _pads(counts, field))
    reached = blur.up(seen).clamp_min(1e-3 / SCALE**2)
    now = counts.sum() / seen.sum() * torch.ones(blur.fine)
    inside = tuple(slice(SCALE * _MARGIN, SCALE * _MARGIN + n) for n in stack.truth.shape)
    best, found = -np.inf, now
    for _ in range(_ITERATIONS):
        ratio = seen * counts / blur.down(now).clamp_min(1e-6)
        now = now * (blur.up(ratio) / reached).clamp_min(0)
        good = score(now[inside].numpy(), stack.truth)
        if good > best:
            best, found = good, now
    return found[inside].numpy()


def _pads(image: torch.Tensor, field: tuple[int, int]) -> list[int]:
    rows, cols = (a - n - _MARGIN for a, n in zip(field, image.shape, strict=True))
    return [_MARGIN, cols, _MARGIN, rows]


def wiener(stack: PublishedStack) -> np.ndarray:
    linear = Linear(torch.from_numpy(stack.raw), stack.patterns, stack.transfer)
    reach = stack.transfer.cutoff + stack.patterns.finest
    window = torch.cos(torch.pi / 2 * (linear.frequency / reach).clamp(max=1))
    filters = []
    for constant in _CONSTANTS:
        ridged = linear.ridged(0, float(constant))
        filters += [(0, ridged), (0, ridged * window)]
    images = linear.images(filters).clamp_min(0).numpy()
    return max(images, key=lambda image: score(image, stack.truth))


def methods(folder: Path | None) -> dict[str, Callable[[Case], np.ndarray]]:
    @cache
    def model(student: bool) -> Model[Any, Any]:
        name = name_of(student=student)
        kept = path_of(student=student) if folder is None else folder / name
        return models.load(kept, PLUS if student else METHOD)

    def network(of: Model[Any, Any]) -> Compact:
        made = of.units[0].network.to(memory_format=torch.channels_last)
        assert isinstance(made, Compact)
        return made

    return {
        "wide field": lambda case: wide_field(case.stack),
        "Richardson-Lucy": lambda case: richardson_lucy(case.stack),
        "Wiener": lambda case: wiener(case.stack),
        "SIMFormer": lambda case: case.network(network(model(False))),
        "SIMFormer+": lambda case: case.network(network(model(True))),
        "Blind SIM": lambda case: case.blind(),
        "fit": lambda case: case.fit(),
        "SIMFormer; fit": lambda case: case.fitted(model(False)),
        "tuned": lambda case: case.network(network(case.tuned(model(False)))),
        "tuned; fit": lambda case: case.fitted(case.tuned(model(False))),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photons", default="0.5,1,10,100,500")
    parser.add_argument("--seeds", default=",".join(map(str, range(1000, 1010))))
    parser.add_argument("--kinds", default=",".join(PUBLISHED))
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--methods", help="all by default, separated by commas")
    parser.add_argument("--known", action="store_true", help="tell the networks the patterns")
    parser.add_argument("--models", type=Path, help="folder of other models than the shipped ones")
    chosen = parser.parse_args(arguments)
    every, kinds = methods(chosen.models), chosen.kinds.split(",")
    usual = [name for name in every if not name.startswith("tuned")]
    names = chosen.methods.split(",") if chosen.methods else usual
    seconds: dict[str, float] = defaultdict(float)
    for photons in map(float, chosen.photons.split(",")):
        scores = defaultdict(list)
        for kind in kinds:
            for seed in map(int, chosen.seeds.split(",")):
                stack = stack_with(kind, chosen.side, photons, seed)
                found = None if chosen.known else blind.find(torch.from_numpy(stack.raw), 0.0)
                case = Case(stack, found)
                for name in names:
                    began = time.process_time()
                    image = every[name](case)
                    seconds[name] += time.process_time() - began
                    scores[name, kind].append(score(image, stack.truth))
        for name in names:
            means = [float(np.mean(scores[name, kind])) for kind in kinds]
            cells = " / ".join(f"{mean:5.2f}" for mean in means)
            spread = np.std(np.mean([scores[name, kind] for kind in kinds], axis=0))
            line = f"{photons:6g}  {name:16}  {cells}   mean {np.mean(means):5.2f} ± {spread:.2f}"
            print(line, flush=True)
    print("seconds " + ", ".join(f"{name} {seconds[name]:.1f}" for name in names))


if __name__ == "__main__":
    main()
