"""Linear reconstruction of 3D-SIM stacks.

As :mod:`zsfiji.reconstruction.wiener`, with transforms along the slices as well and an OTF for each
order of the pattern (Gustafsson et al., Biophys. J. 94, 4957, 2008). The slices stay as they are:
the axial frequencies that the first order brings are below their limit at the usual 125 nm.
"""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len

from zsfiji.compute.spectra import frequencies_kept
from zsfiji.physics.sim.optics import circular, frequencies, waves
from zsfiji.physics.sim.optics_3d import StackTransfer
from zsfiji.physics.sim.patterns import TURN, Patterns
from zsfiji.reconstruction import power
from zsfiji.reconstruction.borders import MARGIN, extended, extended_shape, taper
from zsfiji.reconstruction.wiener import Weights, unmixing

DEPTH = 16
"""Slices that a field is extended by above and below. With 8, simulated stacks of 16 slices are
reconstructed 1 to 3.5 dB worse, with 24 not better."""

_CENTRE = 0.08
"""Lateral frequencies below this share of the cut-off say nothing about a specimen of finite depth:
light from all slices is there."""


def field_slices(slices: int) -> int:
    """Slices of the extended field, for which the OTF has to be made."""
    return int(next_fast_len(slices + 2 * DEPTH))


def to_camera(
    transfer: StackTransfer, order: int, row: torch.Tensor, col: torch.Tensor, scale: int
) -> torch.Tensor:
    """The OTF of an order, with the shift of the first fine pixel to the first raw one."""
    turn = torch.exp(1j * TURN * (scale - 1) / (2 * scale) * (row + col))
    return transfer(order, row, col, scale) * turn


def round_lens(lateral: torch.Tensor, transfer: StackTransfer, reach: float) -> torch.Tensor:
    """A lens through which results are shown: round, stretched to what is reached.

    Parameters
    ----------
    lateral : torch.Tensor
        Modulus of the lateral frequencies (row, col), in cycles per raw pixel.
    transfer : StackTransfer
        Has the axial frequencies, and the highest one that it passes.
    reach : float
        Highest lateral frequency.

    Returns
    -------
    torch.Tensor
        (kz, row, col).
    """
    axial = transfer.axial.to(lateral)[:, None, None]
    return circular(torch.hypot(lateral / reach, axial / transfer.depth))


