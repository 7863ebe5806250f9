"""What is known besides a raw SIM image: its optics, and patterns that were found before."""

from __future__ import annotations

from dataclasses import dataclass

from zsfiji.errors import UserError
from zsfiji.physics.sim.optics import RadialTransfer
from zsfiji.reconstruction.layouts import Layout
from zsfiji.services.sim.calibration import Calibration
from zsfiji.words import counted


@dataclass(frozen=True)
class Given:
    """Optics and camera of a raw SIM image.

    Attributes
    ----------
    transfer : RadialTransfer
        The OTF.
    pixel : float
        Width of a pixel in micrometres.
    background : float, optional
        Grey level without light; measured if it is not known.
    layout : {"auto", "two-beam", "three-beam", "hexagonal"}
        What makes the pattern.
    measure_damping : bool
        Whether the damping of the OTF is measured in the image; that of `transfer` is where the
        measurement begins.
    known : tuple of Calibration
        Calibrations of another image, one for each channel, to be used instead of a search; may be
        empty.
    """

    transfer: RadialTransfer
    pixel: float
    background: float | None = None
    layout: str = "auto"
    measure_damping: bool = False
    known: tuple[Calibration, ...] = ()


def layouts_of(name: str, angles: int, frames: int) -> list[Layout]:
    """The layouts that a raw stack can have.

    Parameters
    ----------
    name : {"auto", "two-beam", "three-beam", "hexagonal"}
        What makes the pattern.
    angles, frames : int
        Number of angles, and of frames of each.

    Raises
    ------
    UserError
        If it has too few phases for it.
    """
    layouts = _named(name, angles, frames)
    layout = layouts[0]
    if frames < layout.fewest_frames:
        raise UserError(
            f"A {layout.value} pattern needs at least {layout.fewest_frames} phases of each "
            f"angle, and the image has {counted(frames, 'phase')}. Choose another pattern."
        )
    if layout is Layout.HEXAGONAL and angles != 1:
        raise UserError(
            f"A hexagonal pattern has one angle, and the image has {angles}. Choose another "
            "pattern, or give 'angles=1'."
        )
    return layouts


def _named(name: str, angles: int, frames: int) -> list[Layout]:
    """The layout that an option names, or with "auto" the usual ones of so many frames."""
    if name != "auto":
        return [Layout(name)]
    if angles == 1 and frames == 7:
        return [Layout.HEXAGONAL]
    if frames >= Layout.THREE_BEAM.fewest_frames:
        return [Layout.TWO_BEAM, Layout.THREE_BEAM]
    return [Layout.TWO_BEAM]
