"""Optical transfer function (OTF) of a SIM microscope, and the blur from a fine grid to the camera.

Frequencies are in cycles per pixel of the raw image. A finer pixel is the `scale`-th part of a raw
one along rows and columns, and the first raw pixel covers the first `scale` x `scale` of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.compute.spectra import frequencies_kept
from zsfiji.physics.sim.patterns import TURN, Patterns

_FIELD = 48
"""Edge in raw pixels of the field that a PSF is calculated in."""


@dataclass(frozen=True)
class RadialTransfer:
    """The OTF of a round lens.

    Attributes
    ----------
    cutoff : float
        Highest frequency that the lens passes, 2 NA / wavelength, in cycles per raw pixel.
    damping : float
        What remains of the ideal OTF at its cut-off, as an exponential of the frequency:
        1 is an ideal lens.
    curve : numpy.ndarray, optional
        A measured OTF instead of the ideal one, from frequency 0 to the cut-off in equal steps, 1
        at frequency 0. It has the blur of the camera's pixels already.
    """

    cutoff: float
    damping: float = 1.0
    curve: NDArray[np.float64] | None = None

    def lens(self, frequency: torch.Tensor) -> torch.Tensor:
        """The OTF at some frequencies, without the camera's pixels."""
        share = (frequency / self.cutoff).clamp(0, 1)
        if self.curve is not None:
            curve = torch.as_tensor(self.curve, dtype=share.dtype, device=share.device)
            place = share * (len(curve) - 1)
            low = place.floor().long().clamp(max=len(curve) - 2)
            found: torch.Tensor = curve[low] + (place - low) * (curve[low + 1] - curve[low])
            return torch.where(frequency < self.cutoff, found, torch.zeros_like(found))
        damped: torch.Tensor = circular(share) * self.damping**share
        return damped

    def __call__(self, row: torch.Tensor, col: torch.Tensor, scale: int = 2) -> torch.Tensor:
        """The transfer from a grid of finer pixels to the camera, at frequencies (row, col)."""
        found = self.lens(torch.hypot(row, col))
        pixel = _pixel(row / scale) * _pixel(col / scale)
        if self.curve is not None:
            # The measured one is that of a point; a fine value is the mean over its pixel.
            return found / pixel
        return found * _pixel(row) * _pixel(col) / pixel


def _pixel(frequency: torch.Tensor) -> torch.Tensor:
    return torch.sinc(frequency)


def circular(share: torch.Tensor) -> torch.Tensor:
    """The OTF of an ideal round lens at a share of its cut-off frequency."""
    share = share.clamp(0, 1)
    return (2 / math.pi) * (torch.acos(share) - share * (1 - share.square()).clamp_min(0).sqrt())


