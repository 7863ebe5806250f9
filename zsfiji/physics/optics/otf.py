"""The PSF of a measured, radially averaged OTF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import j0

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import Psf, normalised
from zsfiji.physics.optics.radial import on_pixels, radii
from zsfiji.physics.optics.resample import ENERGY, crop

_TAIL = 0.2
"""Outer share of the frequencies, which contain only noise. Not tuned."""

_OVER_NOISE = 2.5
"""The OTF ends where it stays below this many times the noise. Chosen by eye: the measured OTF of
the authors' lysosome images then ends within 3 percent of the cut-off of its optics."""

_REACH = 8.0
"""Field to each side of the centre, in periods of the cut-off frequency. Chosen by eye."""


@dataclass(frozen=True)
class RadialOtf:
    """An optical transfer function over radial and axial frequency.

    Attributes
    ----------
    values : numpy.ndarray
        Complex; (kr,) of a 2D OTF or (kr, kz) of a 3D one. kr begins at 0; kz has the order of
        :func:`numpy.fft.fftfreq`.
    steps : tuple of float
        Distance of the samples in cycles per micrometre: (kr,) or (kr, kz).
    """

    values: NDArray[np.complex128]
    steps: tuple[float, ...]


def support(transfer: RadialOtf) -> float:
    """Lateral frequency at which a measured OTF disappears in its noise, in cycles per micrometre.

    The noise is the mean modulus of the outermost frequencies. If that is zero, the OTF ends where
    its values become zero.
    """
    modulus = np.abs(transfer.values)
    if modulus.ndim == 2:
        modulus = modulus.max(axis=1)
    tail = modulus[-max(int(_TAIL * len(modulus)), 1) :]
    smooth = np.convolve(np.pad(modulus, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    inside = np.flatnonzero(smooth > max(_OVER_NOISE * float(tail.mean()), 1e-12))
    return float(inside[-1] + 1) * transfer.steps[0] if inside.size else 0.0


def from_otf(
    transfer: RadialOtf,
    spacing: Sequence[float],
    shape: Sequence[int] | None = None,
) -> Psf:
    r"""The PSF of a radial OTF.

    :math:`h(r, z) = 2\pi \sum_{k_z} e^{2\pi i k_z z} \int O(k, k_z)\, J_0(2\pi k r)\, k\,dk`,
    evaluated directly on the pixels of the output, so that no grid of frequencies has to match.
    Frequencies beyond the :func:`support` are noise and are left out.

    Parameters
    ----------
    transfer : RadialOtf
        The OTF.
    spacing : sequence of float
        Pixel sizes of the output in micrometres: (row, col), or (pln, row, col) of a 3D OTF.
    shape : sequence of int, optional
        Odd sizes of the output; by default such that they contain 99.9 % of the light.

    Returns
    -------
    Psf
        Centred, of sum 1. The small negative values that noise leaves are set to zero.

    Raises
    ------
    UserError
        If the OTF is empty or not finite, or its number of axes does not fit `spacing`.
    """
    values = transfer.values
    if values.ndim != len(spacing) - 1:
        raise UserError(
            f"The OTF is that of a {values.ndim + 1}D PSF, and a {len(spacing)}D one is needed. "
            "Choose another file."
        )
    if not np.isfinite(values).all():
        raise UserError("The OTF has values that are NaN or infinite. Choose another file.")
    if not abs(values.flat[0]) > 0:
        raise UserError("The OTF holds no light: it is zero at frequency 0.")
    end = support(transfer)
    if not end:
        raise UserError("The OTF has nothing above its noise. Choose another file.")
    k = np.arange(values.shape[0]) * transfer.steps[0]
    # A soft end over a tenth of the support, chosen by eye: a hard one causes ringing.
    taper = np.clip((end - k) / (0.1 * end), 0, 1)
    inside = taper > 0
    k, weight = k[inside], (taper * k)[inside]
    weight[0] = transfer.steps[0] / 8  # the disc around frequency 0, over 2 pi times the step
    # The phase at frequency 0 is removed, where the signal is strongest.
    scaled = values[inside] / values.flat[0]
    if shape is None:
        lateral = [2 * int(np.ceil(_REACH / end / s)) + 1 for s in spacing[-2:]]
        field = [transfer.steps[0] * s for s in spacing[-2:]]
        lateral = [min(n, int(1 / f) | 1) for n, f in zip(lateral, field, strict=True)]
        slices = [int(1 / (transfer.steps[1] * spacing[0]) + 1e-6) for _ in values.shape[1:]]
        shape = tuple(n if n % 2 else n - 1 for n in (*slices, *lateral))
        cut = True
    else:
        cut = False
    r = radii(spacing[-2:], shape[-2:], 1 / end / 16)
    bessel = weight[:, None] * j0(2 * np.pi * k[:, None] * r[None])
    if values.ndim == 1:
        profile = np.real(scaled) @ bessel
    else:
        kz = np.fft.fftfreq(values.shape[1]) * values.shape[1] * transfer.steps[1]
        z = (np.arange(shape[0]) - shape[0] // 2) * spacing[0]
        profile = np.real(np.exp(2j * np.pi * z[:, None] * kz[None]) @ (scaled.T @ bessel))
    psf = normalised(on_pixels(r, profile, spacing[-2:], shape[-2:]), spacing)
    psf = replace(psf, origin="OTF")
    return crop(psf, ENERGY) if cut else psf
