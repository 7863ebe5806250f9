"""Linear reconstruction: the bands are separated, moved to their places, and weighed.

The generalised Wiener filter of Gustafsson et al. (Biophys. J. 94, 4957, 2008), equation 8, with
two differences in the default: each band counts by the inverse variance of its noise, and the
constant is not set by hand (:mod:`zsfiji.reconstruction.power`). The move of a band is a
multiplication on the fine grid, so a stack takes a few transforms only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from zsfiji.physics.sim.optics import Blur, RadialTransfer, circular, frequencies, waves
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.borders import MARGIN, extended, extended_shape

Weights = Literal["noise", "equal"]


@dataclass(frozen=True)
class Notch:
    """How the bands are weakened around their own frequency 0, where light out of focus is.

    Attributes
    ----------
    strength : float
        0 is no notch; 1 removes the frequency 0 of a band.
    width : float
        Full width at half maximum in cycles per raw pixel.
    """

    strength: float
    width: float

    def __call__(self, frequency: torch.Tensor) -> torch.Tensor:
        """What remains at some distances from the centre of a band."""
        deviation = self.width / 2.3548
        return 1 - self.strength * torch.exp(-frequency.square() / (2 * deviation**2))


class Wiener:
    """All that depends on patterns and optics and not on the image.

    Parameters
    ----------
    patterns : Patterns
        The patterns. A wave with a modulation of 0 was not found, and is left out.
    shape : (int, int)
        Rows and columns of the raw image.
    transfer : RadialTransfer
        The OTF.
    weights : {"noise", "equal"}
        Whether a band counts by the inverse variance of its noise, or as any other (the usual
        generalised Wiener filter).
    notch : Notch, optional
        Against light out of focus.
    scale : int
        Pixels of the result to a raw one, along rows and along columns.
    margin : int
        Pixels that the field is extended by on each side.
    device : torch.device, optional
        Where to compute.

    Attributes
    ----------
    density : torch.Tensor
        (fine row, frequency): the denominator of the filter without its constant, the weighted
        sum of the squared OTFs of all bands.
    unit : torch.Tensor
        The density at frequency 0 as it is without a notch, which takes most of it away there.
    frequency : torch.Tensor
        The same shape: modulus of the frequency in cycles per raw pixel.
    reach : float
        Highest frequency of the result: cut-off of the lens and that of the patterns.
    """

    def __init__(
        self,
        patterns: Patterns,
        shape: tuple[int, int],
        transfer: RadialTransfer,
        *,
        weights: Weights = "noise",
        notch: Notch | None = None,
        scale: int = 2,
        margin: int = MARGIN,
        device: torch.device | None = None,
    ) -> None:
        self.patterns, self.shape, self.scale, self.margin = patterns, shape, scale, margin
        self.field = extended_shape(shape, margin)
        self.blur = Blur(transfer, self.field, scale, device)
        # The origin of the extended field is its corner.
        there = patterns.moved(-margin, -margin)
        self._rows, self._weights = unmixing(there, weights)
        device = self.blur.otf.device
        row, col = frequencies(self.field, device=device)
        self._otf = self.blur.otf.conj()
        if notch is not None:
            self._otf = self._otf * notch(torch.hypot(row, col))
        fine_row, fine_col = frequencies(self.field, scale, device=device)
        self.frequency = torch.hypot(fine_row, fine_col)
        self.density = torch.zeros_like(self.frequency)
        self.unit = self.density.new_zeros(())
        complex_waves = waves(there, self.field, scale, device=device)
        # (angle, wave, cosine and sine, fine row, fine col)
        self._waves = torch.view_as_real(complex_waves).movedim(-1, 2).contiguous()
        for angle in range(patterns.angles):
            for band, weight in enumerate(self._weights[angle]):
                if weight == 0:
                    continue
                shift = patterns.centre(angle, band)
                y, x = fine_row - shift[0], fine_col - shift[1]
                power = transfer(y, x, scale).square()
                self.unit += (float(weight) / scale**2) * power[0, 0]
                if notch is not None:
                    power = power * notch(torch.hypot(y, x))
                self.density += (float(weight) / scale**2) * power
        vectors = zip(patterns.wave_vectors, patterns.modulation, strict=True)
        found = [p.norm(dim=-1)[m > 0] for p, m in vectors]
        finest = [float(f.max()) for f in found if len(f)]
        self.reach = transfer.cutoff + (sum(finest) / len(finest) if finest else 0.0)
        self._apodisation = circular(self.frequency / self.reach)

    def numerator(self, stack: torch.Tensor, *, periodic: bool = False) -> torch.Tensor:
        """The bands at their places, weighted: linear in the stack.

        Parameters
        ----------
        stack : torch.Tensor
            (..., angle, frame, row, col), float32, without background.
        periodic : bool
            Whether the stack is zero at its borders, so that nothing is to be done about them.

        Returns
        -------
        torch.Tensor
            Complex (..., fine row, frequency). Noise of variance 1 in the raw image has the mean
            square :attr:`density` times the number of fine pixels in it.
        """
        if periodic:
            rows, cols = self.field[0] - self.shape[0], self.field[1] - self.shape[1]
            pad = (self.margin, cols - self.margin, self.margin, rows - self.margin)
            stack = torch.nn.functional.pad(stack, pad)
        else:
            stack = extended(stack, self.field, self.margin)
        fields, places = self._separated(stack)
        # One after the other: all at once do not fit into the caches of a processor.
        total = self.blur.up(fields[0], self._otf)
        for field, (angle, wave, part) in zip(fields[1:], places, strict=True):
            total.addcmul_(self.blur.up(field, self._otf), self._waves[angle, wave, part])
        return torch.fft.rfft2(total)

    def _separated(
        self, stack: torch.Tensor
    ) -> tuple[list[torch.Tensor], list[tuple[int, int, int]]]:
        """The weighted bands as real images: the sum of all centres, then two to a wave.

        Beside the others stands what they are multiplied by: angle, wave, and 0 for its cosine or
        1 for its sine.
        """
        patterns = self.patterns
        centre = torch.zeros_like(stack[..., 0, 0, :, :])
        sides: list[torch.Tensor] = []
        places = []
        for angle in range(patterns.angles):
            frames = stack[..., angle, :, :, :]
            rows, weights = self._rows[angle].to(stack.device), self._weights[angle]
            centre = centre + _sum(float(weights[0]) * rows[0].real, frames)
            for wave in range(patterns.waves):
                weight, row = float(weights[1 + 2 * wave]), rows[1 + 2 * wave]
                if weight == 0:
                    continue
                # The band moved by +k and that moved by -k are conjugate: twice the real part.
                sides += [_sum(2 * weight * part, frames) for part in (row.real, row.imag)]
                places += [(angle, wave, 0), (angle, wave, 1)]
        return [centre, *sides], places

    def solve(
        self, numerator: torch.Tensor, ridge: torch.Tensor | float, *, apodise: bool = True
    ) -> torch.Tensor:
        """The image of a numerator.

        Parameters
        ----------
        numerator : torch.Tensor
            From :meth:`numerator`.
        ridge : torch.Tensor or float
            Constant of the filter, or one for each frequency.
        apodise : bool
            Whether the image is as seen by a lens that reaches as far as the result, without
            ringing.

        Returns
        -------
        torch.Tensor
            (..., fine row, fine col), in the unit of the stack.
        """
        response = 1 / (self.density + ridge)
        # The constant would darken the whole image. The side bands have a part in this frequency,
        # so the mean is not quite that of the frames: simulated images of two beams were 1 to 2 %
        # off, of three beams up to 8 %, with a notch up to 13 %.
        response[0, 0] = 1 / self.density[0, 0]
        if apodise:
            response = response * self._apodisation
        whole = torch.fft.irfft2(numerator * response, s=self.blur.fine)
        rows, cols = (self.scale * n for n in self.shape)
        return self._inside(whole, rows, cols)

    def seen(self, specimen: torch.Tensor) -> torch.Tensor:
        """A specimen (..., fine row, fine col) as a lens with the reach of the result shows it."""
        rows, cols = specimen.shape[-2:]
        from_edges = extended_shape((rows, cols), self.scale * self.margin)
        wide = extended(specimen, from_edges, self.scale * self.margin)
        row, col = frequencies(from_edges, device=specimen.device)
        response = circular(self.scale * torch.hypot(row, col) / self.reach)
        seen = torch.fft.irfft2(torch.fft.rfft2(wide) * response, s=from_edges)
        return self._inside(seen, rows, cols)

    def _inside(self, whole: torch.Tensor, rows: int, cols: int) -> torch.Tensor:
        first = self.scale * self.margin
        return whole[..., first : first + rows, first : first + cols]


def _sum(weights: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    return torch.einsum("f,...fyx->...yx", weights.to(frames.dtype), frames)


def unmixing(
    patterns: Patterns, weights: Weights = "noise"
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """How bands are computed from frames, and what each counts.

    Returns
    -------
    list of torch.Tensor
        For each angle complex (band, frame): least squares. A wave with modulation 0 has zeros.
    list of torch.Tensor
        For each angle (band,): "noise" gives the inverse variance of the band for a variance of 1
        in the frames; "equal" gives that of the centre to all.
    """
    rows, counts = [], []
    for angle in range(patterns.angles):
        mixing = patterns.mixing(angle)
        there = torch.cat([torch.ones(1), patterns.modulation[angle].repeat_interleave(2)]) > 0
        kept = mixing[:, there]
        inverse = torch.zeros(mixing.shape[1], mixing.shape[0], dtype=mixing.dtype)
        inverse[there] = torch.linalg.pinv(kept)
        variance = inverse.abs().square().sum(1)
        count = torch.where(there, 1 / variance.clamp_min(1e-30), torch.zeros_like(variance))
        if weights == "equal":
            count = torch.where(there, count[0], torch.zeros_like(count))
        rows.append(inverse)
        counts.append(count)
    return rows, counts
