"""Whether a stack is learnt from by pairs of its slices."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import xarray as xr

from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.physics.optics.kernel import Psf
from zsfiji.physics.optics.matching import match_to_image
from zsfiji.physics.optics.measure import fwhm
from zsfiji.physics.optics.spacing import spacing_micrometres
from zsfiji.services.two_stage.fit import ENERGY
from zsfiji.services.two_stage.settings import FEWEST_SLICES
from zsfiji.services.zs_deconvnet.settings import Settings
from zsfiji.words import counted

PAIRED_SLICES = 26
"""Slices from which on the published training takes pairs of slices: its window has so many."""

_log = logging.getLogger(__name__)


def paired_psfs(image: xr.DataArray, psfs: Sequence[Psf], settings: Settings) -> list[Psf]:
    """Give the PSFs of a stack at twice its slice spacing, to learn from pairs of slices.

    Neighbouring slices show the same only as far as they are near each other: within half of
    the axial width of the PSF.

    Parameters
    ----------
    image : xarray.DataArray
        The stack.
    psfs : sequence of Psf
        Its PSFs, on any grid.
    settings : Settings
        The settings.

    Returns
    -------
    list of Psf
        On the fine grid; none where recorrupted pairs are to be learnt from.

    Raises
    ------
    UserError
        If pairs of slices are asked for and there are too few slices.
    """
    slices = size(image, "pln")
    near = all(
        2 * spacing_micrometres(image, ("pln",))[0] <= fwhm(p)[0] for p in psfs if p.values.ndim > 2
    )
    if settings.pairs == "slices" and slices < 2 * FEWEST_SLICES:
        raise UserError(
            f"The stack has {counted(slices, 'slice')}; pairs of slices need at least "
            f"{2 * FEWEST_SLICES}. Choose recorruption."
        )
    if settings.pairs == "recorruption":
        return []
    if settings.pairs == "auto" and not (near and slices >= PAIRED_SLICES):
        why = "there are too few slices" if near else "the slices are too far apart"
        _log.warning(
            "The training uses recorrupted slices here instead of pairs of slices: %s.",
            why,
        )
        return []
    return match_to_image(
        psfs, image, upsample=settings.upsample, axes=3, slice_step=2, energy=ENERGY
    )
