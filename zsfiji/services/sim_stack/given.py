"""What is known besides a raw 3D-SIM stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsfiji.errors import UserError
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.optics_3d import StackTransfer, calculated, measured
from zsfiji.reconstruction.layouts import Layout
from zsfiji.services.sim.calibration import Calibration
from zsfiji.services.sim.given import layouts_of


@dataclass(frozen=True)
class StackOptics:
    """The optics of a stack.

    Attributes
    ----------
    lens : Optics
        Lens and wavelengths.
    pixel, spacing : float
        Width of a raw pixel and distance of the slices, in micrometres.
    damping : float
        What remains of a calculated OTF at its lateral cut-off.
    steps : tuple of float
        Steps of a measured OTF along kr and kz, in cycles per micrometre; empty without one.
    """

    lens: Optics
    pixel: float
    spacing: float
    damping: float = 1.0
    steps: tuple[float, ...] = ()

    def transfer(
        self,
        table: NDArray[np.complexfloating] | None,
        slices: int,
        line: float,
        waves: int,
    ) -> StackTransfer:
        """The OTFs for a field of some slices.

        Parameters
        ----------
        table : numpy.ndarray or None
            A measured OTF, complex (order, kr, kz).
        slices : int
            Of the field.
        line : float
            Frequency of the finest wave, in cycles per raw pixel.
        waves : int
            Of an angle.
        """
        nm = {"pixel": 1000 * self.pixel, "spacing": 1000 * self.spacing}
        if table is not None:
            return measured(table, (self.steps[0], self.steps[1]), slices=slices, **nm)
        return calculated(
            self.lens, slices=slices, line=line, waves=waves, damping=self.damping, **nm
        )


@dataclass(frozen=True, eq=False)
class StackGiven:
    """Optics and camera of a raw 3D-SIM stack.

    Attributes
    ----------
    optics : StackOptics
        The optics.
    table : numpy.ndarray, optional
        A measured OTF, complex (order, kr, kz).
    background : float, optional
        Grey level without light; measured if it is not known.
    layout : {"auto", "two-beam", "three-beam"}
        What makes the pattern; "auto" are three beams if there are phases enough.
    known : tuple of Calibration
        Calibrations to be used instead of a search, one for each channel; may be empty.
    """

    optics: StackOptics
    table: NDArray[np.complexfloating] | None = None
    background: float | None = None
    layout: str = "auto"
    known: tuple[Calibration, ...] = ()


def stack_layout(name: str, angles: int, frames: int) -> Layout:
    """The layout of a raw stack; see :func:`zsfiji.services.sim.given.layouts_of`.

    Raises
    ------
    UserError
        If it is hexagonal, or has too few phases.
    """
    layout = layouts_of(name, angles, frames)[-1]
    if layout is Layout.HEXAGONAL:
        raise UserError(
            "A stack has the patterns of two or three beams, and a hexagonal pattern is for "
            "planes. Choose 'pattern=three-beam' or 'pattern=two-beam', or 'dimensions=2d'."
        )
    return layout
