"""How often the true error lies within the uncertainty of emitters that are told nothing.

Run ``python benchmarks/uncertainty_sim.py [--methods blind,simformer,simformer-alone]
[--kinds curve,...] [--photons 1,10,100] [--seeds 3000] [--side 96] [--threads 1]``. The stacks are
those of :mod:`simformer`, the truth the specimen in pixels a third as wide as the camera's, in its
own unit: nothing is fitted. "blind" is ``Blind SIM...``, "simformer" is ``SIMFormer
Reconstruct...``, "simformer-alone" its network without the fit, for which the command gives no
uncertainty.

A line has the share of the pixels, in percent, whose error lies within one and within two standard
deviations, the same for two in the fifth of the pixels where the truth is brightest, the root mean
squares of the error and of the standard deviation, and processor seconds without and with the
uncertainty. 24 fine pixels at the border are left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from simformer import Case, stack_with

from zsfiji.errors import UserError
from zsfiji.learning import models
from zsfiji.quality.coverage import coverage
from zsfiji.services.blind_sim.results import EMITTER
from zsfiji.services.blind_sim.service import METHOD as BLIND
from zsfiji.services.blind_sim.service import Given
from zsfiji.services.blind_sim.settings import Settings
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.simformer.service import METHOD, Simformer
from zsfiji.services.simformer.shipped import path_of
from zsfiji.services.uncertainty import NAME, with_uncertainty

_DARK = Optics(background=0.0)
_BORDER = slice(24, -24)


def line(name: str, case: Case) -> str:
    """The cells of a line."""
    began = time.process_time()
    method: Any = BLIND
    again: Any = None
    if name == "blind":
        model: Any = BLIND.fit(case.image, Settings(), Given(_DARK))
    else:
        method = Simformer(optics=_DARK, fit=name == "simformer")
        model = models.load(path_of(student=False), METHOD)
        again = method.again
    restored = method.apply(model, case.image)
    plain = time.process_time() - began
    found = with_uncertainty(
        method, model, restored, of=EMITTER, again=None if again is None else again()
    )
    whole = time.process_time() - began
    truth, result, deviation = (
        np.asarray(image)[_BORDER, _BORDER]
        for image in (case.stack.truth, found.images[EMITTER].data, found.images[NAME].data)
    )
    shares = (
        coverage(truth, result, deviation, 1),
        coverage(truth, result, deviation),
        coverage(truth, result, deviation, bright=True),
    )
    sizes = (np.sqrt(np.mean(np.square(v))) for v in (result - truth, deviation))
    cells = [*(f"{100 * share:.0f}" for share in shares), *(f"{v:.3g}" for v in sizes)]
    return " | ".join([*cells, f"{plain:.0f}", f"{whole:.0f}"])


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
    print(
        "| method | specimen | photons | seed | within 1 | within 2 | within 2, bright "
        "| RMS error | RMS of the deviation | s, plain | s, in all |"
    )
    print("|" + " --- |" * 11)
    for photons in map(float, given.photons.split(",")):
        for kind in given.kinds.split(","):
            for seed in map(int, given.seeds.split(",")):
                case = Case(stack_with(kind, given.side, photons, seed), None)
                for name in given.methods.split(","):
                    start = f"| {name} | {kind} | {photons:g} | {seed} |"
                    try:
                        print(f"{start} {line(name, case)} |", flush=True)
                    except UserError as error:
                        print(f"{start} {error}", flush=True)


if __name__ == "__main__":
    main()
