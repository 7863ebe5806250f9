"""How often the true error lies within the uncertainty of reconstructions of raw SIM stacks.

Run ``python benchmarks/uncertainty_sim.py [--methods blind,simformer,simformer-alone]
[--kinds curve,...] [--photons 1,10,100] [--seeds 3000] [--side 96] [--threads 1]``. The stacks are
those of :mod:`simformer`, the truth the specimen in pixels a third as wide as the camera's, in its
own unit: nothing is fitted. "blind" is ``Blind SIM...``, "simformer" is ``SIMFormer
Reconstruct...``, "simformer-alone" its network without the fit, for which the command gives no
uncertainty. "zero-shot" is ``Zero-Shot SIM...`` (`quick`) with the stacks of :mod:`sim`, told an
OTF that is not the true one; its truth is the specimen at the resolution of SIM, in grey levels.

A line has the share of the pixels, in percent, whose error lies within one and within two standard
deviations, the same for two in the fifth of the pixels where the truth is brightest, the root mean
squares of the error and of the standard deviation, and processor seconds without and with the
uncertainty. 24 fine pixels at the border are left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sim
import torch
from simformer import Case, stack_with
from uncertainty import HEADER, row

from zsfiji.errors import UserError
from zsfiji.learning import models
from zsfiji.physics.sim.simulator import Simulation
from zsfiji.services.blind_sim.results import EMITTER
from zsfiji.services.blind_sim.service import METHOD as BLIND
from zsfiji.services.blind_sim.service import Given
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.simformer.service import METHOD, Simformer
from zsfiji.services.simformer.shipped import path_of
from zsfiji.services.zero_shot_sim.service import METHOD as ZERO_SHOT
from zsfiji.services.zero_shot_sim.settings import Settings as ZeroShotSettings

_DARK = Optics(background=0.0)
_BORDER = 24


def line(name: str, stack: str, case: Case) -> str:
    """A line of the table."""
    began = time.process_time()
    again: Any = None
    if name == "blind":
        method: Any = BLIND
        model: Any = BLIND.fit(case.image, Settings(), Given(_DARK))
    else:
        method = Simformer(optics=_DARK, fit=name == "simformer")
        model = models.load(path_of(student=False), METHOD)
        again = method.again
    return row(
        method,
        f"{name} | {stack}",
        model,
        case.image,
        case.stack.truth,
        began,
        of=EMITTER,
        again=again,
        border=_BORDER,
    )


def zero_shot_line(stack: str, made: Simulation, seed: int) -> str:
    """A line of the table for ``Zero-Shot SIM...``."""
    began = time.process_time()
    settings = ZeroShotSettings(quality="quick", seed=seed)
    told = replace(sim.given(), measure_damping=True)
    model = ZERO_SHOT.fit(made.raw, settings, told)
    name = f"zero-shot | {stack}"
    # Results are above the background.
    truth = made.reference - sim.OFFSET
    return row(ZERO_SHOT, name, model, made.raw, truth, began, border=_BORDER)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--methods", default="blind,simformer,simformer-alone")
    parser.add_argument("--kinds", default="curve,tube,ring,filaments,reticulum,texture")
    parser.add_argument("--photons", default="1,10,100")
    parser.add_argument("--seeds", default="3000")
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    print(HEADER)
    print("|" + " --- |" * (HEADER.count("|") - 1))
    for photons in map(float, given.photons.split(",")):
        for kind in given.kinds.split(","):
            for seed in map(int, given.seeds.split(",")):
                for name in given.methods.split(","):
                    stack = f"{kind} | {photons:g} | {seed}"
                    try:
                        if name == "zero-shot":
                            made = sim.scene(kind, photons, seed, given.side, 0.0)
                            found = zero_shot_line(stack, made, seed)
                        else:
                            case = Case(stack_with(kind, given.side, photons, seed), None)
                            found = line(name, stack, case)
                        print(found, flush=True)
                    except UserError as error:
                        print(f"| {name} | {stack} | {error}", flush=True)


if __name__ == "__main__":
    main()
