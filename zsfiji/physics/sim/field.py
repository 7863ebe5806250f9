"""A fine grid on which raw SIM images are simulated, and how it is blurred and binned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from zsfiji.compute.spectra import frequencies_kept
from zsfiji.physics.sim.optics import RadialTransfer, frequencies, places, plane_waves
from zsfiji.physics.sim.patterns import TURN

SAMPLES = 2
"""Samples of a blurred image in a raw pixel: what an undersampled image folds over is still told
apart."""


class Field:
    """A periodic field of fine pixels.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns in raw pixels.
    factor : int
        Fine pixels to a raw one, along rows and along columns; more than :data:`SAMPLES`.
    fine : (int, int)
        Rows and columns in fine pixels.
    row, col : torch.Tensor
        Frequencies of a spectrum in cycles per raw pixel, (n, 1) and (1, m), up to one cycle.
    """

    def __init__(self, shape: tuple[int, int], factor: int) -> None:
        self.shape, self.factor = shape, factor
        self.fine = (factor * shape[0], factor * shape[1])
        self.row, self.col = frequencies(shape, SAMPLES, half=False)
        self._kept = [frequencies_kept(SAMPLES * n, factor * n) for n in shape]

    def spectrum(self, image: torch.Tensor) -> torch.Tensor:
        """Low frequencies of (..., fine row, fine col), those of :attr:`row` and :attr:`col`."""
        rows, cols = self._kept
        found: torch.Tensor = torch.fft.fft2(image)[..., rows[:, None], cols]
        return found

    def otf(self, psf: NDArray[np.floating]) -> torch.Tensor:
        """Spectrum of a PSF (row, col) of odd sizes on fine pixels."""
        rows, cols = psf.shape
        wide = torch.zeros(self.fine)
        wide[:rows, :cols] = torch.from_numpy(psf.astype(np.float32))
        return self.spectrum(wide.roll((-(rows // 2), -(cols // 2)), (0, 1)))

    def lens(self, transfer: RadialTransfer) -> torch.Tensor:
        """Transfer of a lens without the camera's pixels."""
        found = transfer.lens(torch.hypot(self.row, self.col))
        if transfer.curve is not None:
            # A measured one has been blurred by the pixels.
            found = found / (torch.sinc(self.row) * torch.sinc(self.col)).clamp_min(0.1)
        return found

    def pixel(self) -> torch.Tensor:
        """Transfer of the binning to raw pixels, from the first fine pixel to the first raw one."""
        centre = (self.factor - 1) / (2 * self.factor)
        total = torch.exp(1j * TURN * centre * (self.row + self.col))
        for frequency in (self.row, self.col):
            total = total * torch.sinc(frequency) / torch.sinc(frequency / self.factor)
        return total

    def samples(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Complex image of a spectrum, with :data:`SAMPLES` x :data:`SAMPLES` to a raw pixel.

        The first sample is at the centre of the first raw pixel, if :meth:`pixel` is in the
        spectrum.
        """
        return torch.fft.ifft2(spectrum) * (SAMPLES / self.factor) ** 2

    def moved(self, image: torch.Tensor, row: float, col: float) -> torch.Tensor:
        """Samples moved by a distance in raw pixels."""
        ramp = torch.exp(-1j * TURN * (self.row * row + self.col * col))
        return torch.fft.ifft2(torch.fft.fft2(image) * ramp).real

    def wave(self, vector: torch.Tensor) -> torch.Tensor:
        """The wave of a wave vector (2,) in cycles per raw pixel, complex64 on fine pixels."""
        return plane_waves(vector, *places(self.shape, self.factor))
