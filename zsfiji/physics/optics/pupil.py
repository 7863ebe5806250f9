r"""The PSF calculated from the optics, by the vectorial theory of focusing.

The intensity of a freely rotating fluorophore is that of Richards and Wolf (Proc. R. Soc. A 253,
358, 1959), :math:`|I_0|^2 + 2|I_1|^2 + |I_2|^2`, with

.. math::

   I_0 &= \int_0^\alpha B(\theta)\,(t_s + t_p\cos\theta_s)\,J_0(k_0 n_i r\sin\theta)\,d\theta \\
   I_1 &= \int_0^\alpha B(\theta)\,t_p\sin\theta_s\,J_1(k_0 n_i r\sin\theta)\,d\theta \\
   I_2 &= \int_0^\alpha B(\theta)\,(t_s - t_p\cos\theta_s)\,J_2(k_0 n_i r\sin\theta)\,d\theta \\
   B &= \sqrt{\cos\theta}\,\sin\theta\,\exp i k_0\,(n_s d\cos\theta_s - n_i \delta\cos\theta)

for a fluorophore at the depth :math:`d` in a specimen of index :math:`n_s`, seen through an
immersion medium of index :math:`n_i` (the phase of Gibson and Lanni, J. Opt. Soc. Am. A 9, 154,
1992, for the cover glass of the design; Fresnel coefficients of a single interface).
:math:`\delta` is the displacement of the objective from its focus on the cover glass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import jv

from zsfiji.errors import UserError
from zsfiji.physics.optics.kernel import Psf, normalised
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.radial import on_pixels, radii

_LARGEST = 257
"""Most pixels of a size that is not given by the user: bounds time and memory. Not tuned."""

_HAZE = 8
"""Reach of a wide-field PSF up and down, in axial widths. With 2 a real nucleus kept a dark rim and
its haze; values between were not tried."""

_FEWEST_ON_RIM = 24
"""Least number of nodes on half of the rim of a pinhole. Chosen by eye."""

_TAIL = 0.05
"""Share of the maximum intensity: the brighter part of an aberrated focus has to be in the field.
Chosen by eye."""


def from_optics(
    optics: Optics, spacing: Sequence[float], shape: Sequence[int] | None = None
) -> Psf:
    """Calculate a PSF.

    Parameters
    ----------
    optics : Optics
        The microscope.
    spacing : sequence of float
        Pixel sizes in micrometres, (row, col) or (pln, row, col), in the specimen.
    shape : sequence of int, optional
        Odd sizes, one for each axis. By default the field reaches four Airy radii to each side of
        the focus, and two axial widths up and down (wide-field: eight; confocal: as far as the
        pinhole passes light), or as far as an aberrated focus reaches, and as wide as the cone of
        light is there; at most 257 pixels. Four and two were chosen by eye.

    Returns
    -------
    Psf
        With the slice in best focus in the middle. Each value is the mean over a pixel's area.

    Raises
    ------
    UserError
        If such optics or such a field are impossible.
    """
    optics.check()
    if len(spacing) not in (2, 3):
        raise ValueError(f"{len(spacing)} pixel sizes")
    if not all(s > 0 for s in spacing):
        raise UserError("Pixel size and slice spacing must be larger than 0 micrometres.")
    if optics.kind == "TIRF" and len(spacing) == 3:
        raise UserError(
            "TIRF shows a single layer at the cover glass, so its PSF has one slice. "
            "Choose a 2D PSF, or wide-field for a stack."
        )
    if shape is None:
        shape = default_shape(optics, spacing)
    if len(shape) != len(spacing):
        raise ValueError(f"{len(shape)} sizes for {len(spacing)} axes")
    if any(n < 1 or n % 2 == 0 for n in shape) or min(shape[-2:]) < 3:
        raise UserError(
            f"A PSF of {' x '.join(map(str, shape))} has no middle pixel. "
            "Give odd sizes of at least 3."
        )
    airy = 1.22e-3 * optics.emission / optics.numerical_aperture
    # Intensities vary with half the period of the field; 16 nodes per Airy unit are enough.
    shortest = min(optics.emission, optics.excitation or optics.emission)
    r = radii(spacing[-2:], shape[-2:], airy / 16 * shortest / optics.emission)
    slices = shape[0] if len(shape) == 3 else 1
    z = np.arange(-(slices // 2), slices // 2 + 1, dtype=np.float64) * spacing[0]
    values = on_pixels(r, profile(optics, r, z), spacing[-2:], shape[-2:])
    psf = normalised(values if len(shape) == 3 else values[0], spacing)
    return replace(psf, origin="calculated", optics=optics)


def default_shape(optics: Optics, spacing: Sequence[float]) -> tuple[int, ...]:
    """Odd sizes of a field that contains the relevant part of the PSF; see :func:`from_optics`."""
    airy_radius = 0.61e-3 * optics.emission / optics.numerical_aperture
    reach = 4 * airy_radius
    halves: tuple[float, ...] = ()
    if len(spacing) == 3:
        # Without a pinhole or a light sheet, much of the light is haze from distant slices.
        axial = (_HAZE if optics.kind == "wide-field" else 2) * axial_fwhm(optics)
        if _aberrated(optics):
            z, on_axis = _along_the_axis(optics)
            bright = z[on_axis > _TAIL * on_axis.max()]
            axial = max(axial, float(np.abs(bright - z[on_axis.argmax()]).max()))
        if optics.kind == "light-sheet" and optics.sheet_thickness:
            axial = min(axial, 2 * optics.sheet_thickness)
        sine = min(optics.numerical_aperture / optics.immersion_index, 0.95)
        slope = sine / np.sqrt(1 - sine**2)
        if optics.kind == "confocal":
            # A pinhole passes light from out of focus up to where the cone is as wide as itself.
            passed = min(_pinhole_radius(optics), _HAZE * axial_fwhm(optics) * slope)
            axial, reach = max(axial, passed / slope), max(reach, passed)
        else:
            # At its far ends the cone of a wide-field PSF is faint light over a large area.
            far = axial / 2 if optics.kind == "wide-field" else axial
            reach = max(reach, far * slope)
        halves = (axial / spacing[0],)
    halves += tuple(reach / s for s in spacing[-2:])
    return tuple(min(2 * max(int(np.ceil(h)), 2) + 1, _LARGEST) for h in halves)


def lateral_fwhm(optics: Optics) -> float:
    """Theoretical width of the wide-field PSF, 0.51 wavelengths / NA, in micrometres."""
    return 0.51e-3 * optics.emission / optics.numerical_aperture


def axial_fwhm(optics: Optics) -> float:
    """Theoretical depth of the wide-field PSF, in micrometres.

    0.88 wavelengths / (n - sqrt(n^2 - NA^2)): the cut-off of the OTF along z over 0.88.
    """
    n, na = optics.immersion_index, optics.numerical_aperture
    return 0.88e-3 * optics.emission / (n - np.sqrt(n**2 - na**2))


def profile(optics: Optics, r: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity (z, r) of the chosen microscope, in micrometres from the best focus."""
    if optics.kind == "TIRF":
        # Light from all depths of the evanescent field, with the focus on the cover glass.
        nodes, weights = np.polynomial.laguerre.laggauss(8)
        total = np.zeros((1, r.size))
        for node, weight in zip(nodes, weights, strict=True):
            depth = node * optics.penetration_depth / 1000
            total += weight * _intensity(optics, optics.emission, depth, r, np.zeros(1))
        return total
    focus = _best_focus(optics)
    detection = _intensity(optics, optics.emission, optics.depth, r, z + focus)
    if optics.kind == "light-sheet" and optics.sheet_thickness:
        return detection * np.exp2(-((2 * z / optics.sheet_thickness) ** 2))[:, None]
    if optics.kind == "confocal" and optics.excitation is not None:
        excitation = _intensity(optics, optics.excitation, optics.depth, r, z + focus)
        radius = _pinhole_radius(optics)
        # The pinhole collects light from outside the field, as far as its own radius.
        wide = np.arange(0, r[-1] + radius + 2 * r[1], r[1])
        light = _intensity(optics, optics.emission, optics.depth, wide, z + focus)
        return excitation * _through_disc(wide, light, r, radius)
    return detection


