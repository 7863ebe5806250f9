r"""The OTF of a SIM microscope for stacks: one for each order of the pattern.

Three beams make a pattern whose second order (the finest lines) is the same at all depths, and
whose first order changes along the axis. A stack is taken by moving the specimen through a pattern
that rests relative to the focus, so the axial part of the pattern is part of the PSF (Gustafsson et
al., Biophys. J. 94, 4957, 2008):

.. math::
    D_n = S * h + \sum_w m_w \operatorname{Re}\,
          e^{i\varphi_{wn}} \bigl(S\,e^{2\pi i k_w r}\bigr) * h_w, \qquad
    h_1 = h \cos 2\pi k_z z, \quad h_2 = h

Lateral frequencies are in cycles per raw pixel. Axial ones are those of a Fourier transform along a
field of some slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import j0

from zsfiji.errors import UserError
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.otf import RadialOtf, support
from zsfiji.physics.optics.pupil import profile

_STEPS = 160
"""Samples of a calculated OTF up to its cut-off: linear interpolation is then wrong by less than
0.0002 of its maximum."""

_FINE = 24
"""Radial samples of a PSF in a period of its cut-off. With 12 the OTF changes by less than 1e-4."""

_BEYOND = 6.0
"""Radius of the field around the cone of light, in periods of the cut-off. Chosen by eye."""

_OVER_NOISE = 2.5
"""Values of a measured OTF below so many times its noise are zero, as in
:mod:`zsfiji.physics.optics.otf`."""

_FAINT = 0.01
"""Share of the largest value of a measured OTF below which nothing is seen. Chosen by eye."""

_TAIL = 0.8
"""Share of the radial samples of a measured OTF beyond which there is noise only."""


@dataclass(frozen=True, eq=False)
class StackTransfer:
    """The OTF of each order of the pattern.

    Attributes
    ----------
    orders : torch.Tensor
        complex64 (order, kz, kr): kz as of :func:`torch.fft.fftfreq`, kr from 0 in equal steps.
        Order 0 is the lens; it is 1 at frequency 0.
    step : float
        Of kr, in cycles per raw pixel.
    cutoff : float
        Highest lateral frequency that the lens passes, in cycles per raw pixel.
    depth : float
        Highest axial frequency that an order passes, in cycles per raw pixel.
    aspect : float
        Distance of the slices in raw pixels.
    measured : bool
        Whether it has the blur of the camera's pixels already.
    """

    orders: torch.Tensor
    step: float
    cutoff: float
    depth: float
    aspect: float
    measured: bool = False

    @property
    def slices(self) -> int:
        """Slices of the field."""
        return int(self.orders.shape[1])

    @property
    def waves(self) -> int:
        """Orders beside that of the lens."""
        return int(self.orders.shape[0]) - 1

    def order_of(self, wave: int, waves: int) -> int:
        """The order of a wave of patterns of so many waves: the finest has the last one."""
        return wave + 1 + self.waves - waves

    @property
    def axial(self) -> torch.Tensor:
        """Axial frequencies (kz,) in cycles per raw pixel."""
        return torch.fft.fftfreq(self.slices) / self.aspect

    def lens(self, order: int, frequency: torch.Tensor) -> torch.Tensor:
        """The OTF of an order at lateral frequencies (row, col), without the camera's pixels.

        Returns
        -------
        torch.Tensor
            complex64 (kz, row, col).
        """
        table = self.orders[order].to(frequency.device)
        place = (frequency / self.step).to(torch.float32)
        low = place.floor().long().clamp(0, table.shape[1] - 2)
        share = (place - low).clamp(0, 1)
        found = table[:, low] + share * (table[:, low + 1] - table[:, low])
        return torch.where(frequency < self.cutoff, found, torch.zeros_like(found))

    def __call__(
        self, order: int, row: torch.Tensor, col: torch.Tensor, scale: int = 2
    ) -> torch.Tensor:
        """The transfer from a grid of finer pixels to the camera: complex64 (kz, row, col)."""
        found = self.lens(order, torch.hypot(row, col))
        fine = torch.sinc(row / scale) * torch.sinc(col / scale)
        pixel = torch.ones_like(fine) if self.measured else torch.sinc(row) * torch.sinc(col)
        return found * (pixel / fine)

    def projected(self) -> NDArray[np.float64]:
        """Modulus of the lateral OTF of the sum of all slices, from frequency 0 to the cut-off."""
        last = math.ceil(self.cutoff / self.step) + 1
        return self.orders[0, 0, :last].abs().double().cpu().numpy()


def axial_frequency(line: float, excitation: float, index: float) -> float:
    r"""Axial frequency of the first order of a three-beam pattern.

    .. math:: k_z = n / \lambda - \sqrt{(n / \lambda)^2 - (k / 2)^2}

    Parameters
    ----------
    line : float
        Lateral frequency k of the second order, in cycles per micrometre.
    excitation : float
        Wavelength of the light in nm.
    index : float
        Refractive index of the specimen.

    Returns
    -------
    float
        In cycles per micrometre.

    Raises
    ------
    UserError
        If light of this wavelength cannot make such fine lines.
    """
    whole = 1000 * index / excitation
    if line / 2 >= whole:
        raise UserError(
            f"Light of {excitation:g} nm cannot make lines {1000 / line:.4g} nm apart in a "
            f"specimen of refractive index {index:g}: at least {500 / whole:.4g} nm. Check pixel "
            "size, excitation and refractive index."
        )
    return whole - math.sqrt(whole**2 - (line / 2) ** 2)


def calculated(
    optics: Optics,
    *,
    pixel: float,
    spacing: float,
    slices: int,
    line: float,
    waves: int = 2,
    damping: float = 1.0,
) -> StackTransfer:
    """Calculate the OTFs of a lens and a pattern.

    Parameters
    ----------
    optics : Optics
        A wide-field microscope, with the wavelength of the excitation.
    pixel : float
        Width of a raw pixel in nm.
    spacing : float
        Distance of the slices in nm.
    slices : int
        Slices of the field, which is periodic along the axis.
    line : float
        Frequency of the finest wave of the pattern, in cycles per raw pixel.
    waves : int
        2 for three beams; 1 for two beams, whose pattern is the same at all depths.
    damping : float
        What remains of the OTF at its lateral cut-off, as an exponential of the frequency.

    Returns
    -------
    StackTransfer
        The OTFs.
    """
    optics.check()
    lines = 1000 * line / pixel
    cutoff = 2000 * optics.numerical_aperture / optics.emission
    depth = (np.fft.fftfreq(slices) * slices * spacing / 1000).astype(np.float64)
    sine = min(optics.numerical_aperture / optics.specimen_index, 0.99)
    reach = abs(depth).max() * sine / math.sqrt(1 - sine**2) + _BEYOND / cutoff
    radius = np.arange(0, reach, 1 / (_FINE * cutoff))
    light = profile(optics, radius, depth)
    k = np.arange(_STEPS + 2) * cutoff / _STEPS
    ring = np.gradient(radius) * radius
    ring[0] = radius[1] ** 2 / 8
    # The far end fades out: a hard one rings.
    far = np.clip((reach - radius) / (reach - abs(depth).max() * sine), 0, 1)
    planes = (light * ring * far) @ j0(2 * np.pi * radius[:, None] * k[None, :])
    planes *= damping ** (k / cutoff) / planes[:, 0].sum()
    patterns = [np.ones(slices)]
    index = optics.specimen_index
    sine = min(optics.numerical_aperture / index, 1.0)
    axial_cutoff = 1000 * index / optics.emission * (1 - math.sqrt(1 - sine**2))
    if waves == 2:
        if optics.excitation is None:
            raise UserError("The pattern of a stack needs the wavelength of excitation, in nm.")
        axial = axial_frequency(lines, optics.excitation, index)
        axial_cutoff += axial
        patterns.append(np.cos(2 * np.pi * axial * depth))
    patterns.append(np.ones(slices))
    orders = np.stack([np.fft.fft(planes * pattern[:, None], axis=0) for pattern in patterns])
    per_pixel = pixel / 1000
    return StackTransfer(
        torch.from_numpy(orders.astype(np.complex64)),
        float(k[1]) * per_pixel,
        cutoff * per_pixel,
        axial_cutoff * per_pixel,
        spacing / pixel,
    )


def measured(
    values: NDArray[np.complexfloating],
    steps: tuple[float, float],
    *,
    pixel: float,
    spacing: float,
    slices: int,
) -> StackTransfer:
    """OTFs from a measured table, as many 3D-SIM programs keep them.

    Parameters
    ----------
    values : numpy.ndarray
        Complex (order, kr, kz), kz as of :func:`numpy.fft.fftfreq`.
    steps : (float, float)
        Of kr and kz, in cycles per micrometre.
    pixel, spacing, slices
        As for :func:`calculated`.

    Returns
    -------
    StackTransfer
        Each order scaled to the contrast 1 of the pattern, as its modulus fits that of order 0.
        What lies in the noise of the table is zero.

    Raises
    ------
    UserError
        If the table does not have two or three orders, or is not finite.
    """
    if values.ndim != 3 or values.shape[0] not in (2, 3):
        raise UserError(
            f"The OTF has {' x '.join(map(str, values.shape))} values. That of a stack has two or "
            "three orders, each over radial and axial frequency. Choose another file."
        )
    if not np.isfinite(values).all():
        raise UserError("The OTF has values that are NaN or infinite. Choose another file.")
    per_pixel, last = pixel / 1000, values.shape[0] - 1
    wanted = np.fft.fftfreq(slices) / (spacing / 1000)
    there = np.fft.fftshift(np.fft.fftfreq(values.shape[2]) * values.shape[2] * steps[1])
    orders: list[NDArray[np.complex128]] = []
    cutoff, depth = 0.0, 0.0
    for order, table in enumerate(values.astype(np.complex128)):
        tail = np.abs(table[int(_TAIL * len(table)) :])
        noise = _OVER_NOISE * max(float(tail.mean()), 1e-9 * float(np.abs(table).max()))
        cutoff = max(cutoff, support(RadialOtf(table, steps)))
        clean = np.fft.fftshift(np.where(np.abs(table) > noise, table, 0), axes=1)
        parts = [
            np.stack([np.interp(wanted, there, row, left=0, right=0) for row in part])
            for part in (clean.real, clean.imag)
        ]
        found = (parts[0] + 1j * parts[1]).T
        if not found.any() or (not orders and not found[0, 0]):
            raise UserError(
                f"Order {order} of the OTF has nothing above its noise. Choose another file."
            )
        scale = found[0, 0] if order == 0 else _contrast(orders[0], found, order != last)
        orders.append(found / scale)
        if order == 0:
            # All slices of a field have the light of frequency 0: the deeper the field, the more
            # there is of it beside the other frequencies.
            orders[0] *= 1000 / (steps[1] * spacing * slices)
            orders[0][0, 0] = 1
        strong = np.abs(orders[-1]).max(1) > _FAINT * np.abs(orders[-1]).max()
        depth = max(depth, float(np.abs(wanted)[strong].max()))
    return StackTransfer(
        torch.from_numpy(np.stack(orders).astype(np.complex64)),
        steps[0] * per_pixel,
        cutoff * per_pixel,
        depth * per_pixel,
        spacing / pixel,
        measured=True,
    )


def _contrast(lens: NDArray[np.complex128], order: NDArray[np.complex128], axial: bool) -> float:
    """Contrast of the pattern in a measured OTF (kz, kr): its modulus over what the lens has.

    Of an order with an axial pattern, the lens is moved up and down to where the order is largest.
    """
    whole, there = np.abs(lens), np.abs(order)
    if axial:
        shift = int(np.unravel_index(there.argmax(), there.shape)[0])
        whole = 0.5 * (np.roll(whole, shift, 0) + np.roll(whole, -shift, 0))
    # At low lateral frequencies the background of the measurement disturbs.
    reach = int(np.flatnonzero(whole.max(0) > 0)[-1])
    band = slice(reach // 5, 4 * reach // 5)
    return float((whole * there)[:, band].sum() / np.square(whole)[:, band].sum())
