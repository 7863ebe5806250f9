"""Raw SIM images for methods that restore reconstructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsfiji.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.parameters.sim import RawOrder, SimOptics
    from zsfiji.physics.camera.model import KnownCamera
    from zsfiji.physics.optics.kernel import Psf
    from zsfiji.services.two_stage.task import RawImage


_FINDING = 0.3
"""Part of the progress that finding the patterns is, as in SIM Reconstruct...."""


@dataclass(frozen=True)
class Reconstructed:
    """A reconstruction, and what a network learns from besides it.

    Attributes
    ----------
    image : xarray.DataArray
        The reconstruction, on half the pixel size.
    psfs : list of Psf
        Its PSFs, one for each channel.
    raw : RawImage
        The raw image.
    notes : tuple of str
        What is to be said about the patterns.
    """

    image: xr.DataArray
    psfs: list[Psf]
    raw: RawImage
    notes: tuple[str, ...]


def reconstructed(
    image: xr.DataArray,
    order: RawOrder,
    optics: SimOptics,
    camera: KnownCamera,
    *,
    upsample: int,
    seed: int,
    device: str,
) -> Reconstructed:
    """Reconstruct a raw SIM image with the automatic filter.

    Parameters
    ----------
    image : xarray.DataArray
        As it was opened.
    order, optics : RawOrder, SimOptics
        The options.
    camera : KnownCamera
        What is known about the camera.
    upsample : int
        Pixels of the PSFs to a pixel of the reconstruction.
    seed : int
        Seed of the noise that is added.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Raises
    ------
    UserError
        If it is no raw SIM image, or none of its patterns can be used.
    """
    from zsfiji import progress
    from zsfiji.commands import sim as body
    from zsfiji.commands.device_lock import device_lock
    from zsfiji.compute.device import choose
    from zsfiji.images.parts import PATTERN, groups
    from zsfiji.services.sim.group import lit_middle
    from zsfiji.services.sim.service import Sim
    from zsfiji.services.sim.settings import Settings
    from zsfiji.services.zs_deconvnet.sim import RawFrames, psf_of

    raw, given = body.opened(image, order, optics)
    settings = Settings()
    method = Sim(("sim",))
    lock = str(choose(device))
    with device_lock(lock), progress.part(0, _FINDING):
        model = method.fit(raw, settings, given, device=device)
    if not any(any(angle) for unit in model.units for angle in unit.calibration.usable):
        raise UserError(
            "No pattern of this image can be used, so there is nothing to reconstruct. SIM "
            "Parameters... shows what was found. Is the order of the frames right?"
        )
    with device_lock(lock), progress.part(_FINDING, 1):
        found = method.apply(model, raw, device=device)
    psfs = []
    for unit, where in zip(model.units, groups(raw, "channel", PATTERN), strict=True):
        stack = lit_middle(raw, where, unit.calibration)
        psfs.append(psf_of(unit, stack, upsample))
    frames = RawFrames(raw, model.units, camera, seed)
    return Reconstructed(found.images["sim"], psfs, frames, found.report.notes)


def fine_sizes(sizes: Mapping[str, int]) -> dict[str, Any]:
    """Lengths of the axes of a reconstruction of a raw image with these, for a single one."""
    kept = {dim: n for dim, n in sizes.items() if dim == "ch"}
    return {**kept, "row": 2 * sizes["row"], "col": 2 * sizes["col"]}