def _pinhole_radius(optics: Optics) -> float:
    """In the specimen, in micrometres."""
    return 0.5 * optics.pinhole * 1.22e-3 * optics.emission / optics.numerical_aperture


def _best_focus(optics: Optics) -> float:
    """Position of the objective with the highest intensity on the axis, in micrometres."""
    if not _aberrated(optics):
        return optics.depth * optics.immersion_index / optics.specimen_index
    z, on_axis = _along_the_axis(optics)
    i = int(np.clip(on_axis.argmax(), 1, z.size - 2))
    before, here, after = on_axis[i - 1 : i + 2]
    return float(z[i] + 0.5 * (z[1] - z[0]) * (before - after) / (before - 2 * here + after))


def _aberrated(optics: Optics) -> bool:
    return optics.depth > 0 and optics.immersion_index != optics.specimen_index


def _along_the_axis(optics: Optics) -> tuple[NDArray, NDArray]:
    """Positions of the objective between the paraxial and marginal foci, and the intensities."""
    n_i, n_s, depth = optics.immersion_index, optics.specimen_index, optics.depth
    sine = min(optics.numerical_aperture, 0.98 * n_s)
    marginal = depth * np.sqrt((n_i**2 - sine**2) / (n_s**2 - sine**2))
    low, high = sorted((depth * n_i / n_s, float(marginal)))
    step = axial_fwhm(optics) / 16
    z = np.arange(low - 16 * step, high + 17 * step, step)
    return z, _intensity(optics, optics.emission, depth, np.zeros(1), z)[:, 0]


