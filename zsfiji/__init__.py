"""Zero-shot microscopy restoration inside Fiji and ImageJ.

Each command of the menu is a function here, as ``zsfiji.denoise(image)``: it takes and gives numpy
arrays or labelled images and starts no Java. Importing zsfiji loads neither torch nor Java.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from zsfiji.errors import Cancelled, UserError
from zsfiji.version import __version__

# Threads of torch wait for each other in a busy loop before they sleep. Beside one other busy
# program on two cores that kept them from going on: 7 s of work took over 200 s, and take 13 s with
# this number, without a loss on a quiet computer. libgomp (Linux) reads it when torch is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

if TYPE_CHECKING:
    from zsfiji.commands.declared.blind_sim import blind_sim
    from zsfiji.commands.declared.deconvolve import deconvolve
    from zsfiji.commands.declared.denoise import denoise
    from zsfiji.commands.declared.fm2s import fm2s
    from zsfiji.commands.declared.noise import noise_calibration
    from zsfiji.commands.declared.psf import psf_from_beads, psf_generator
    from zsfiji.commands.declared.sim import sim_parameters, sim_reconstruct
    from zsfiji.commands.declared.sim_simulator import sim_simulator
    from zsfiji.commands.declared.simformer import (
        simformer_distill,
        simformer_fine_tune,
        simformer_plus_reconstruct,
        simformer_reconstruct,
        simformer_train,
    )
    from zsfiji.commands.declared.zero_shot_sim import zero_shot_sim
    from zsfiji.commands.declared.zs_deconvnet import (
        zs_deconvnet_predict,
        zs_deconvnet_restore,
        zs_deconvnet_train,
    )
    from zsfiji.commands.declared.zs_sim import zs_sim

__all__ = [
    "Cancelled",
    "UserError",
    "__version__",
    "blind_sim",
    "deconvolve",
    "denoise",
    "fm2s",
    "noise_calibration",
    "psf_from_beads",
    "psf_generator",
    "sim_parameters",
    "sim_reconstruct",
    "sim_simulator",
    "simformer_distill",
    "simformer_fine_tune",
    "simformer_plus_reconstruct",
    "simformer_reconstruct",
    "simformer_train",
    "zero_shot_sim",
    "zs_deconvnet_predict",
    "zs_deconvnet_restore",
    "zs_deconvnet_train",
    "zs_sim",
]


def __getattr__(name: str) -> Any:
    # The Python calls are read off the command table when they are first asked for.
    if name in __all__:
        from zsfiji.commands import function

        return function(name)
    raise AttributeError(f"module 'zsfiji' has no attribute {name!r}")