class StackWiener:
    """All that depends on patterns and optics and not on the stack.

    Parameters
    ----------
    patterns : Patterns
        The patterns, those of three beams or of two. A wave with a modulation of 0 is left out; if
        all are, this is the Wiener filter of the wide-field stack.
    shape : (int, int, int)
        Slices, rows and columns of the raw stack.
    transfer : StackTransfer
        The OTF, for a field of :func:`field_slices`.
    weights : {"noise", "equal"}
        As for :class:`zsfiji.reconstruction.wiener.Wiener`.
    scale : int
        Pixels of the result to a raw one, along rows and along columns.
    margin : int
        Pixels that the field is extended by at each side.

    Attributes
    ----------
    density : torch.Tensor
        (kz, fine row, frequency): the denominator of the filter without its constant.
    frequency : torch.Tensor
        The same shape: modulus of the frequency in cycles per raw pixel.
    unit : torch.Tensor
        The density at frequency 0.
    reach, depth : float
        Highest lateral and axial frequency of the result, in cycles per raw pixel.
    """

    def __init__(
        self,
        patterns: Patterns,
        shape: tuple[int, int, int],
        transfer: StackTransfer,
        *,
        weights: Weights = "noise",
        scale: int = 2,
        margin: int = MARGIN,
    ) -> None:
        self.patterns, self.shape, self.scale, self.margin = patterns, shape, scale, margin
        self.field = extended_shape((shape[1], shape[2]), margin)
        self.slices = field_slices(shape[0])
        if transfer.slices != self.slices:
            raise ValueError(f"an OTF of {transfer.slices} slices for a field of {self.slices}")
        self.fine = (self.slices, scale * self.field[0], scale * self.field[1])
        self._patterns = patterns.moved(-margin, -margin)
        self._rows, self._weights = unmixing(self._patterns, weights)
        row, col = frequencies(self.field)
        self._orders = [0] + [
            transfer.order_of(wave, patterns.waves) for wave in range(patterns.waves)
        ]
        self._otfs = {
            order: to_camera(transfer, order, row, col, scale).conj().to(torch.complex64)
            for order in dict.fromkeys(self._orders)
        }
        self._kept = frequencies_kept(self.field[0], self.fine[1])
        fine_row, fine_col = frequencies(self.field, scale)
        lateral = torch.hypot(fine_row, fine_col)
        axial = transfer.axial.to(lateral.dtype)[:, None, None]
        self.frequency = torch.hypot(lateral, axial)
        self.density = torch.zeros_like(self.frequency)
        for angle, band, weight in self._bands():
            shift = patterns.centre(angle, band)
            order = self._orders[(band + 1) // 2]
            otf = transfer(order, fine_row - shift[0], fine_col - shift[1], scale)
            self.density += (weight / scale**2) * otf.abs().square()
        self.unit = self.density.flatten()[0]
        found = patterns.wave_vectors.norm(dim=-1)[patterns.modulation > 0]
        self.reach = transfer.cutoff + (float(patterns.finest) if len(found) else 0.0)
        self.depth = transfer.depth
        self._lateral = lateral
        self._cutoff = transfer.cutoff
        self._apodisation = round_lens(lateral, transfer, self.reach)

    def _bands(self) -> list[tuple[int, int, float]]:
        """Angle, band and weight of all bands that count."""
        return [
            (angle, band, float(weight))
            for angle in range(self.patterns.angles)
            for band, weight in enumerate(self._weights[angle])
            if weight > 0
        ]

    def numerator(self, stack: torch.Tensor, *, periodic: bool = False) -> torch.Tensor:
        """The bands at their places, weighted: linear in the stack.

        Parameters
        ----------
        stack : torch.Tensor
            (angle, frame, pln, row, col), float32, without background.
        periodic : bool
            Whether the stack is zero at its borders.

        Returns
        -------
        torch.Tensor
            Complex (kz, fine row, frequency). Noise of variance 1 in the raw stack has the mean
            square :attr:`density` times the number of fine voxels in it.
        """
        there = waves(self._patterns, self.field, self.scale)
        total = torch.zeros(self.fine)
        for angle, band, weight in self._bands():
            if band and band % 2 == 0:
                continue  # the conjugate of the band before it
            row = self._rows[angle][band]
            frames = stack[angle]
            parts = [row.real] if band == 0 else [2 * row.real, 2 * row.imag]
            otf = self._otfs[self._orders[(band + 1) // 2]]
            for number, part in enumerate(parts):
                mixed = torch.einsum("f,fzyx->zyx", (weight * part).to(frames.dtype), frames)
                moved = self._up(self._extended(mixed, periodic=periodic), otf)
                if band:
                    wave = there[angle, (band - 1) // 2]
                    moved *= wave.imag if number else wave.real
                total += moved
        return torch.fft.rfftn(total)

    def _extended(self, image: torch.Tensor, *, periodic: bool) -> torch.Tensor:
        """Extend (pln, row, col) to the field."""
        slices = self.shape[0]
        above, below = DEPTH, self.slices - slices - DEPTH
        rows, cols = (n - m for n, m in zip(self.field, self.shape[1:], strict=True))
        if periodic:
            pad = (self.margin, cols - self.margin, self.margin, rows - self.margin, above, below)
            return torch.nn.functional.pad(image, pad)
        wide = extended(image, self.field, self.margin)
        return _joined(wide, above, below)

    def _up(self, image: torch.Tensor, otf: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfftn(image) * otf
        wide = spectrum.new_zeros(self.fine[0], self.fine[1], self.fine[2] // 2 + 1)
        wide[:, self._kept, : spectrum.shape[-1]] = spectrum
        return torch.fft.irfftn(wide, s=self.fine)

    def fit(self, stack: torch.Tensor, noise: float) -> power.Power:
        """Fit the power spectrum of what a stack (angle, frame, pln, row, col) shows.

        Parameters
        ----------
        stack : torch.Tensor
            Without background.
        noise : float
            Variance of the noise of a raw pixel, mean over the stack.
        """
        window = taper((self.shape[1], self.shape[2]))
        ends = taper((self.shape[0], 8))[:, 4]
        window = ends[:, None, None] * window
        numerator = self.numerator((stack - stack.mean()) * window, periodic=True)
        outside = self._lateral > _CENTRE * self._cutoff
        used = outside & (self.density > power.WEAKEST * (self.density * outside).max())
        share = float(window.square().sum()) / (self.slices * math.prod(self.field))
        seen = power.averaged(
            numerator[used],
            self.density[used],
            self.frequency[used] / self.reach,
            self.reach,
            math.prod(self.fine) * share,
        )
        return power.fitted(seen, noise)

    def solve(self, numerator: torch.Tensor, ridge: torch.Tensor | float) -> torch.Tensor:
        """The stack of a numerator.

        Parameters
        ----------
        numerator : torch.Tensor
            From :meth:`numerator`.
        ridge : torch.Tensor or float
            Constant of the filter, or one for each frequency.

        Returns
        -------
        torch.Tensor
            (pln, fine row, fine col), as seen by a lens that reaches as far as the result, in the
            unit of the stack.
        """
        response = self._apodisation / (self.density + ridge)
        # As in a plane: see Wiener.solve.
        response[0, 0, 0] = 1 / self.density[0, 0, 0]
        return self._inside(torch.fft.irfftn(numerator * response, s=self.fine))

    def reconstruct(self, stack: torch.Tensor, noise: float) -> torch.Tensor:
        """Reconstruct a stack with the constant that its own power spectrum and noise give."""
        found = self.fit(stack, noise)
        return self.solve(self.numerator(stack), noise / found(self.frequency).clamp_min(1e-30))

    def seen(self, specimen: torch.Tensor) -> torch.Tensor:
        """A specimen (pln, fine row, fine col) as a lens with the reach of the result shows it."""
        margin = self.scale * self.margin
        wide = extended(specimen, (self.fine[1], self.fine[2]), margin)
        wide = _joined(wide, DEPTH, self.slices - self.shape[0] - DEPTH)
        return self._inside(
            torch.fft.irfftn(torch.fft.rfftn(wide) * self._apodisation, s=self.fine)
        )

    def _inside(self, whole: torch.Tensor) -> torch.Tensor:
        first = self.scale * self.margin
        rows, cols = (self.scale * n for n in self.shape[1:])
        return whole[DEPTH : DEPTH + self.shape[0], first : first + rows, first : first + cols]


def captured(
    specimen: torch.Tensor,
    patterns: Patterns,
    shape: tuple[int, int, int],
    transfer: StackTransfer,
    *,
    scale: int = 2,
    margin: int = MARGIN,
) -> torch.Tensor:
    """The raw stack of a specimen, without noise.

    Parameters
    ----------
    specimen : torch.Tensor
        (pln, fine row, fine col).
    patterns : Patterns
        The patterns.
    shape : (int, int, int)
        Slices, rows and columns of the raw stack.
    transfer : StackTransfer
        The OTF, for a field of :func:`field_slices`.
    scale, margin
        As for :class:`StackWiener`.

    Returns
    -------
    torch.Tensor
        (angle, frame, pln, row, col).
    """
    field = extended_shape((shape[1], shape[2]), margin)
    fine = (scale * field[0], scale * field[1])
    wide = extended(specimen, fine, scale * margin)
    wide = _joined(wide, DEPTH, transfer.slices - shape[0] - DEPTH)
    row, col = frequencies(field, half=False)
    kept = [frequencies_kept(n, scale * n) for n in field]
    inside = (
        slice(DEPTH, DEPTH + shape[0]),
        *(slice(margin, margin + n) for n in shape[1:]),
    )

    def seen(light: torch.Tensor, order: int) -> torch.Tensor:
        spectrum = torch.fft.fftn(light)[:, kept[0][:, None], kept[1]]
        otf = to_camera(transfer, order, row, col, scale) / scale**2
        return torch.fft.ifftn(spectrum * otf)[inside]

    there = patterns.moved(-margin, -margin)
    plain = seen(wide, 0).real
    frames = plain.new_empty(patterns.angles, patterns.frames, *shape)
    for angle, light in enumerate(waves(there, field, scale)):
        bands = [
            seen(wide * wave, transfer.order_of(number, patterns.waves))
            for number, wave in enumerate(light)
        ]
        for frame in range(patterns.frames):
            image = there.mixed(angle, frame, plain, bands)
            frames[angle, frame] = float(patterns.brightness[angle, frame]) * image
    return frames


def _joined(image: torch.Tensor, above: int, below: int) -> torch.Tensor:
    """Extend a stack such that it is periodic: its last slice turns into its first one."""
    share = (torch.arange(above + below, dtype=image.dtype) + 1) / (above + below + 1)
    share = share[:, None, None]
    between = image[-1:] * (1 - share) + image[:1] * share
    return torch.cat([between[below:], image, between[:below]])
