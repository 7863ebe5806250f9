"""Properties of a PSF: its widths and its optical transfer function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from zsfiji.physics.optics.centre import widths
from zsfiji.physics.optics.kernel import Psf


def fwhm(psf: Psf) -> tuple[float, ...]:
    """Full widths at half maximum through the centre, in micrometres, one for each axis."""
    middle = tuple(n // 2 for n in psf.values.shape)
    return tuple(w * s for w, s in zip(widths(psf.values, middle), psf.spacing, strict=True))


def otf(psf: Psf, shape: Sequence[int] | None = None) -> NDArray[np.complex128]:
    """The optical transfer function, 1 at frequency zero, which comes first along each axis.

    Parameters
    ----------
    psf : Psf
        The PSF.
    shape : sequence of int, optional
        Size of the field; at least that of the PSF, which is the default. The frequencies are
        those of :func:`numpy.fft.fftfreq` with the spacing of the PSF, in cycles per micrometre.

    Returns
    -------
    numpy.ndarray
        Complex, of that shape.
    """
    shape = tuple(shape or psf.values.shape)
    field = np.zeros(shape)
    field[tuple(slice(n) for n in psf.values.shape)] = psf.values
    centred = np.roll(field, [-(n // 2) for n in psf.values.shape], range(field.ndim))
    return np.fft.fftn(centred)


def radial_otf(psf: Psf) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Modulus of the lateral OTF, averaged over directions.

    For a 3D PSF this is the OTF of its projection along z: the plane kz = 0.

    Returns
    -------
    frequency : numpy.ndarray
        From 0 to the smaller Nyquist frequency, in cycles per micrometre.
    modulus : numpy.ndarray
        1 at frequency 0.
    """
    flat = psf.values.sum(axis=0) if psf.values.ndim == 3 else psf.values
    spacing = psf.spacing[-2:]
    # Zeros around the PSF interpolate its OTF.
    shape = tuple(max(4 * n, 256) for n in flat.shape)
    modulus = np.fft.fftshift(np.abs(otf(Psf(flat, spacing), shape)))
    steps = [1 / (n * s) for n, s in zip(shape, spacing, strict=True)]
    frequency = np.arange(0, 0.5 / max(spacing), max(steps))
    angle = np.linspace(0, np.pi, 64, endpoint=False)
    where = [
        np.outer(frequency, trig) / step + n // 2
        for trig, step, n in zip((np.sin(angle), np.cos(angle)), steps, shape, strict=True)
    ]
    return frequency, ndimage.map_coordinates(modulus, where, order=1).mean(axis=1)


def describe(psf: Psf) -> str:
    """One line for the log: widths, size and pixel size."""
    width = fwhm(psf)
    lateral = f"{1000 * (width[-1] + width[-2]) / 2:.0f} nm lateral"
    axial = f", {1000 * width[0]:.0f} nm axial" if psf.values.ndim == 3 else ""
    size = " x ".join(str(n) for n in psf.values.shape[::-1])
    pixel = " x ".join(f"{1000 * s:.4g}" for s in psf.spacing[::-1])
    return f"PSF of FWHM {lateral}{axial}; {size} pixels of {pixel} nm"