def _intensity(
    optics: Optics,
    wavelength: float,
    depth: float,
    r: NDArray[np.float64],
    delta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Intensity (delta, r) of a fluorophore; lengths in micrometres, the wavelength in nm."""
    n_i, n_s = optics.immersion_index, optics.specimen_index
    k0 = 2 * np.pi / (wavelength / 1000)
    alpha = np.arcsin(optics.numerical_aperture / n_i)
    # Enough nodes for the fastest change of the phase, which these terms limit.
    turns = k0 * (
        optics.numerical_aperture * r.max()
        + n_i * (1 - np.cos(alpha)) * np.abs(delta - depth * n_i / n_s).max()
        + (abs(n_i - n_s) + 0.1) * depth
    )
    nodes, weights = np.polynomial.legendre.leggauss(int(48 + turns))
    theta = alpha * (nodes + 1) / 2
    weights = weights * alpha / 2
    sine, cosine = np.sin(theta), np.cos(theta)
    sine_s = n_i * sine / n_s
    # Beyond the critical angle the light is evanescent in the specimen: a positive imaginary part.
    cosine_s = np.sqrt(1 - sine_s**2 + 0j)
    t_s = 2 * n_i * cosine / (n_i * cosine + n_s * cosine_s)
    t_p = 2 * n_i * cosine / (n_s * cosine + n_i * cosine_s)
    path = n_s * depth * cosine_s[None] - n_i * delta[:, None] * cosine[None]
    common = weights * np.sqrt(cosine) * sine * np.exp(1j * k0 * path)
    argument = k0 * n_i * sine[:, None] * r[None]
    total = np.zeros((delta.size, r.size))
    for order, share, factor in (
        (0, 1.0, t_s + t_p * cosine_s),
        (1, 2.0, t_p * sine_s),
        (2, 1.0, t_s - t_p * cosine_s),
    ):
        amplitude = (common * factor) @ jv(order, argument)
        total += share * np.abs(amplitude) ** 2
    return total


def _through_disc(
    radius: NDArray[np.float64],
    profile: NDArray[np.float64],
    r: NDArray[np.float64],
    disc: float,
) -> NDArray[np.float64]:
    r"""Integrate a radial profile (z, radius) over discs whose centres lie at `r`.

    With :math:`E(\rho) = \int_0^\rho p(s)\,s\,ds`, the light inside a circle over :math:`2\pi`,
    the integral over a disc is one along its rim (Green's theorem),

    .. math::

       \oint E(\rho)\,d\varphi
       = 2 \int_0^\pi \frac{E(\rho)}{\rho^2}\,(a^2 + r a \cos\psi)\,d\psi, \quad
       \rho^2 = r^2 + a^2 + 2 r a \cos\psi,

    of a smooth periodic function, for which equally spaced nodes are best.

    Parameters
    ----------
    radius : numpy.ndarray
        Equally spaced from 0 to beyond `r` plus `disc`.
    profile : numpy.ndarray
        Shape (z, radius).
    r : numpy.ndarray
        Distances of the centres.
    disc : float
        Radius of the discs.
    """
    held = CubicSpline(radius, profile * radius, axis=-1).antiderivative()(radius)
    # Half of the mean over the circle is smooth; E itself is not.
    mean = np.concatenate((profile[:, :1] / 2, held[:, 1:] / radius[1:] ** 2), axis=1)
    half_mean = CubicSpline(radius, mean, axis=-1)
    # Along the rim with the spacing of the profile.
    count = max(int(np.ceil(np.pi * disc / radius[1])), _FEWEST_ON_RIM)
    total = np.zeros((profile.shape[0], r.size))
    for cosine in np.cos(np.pi * (np.arange(count) + 0.5) / count):
        distance = np.sqrt(np.maximum(r**2 + disc**2 + 2 * r * disc * cosine, 0))
        total += half_mean(distance) * (disc**2 + r * disc * cosine)
    return total * 2 * np.pi / count
