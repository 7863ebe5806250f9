"""The image formation of all frames of a raw 3D-SIM stack.

As :mod:`zsfiji.reconstruction.joint`, with an OTF for each order of the pattern, which moves with
the focus (Gustafsson et al., Biophys. J. 94, 4957, 2008). Light from other slices is light of the
specimen, so there is no haze beside it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.compute.spectra import frequencies_kept
from zsfiji.physics.sim.optics import frequencies
from zsfiji.physics.sim.optics_3d import StackTransfer
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.joint import cosines_and_sines, field_around, mixing
from zsfiji.reconstruction.richardson_lucy import Estimate, reached
from zsfiji.reconstruction.wiener_3d import DEPTH, field_slices, round_lens, to_camera


class JointStack:
    """The image formation of all frames of one raw stack.

    Parameters
    ----------
    patterns : Patterns
        The illumination, its origin at the first pixel of the stack.
    transfer : StackTransfer
        The OTF, for a field of :func:`.field_slices`.
    shape : (int, int, int)
        Slices, rows and columns of the raw stack.
    read_variance : float
        As for :class:`.Joint`.
    scale : int
        Fine pixels to a raw one, along rows and along columns.
    device : torch.device, optional
        Where to compute.

    Attributes
    ----------
    shape : (int, int, int)
        Slices, rows and columns of the raw stack.
    fine : (int, int, int)
        Of the specimen with its surroundings.
    read : float
        Light that has the noise of a pixel without light.
    bright : torch.Tensor
        Brightness of the frames, (frame, 1, 1, 1).
    seen : torch.Tensor
        Light that each fine voxel sends into all frames.
    """

    smooth = None
    has_haze = False

    def __init__(
        self,
        patterns: Patterns,
        transfer: StackTransfer,
        shape: tuple[int, int, int],
        read_variance: float = 0.0,
        *,
        scale: int = 2,
        device: torch.device | None = None,
    ) -> None:
        slices = field_slices(shape[0])
        if transfer.slices != slices:
            raise ValueError(f"an OTF of {transfer.slices} slices for a field of {slices}")
        self.shape, self.read, self._scale = shape, read_variance, scale
        self._patterns, self._transfer, self._device = patterns, transfer, device
        self._size, (top, left) = field_around(shape[1:])
        self._before = (DEPTH, top, left)
        self.fine = (slices, scale * self._size[0], scale * self._size[1])
        moved = patterns.moved(-float(top), -float(left))
        self._waves = cosines_and_sines(moved, self._size, scale, device)
        self._mixing = mixing(moved).to(self._waves)
        self.bright = patterns.brightness.flatten().to(self._waves)[:, None, None, None]
        self._rows = frequencies_kept(self._size[0], self.fine[1]).to(self._waves.device)
        self._cols = self._size[1] // 2 + 1
        orders = [transfer.order_of(wave, patterns.waves) for wave in range(patterns.waves)]
        # A cosine and a sine of each wave, for each angle.
        orders = [0] + [order for order in orders for _ in range(2)] * patterns.angles
        # Band, its order, and the frames that it is in: none where a wave was not found.
        self._bands = [
            (band, order, used)
            for band, order in enumerate(orders)
            if (used := self._mixing[:, band].nonzero()[:, 0].tolist())
        ]
        self._otfs = {order: self._otf(order) for order in dict.fromkeys(orders)}
        ones = torch.ones(len(self.bright), *shape, device=device)
        self.seen = reached(self.back(ones), float(self.bright.sum()) / scale**2)

    def part(self, rows: slice, cols: slice) -> JointStack:
        """The same for a part of the stack that has all slices."""
        return JointStack(
            self._patterns.moved(float(rows.start), float(cols.start)),
            self._transfer,
            (self.shape[0], rows.stop - rows.start, cols.stop - cols.start),
            self.read,
            scale=self._scale,
            device=self._device,
        )

    def predict(self, estimate: Estimate) -> torch.Tensor:
        """The frames without noise that an estimate explains: (angle, frame, pln, row, col)."""
        count = (self._patterns.angles, self._patterns.frames)
        return self.frames(estimate).reshape(*count, *self.shape)

    def frames(self, estimate: Estimate) -> torch.Tensor:
        """Expected frames (frame, pln, row, col)."""
        found = torch.zeros(len(self.bright), *self.shape, device=self._device)
        inside = tuple(
            slice(before, before + n) for before, n in zip(self._before, self.shape, strict=True)
        )
        for band, order, used in self._bands:
            light = estimate.specimen
            if band:
                light = light * self._waves[band - 1]
            image = self._down(light, order)[inside]
            for frame in used:
                found[frame].add_(image, alpha=float(self._mixing[frame, band]))
        return found

    def back(self, frames: torch.Tensor) -> torch.Tensor:
        """The adjoint for the specimen: (pln, fine row, fine col)."""
        total = torch.zeros(self.fine, device=self._device)
        around: list[int] = []
        whole = (self.fine[0], *self._size)
        for before, n, all_ in zip(self._before, self.shape, whole, strict=True):
            around = [before, all_ - n - before, *around]
        for band, order, used in self._bands:
            image = torch.tensordot(self._mixing[used, band], frames[used], 1)
            light = self._up(F.pad(image, around), order)
            total += light * self._waves[band - 1] if band else light
        return total

    def shown(self, specimen: torch.Tensor) -> torch.Tensor:
        """The specimen as the linear reconstruction shows it, cut to the stack.

        By an ideal lens that reaches as far as the patterns do: (pln, fine row, fine col).
        """
        patterns, transfer = self._patterns, self._transfer
        row, col = frequencies(self._size, self._scale, device=self._device)
        lens = round_lens(torch.hypot(row, col), transfer, transfer.cutoff + patterns.finest)
        found = torch.fft.irfftn(torch.fft.rfftn(specimen) * lens, s=self.fine)
        slices, rows, cols = (
            slice(scale * before, scale * (before + n))
            for scale, before, n in zip(
                (1, self._scale, self._scale), self._before, self.shape, strict=True
            )
        )
        return found[slices, rows, cols]

    def _otf(self, order: int) -> torch.Tensor:
        """Complex (kz, row, half of col), and the shift of the first fine pixel to the raw one."""
        row, col = frequencies(self._size)
        otf = to_camera(self._transfer, order, row, col, self._scale)
        # The finer grid has two frequencies where the raw one has a single one.
        seen = (row.abs() < 0.5) & (col.abs() < 0.5)
        return (otf * seen).to(self._waves.device, torch.complex64)

    def _down(self, light: torch.Tensor, order: int) -> torch.Tensor:
        """Blur (pln, fine row, fine col) and bin to (pln, row, col), with the surroundings."""
        # Frequencies that the raw image does not have are left out before they are transformed.
        spectrum = torch.fft.rfft(light)[..., : self._cols]
        spectrum = torch.fft.fft(spectrum, dim=-2)[:, self._rows]
        spectrum = torch.fft.fft(spectrum, dim=0) * (self._otfs[order] / self._scale**2)
        return torch.fft.irfftn(spectrum, s=(self.fine[0], *self._size))

    def _up(self, image: torch.Tensor, order: int) -> torch.Tensor:
        """The adjoint of :meth:`_down`."""
        spectrum = torch.fft.ifft(torch.fft.rfftn(image) * self._otfs[order].conj(), dim=0)
        wide = spectrum.new_zeros(self.fine[0], self.fine[1], self._cols)
        wide[:, self._rows] = spectrum
        return torch.fft.irfft(torch.fft.ifft(wide, dim=-2), n=self.fine[2])
