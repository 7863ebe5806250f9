"""Simulated specimens with known ground truth, to measure denoising and deconvolution on.

All sizes are in nanometres, so a specimen can be drawn on any grid: :mod:`.drawing` does that.
"""

from zsfiji.physics.specimens.cell import cell
from zsfiji.physics.specimens.lines import DISTANCES, LinePair, crossings, line_pairs
from zsfiji.physics.specimens.structures import KINDS, specimen
from zsfiji.physics.specimens.thin import THIN_KINDS, thin_specimen

__all__ = [
    "DISTANCES",
    "KINDS",
    "THIN_KINDS",
    "LinePair",
    "cell",
    "crossings",
    "line_pairs",
    "specimen",
    "thin_specimen",
]
