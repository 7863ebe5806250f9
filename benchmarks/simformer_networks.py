"""Train a network of SIMFormer for some processor seconds, and score it as the shipped one was.

Run ``python benchmarks/simformer_networks.py [--network compact|small] [--seconds 420]``. A line
every 80 steps: steps, processor seconds of the training, PSNR in dB at 1, 10, 100 and 500 photons
(mean over curve, tube, ring; two seeds that no benchmark has). The compact network is told the true
patterns, the vision transformer sees nothing but the frames and is trained for the emitter alone.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from zsfiji.learning.loop import Schedule, train
from zsfiji.learning.state import TrainingState
from zsfiji.services.simformer import stages
from zsfiji.services.simformer.kinds import Stack, kind_of
from zsfiji.services.simformer.objective import Objective, simulated
from zsfiji.services.simformer.remake import score, tuning_stacks
from zsfiji.services.simformer.stream import Stream

_STRETCH = 80
_LEVELS = 4
_RATES = {"compact": 8e-4, "small": 7e-4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=list(_RATES), default="small")
    parser.add_argument("--seconds", type=float, default=420)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    kind = kind_of(chosen.network)
    network = kind.make(1, student=not kind.needs_patterns)
    stream = Stream(14, crop=kind.crop, batch=kind.batch)
    stream.batch(0)
    objective = Objective(
        kind,
        network,
        lambda step: simulated(stream.batch(step)),
        stages=stages.PLAIN,
        steps=10**6,
        seed=1,
    )
    stacks = tuning_stacks()
    state, used = TrainingState(), 0.0
    while used < chosen.seconds:
        began = time.process_time()
        schedule = Schedule(
            steps=state.step + _STRETCH,
            learning_rate=_RATES[chosen.network],
            warmup=30,
            ema=0.99,
            clip=1.0,
        )
        train(network, objective, schedule, label="Training", state=state)
        used += time.process_time() - began
        scores = []
        for stack in stacks:
            given = Stack(
                torch.from_numpy(stack.raw),
                stack.patterns,
                stack.transfer,
                read_variance=stack.read_noise**2,
            )
            scores.append(score(kind.apply(network, given)["emitter"].numpy(), stack.truth))
        means = np.reshape(scores, (_LEVELS, -1)).mean(1)
        print(state.step, round(used), *(f"{mean:.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