def frequencies(
    shape: tuple[int, int], scale: int = 1, *, half: bool = True, device: torch.device | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies of a Fourier transform, in cycles per raw pixel.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the raw image.
    scale : int
        Of the grid that is transformed: `scale` pixels to a raw one.
    half : bool
        Whether for :func:`torch.fft.rfft2`, else for :func:`torch.fft.fft2`.

    Returns
    -------
    torch.Tensor, torch.Tensor
        Of rows (n, 1) and of columns (1, m).
    """
    rows = torch.fft.fftfreq(scale * shape[0], device=device) * scale
    make = torch.fft.rfftfreq if half else torch.fft.fftfreq
    cols = make(scale * shape[1], device=device) * scale
    return rows[:, None], cols[None, :]


class Blur:
    """The optics as an operator: from the specimen on a finer grid to the raw image, and back.

    The field is periodic. Sums over pixels become means: a flat specimen gives an image of the
    same value.

    Parameters
    ----------
    transfer : RadialTransfer
        The OTF.
    shape : (int, int)
        Rows and columns of the raw image.
    scale : int
        Finer pixels to a raw one.
    device : torch.device, optional
        Where to compute.

    Attributes
    ----------
    otf : torch.Tensor
        Complex, on the frequencies of the raw image (:func:`torch.fft.rfft2`): the OTF, and the
        shift of the first fine pixel to the first raw one.
    """

    def __init__(
        self,
        transfer: RadialTransfer,
        shape: tuple[int, int],
        scale: int = 2,
        device: torch.device | None = None,
    ) -> None:
        self.transfer, self.shape, self.scale = transfer, shape, scale
        self.fine = (scale * shape[0], scale * shape[1])
        row, col = frequencies(shape, device=device)
        centre = (scale - 1) / (2 * scale)
        turn = torch.exp(1j * TURN * centre * (row + col))
        self.otf = (transfer(row, col, scale) * turn).to(torch.complex64)
        self._rows = frequencies_kept(shape[0], self.fine[0]).to(self.otf.device)
        self._cols = shape[1] // 2 + 1

    def down(self, specimen: torch.Tensor) -> torch.Tensor:
        """Blur (..., fine row, fine col) and bin to (..., row, col)."""
        # Frequencies that the raw image does not have are left out before they are transformed.
        along = torch.fft.rfft(specimen)[..., : self._cols]
        spectrum = torch.fft.fft(along, dim=-2)[..., self._rows, :]
        return torch.fft.irfft2(spectrum * (self.otf / self.scale**2), s=self.shape)

    def up(self, image: torch.Tensor, otf: torch.Tensor | None = None) -> torch.Tensor:
        """The adjoint of :meth:`down`.

        Parameters
        ----------
        image : torch.Tensor
            (..., row, col).
        otf : torch.Tensor, optional
            What the spectrum is multiplied by, instead of the conjugate of :attr:`otf`.

        Returns
        -------
        torch.Tensor
            (..., fine row, fine col).
        """
        spectrum = torch.fft.rfft2(image) * (self.otf.conj() if otf is None else otf)
        wide = spectrum.new_zeros(*image.shape[:-2], self.fine[0], self._cols)
        wide[..., self._rows, :] = spectrum
        return torch.fft.irfft(torch.fft.ifft(wide, dim=-2), n=self.fine[1])


def psf_of(transfer: RadialTransfer, size: int, scale: int) -> torch.Tensor:
    """The PSF of a lens on a finer grid.

    Parameters
    ----------
    transfer : RadialTransfer
        The OTF.
    size : int
        Odd edge in fine pixels, less than 48 raw ones.
    scale : int
        Finer pixels to a raw one.

    Returns
    -------
    torch.Tensor
        float32 (size, size), not negative, its sum 1.
    """
    field = (_FIELD, _FIELD)
    row, col = frequencies(field, scale)
    otf = transfer.lens(torch.hypot(row, col))
    whole = torch.fft.fftshift(torch.fft.irfft2(otf, s=(scale * _FIELD,) * 2))
    middle = scale * _FIELD // 2
    part = slice(middle - size // 2, middle + size // 2 + 1)
    psf = whole[part, part].clamp_min(0)
    return (psf / psf.sum()).float()


def places(
    shape: tuple[int, int], scale: int = 2, *, device: torch.device | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres of the fine pixels in raw pixels, 64-bit: of rows (n, 1) and of columns (1, m)."""
    rows, cols = (
        (torch.arange(scale * n, dtype=torch.float64, device=device) - (scale - 1) / 2) / scale
        for n in shape
    )
    return rows[:, None], cols[None, :]


def turns(frequency: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    r"""The waves :math:`e^{2\pi i k x}` along an axis.

    Parameters
    ----------
    frequency : torch.Tensor
        64-bit (...), k.
    place : torch.Tensor
        64-bit (n,), x: in pixels if k is in cycles per pixel, or the other way round.

    Returns
    -------
    torch.Tensor
        complex64 (..., n), on the device of `place`.
    """
    return torch.exp(1j * TURN * frequency[..., None].to(place.device) * place).to(torch.complex64)


def plane_waves(vectors: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    r"""The waves :math:`e^{2\pi i k r}` of some wave vectors.

    Parameters
    ----------
    vectors : torch.Tensor
        64-bit (..., 2): along rows and columns.
    rows, cols : torch.Tensor
        64-bit (n, 1) and (1, m): places such as :func:`places` gives.

    Returns
    -------
    torch.Tensor
        complex64 (..., n, m), on the device of the places.
    """
    along, across = (
        turns(k, place.flatten()) for k, place in zip(vectors.unbind(-1), (rows, cols), strict=True)
    )
    return along[..., :, None] * across[..., None, :]


def waves(
    patterns: Patterns,
    shape: tuple[int, int],
    scale: int = 2,
    *,
    device: torch.device | None = None,
) -> torch.Tensor:
    r"""The waves :math:`e^{2\pi i k r}` of the patterns on the fine grid.

    Returns
    -------
    torch.Tensor
        complex64 (angle, wave, fine row, fine col).
    """
    return plane_waves(patterns.wave_vectors, *places(shape, scale, device=device))


def illumination(
    patterns: Patterns,
    shape: tuple[int, int],
    scale: int = 2,
    *,
    device: torch.device | None = None,
) -> torch.Tensor:
    """The light of each frame on the fine grid.

    Returns
    -------
    torch.Tensor
        float32 (angle, frame, fine row, fine col), about 1 on average.
    """
    there = waves(patterns, shape, scale, device=device)
    strength = patterns.modulation[..., None] * torch.exp(1j * patterns.phases)
    strength = strength.to(there.device, torch.complex64)
    modulated = torch.einsum("awn,awyx->anyx", strength, there).real
    return patterns.brightness.to(there.device, torch.float32)[..., None, None] * (1 + modulated)
