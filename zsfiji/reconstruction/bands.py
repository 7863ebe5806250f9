"""The bands of a raw SIM image: what its frames have in common, and what follows the pattern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from zsfiji.compute.rings import between_rings, ring_mean, ring_of, ring_sizes
from zsfiji.errors import UserError
from zsfiji.physics.sim.optics import RadialTransfer, frequencies
from zsfiji.physics.sim.patterns import TURN
from zsfiji.reconstruction.borders import MOST, taper
from zsfiji.reconstruction.window import with_structure

SIDE = 512
"""Longest edge in pixels of the part that patterns are measured in: bounds the time."""

_OUTSIDE = 1.04
"""Frequencies beyond so many times the cut-off have noise only."""

_FAR = 1.4
"""The noise is measured up to so many times the cut-off."""

_LEAST = 1e-10
"""Least variance of a pixel relative to the squared mean: that of rounding in 32 bits, or so."""

_ENOUGH = 200
"""Frequencies beyond the cut-off that the noise can be measured at."""


class NoLight(UserError):  # noqa: N818 - it is a UserError, of one kind
    """A frame has no light above the background."""


@dataclass(frozen=True, eq=False)
class Bands:
    r"""Spectra (:func:`torch.fft.fft2`) of a part of a raw image, separated.

    With frames :math:`y_n` of equal brightness, the zeroth band is :math:`\sum_n y_n / N` and that
    of order h is :math:`(2 / N) \sum_n y_n e^{-2\pi i h n / N}`.

    Attributes
    ----------
    corner : (int, int)
        First row and column of the part in the raw image.
    frames : torch.Tensor
        float32 (angle, frame, row, col): the part with equal brightness, without its mean, fading
        to the borders.
    zero : torch.Tensor
        complex64 (angle, row, col).
    orders : torch.Tensor
        complex64 (angle, order - 1, row, col).
    brightness : torch.Tensor
        float64 (angle, frame): relative brightness of the frames, with a mean of 1.
    level : float
        Mean of the image, which everything else is relative to.
    noise : float
        Variance of a pixel of a frame.
    zero_noise, order_noise : float
        Power of the noise in one frequency of `zero` and of `orders`.
    """

    corner: tuple[int, int]
    frames: torch.Tensor
    zero: torch.Tensor
    orders: torch.Tensor
    brightness: torch.Tensor
    level: float
    noise: float
    zero_noise: float
    order_noise: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the part."""
        return int(self.zero.shape[-2]), int(self.zero.shape[-1])

    def order(self, angle: int, order: int) -> torch.Tensor:
        """The band of an angle and a harmonic, which may be negative: complex64 (row, col)."""
        if order > 0:
            return self.orders[angle, order - 1]
        # f(-q) of a discrete transform: all frequencies in reverse, but for the first one.
        opposite = self.orders[angle, -order - 1].flip(0, 1).roll((1, 1), (0, 1))
        return opposite.conj().resolve_conj()


def has_light(stack: torch.Tensor) -> bool:
    """Whether :func:`separated` takes a raw stack: all of its frames have light there."""
    rows, cols = with_structure(stack, SIDE)
    return bool((stack[..., rows, cols].mean((-2, -1)) > 0).all())


def separated(
    stack: torch.Tensor,
    transfer: RadialTransfer,
    noise: float | None = None,
    *,
    edge: int = MOST,
) -> Bands:
    """Separate the bands of a raw image as if the phases of its frames were equally spaced.

    Parameters
    ----------
    stack : torch.Tensor
        float32 (angle, frame, row, col), the background taken off.
    transfer : RadialTransfer
        The OTF.
    noise : float, optional
        Variance of a pixel of a frame; measured beyond the cut-off if it is not given.
    edge : int
        Pixels that the frames fade over at each border, at most.

    Returns
    -------
    Bands
        The bands of the part with most structure, of at most `SIDE` x `SIDE` pixels.

    Raises
    ------
    NoLight
        If a frame has no light above the background.
    """
    frames = stack.shape[1]
    rows, cols = with_structure(stack, SIDE)
    inside = stack[..., rows, cols]
    mean = inside.mean((-2, -1)).cpu().double()
    if not bool((mean > 0).all()):
        angle, frame = (int(i) + 1 for i in torch.nonzero(~(mean > 0))[0])
        raise NoLight(
            f"Frame {frame} of angle {angle} has no light above the background. Check the "
            "background, or acquire again."
        )
    brightness = mean / mean.mean()
    factor = (1 / brightness).to(inside)
    shape = (int(inside.shape[-2]), int(inside.shape[-1]))
    window = taper(shape, inside.device, edge)
    level = float(mean.mean())
    even = (inside * (factor / level)[..., None, None] - 1) * window
    number = torch.arange(frames, dtype=torch.float64)
    turns = torch.stack([number * h for h in range(1, (frames - 1) // 2 + 1)]) * (TURN / frames)
    mix = (torch.exp(-1j * turns) * (2 / frames)).to(inside.device, torch.complex64)
    orders = torch.fft.fft2(torch.einsum("hn,anyx->ahyx", mix, even.to(torch.complex64)))
    light = float(window.square().sum())
    if noise is None:
        noise = max(noise_power(orders, transfer) * frames / 4 / light, _LEAST)
    else:
        noise = max(noise / level**2, _LEAST)
    return Bands(
        (rows.start, cols.start),
        even,
        torch.fft.fft2(even.mean(1)),
        orders,
        brightness,
        level,
        noise,
        noise * light / frames,
        4 * noise * light / frames,
    )


def separated_again(bands: Bands, deviations: torch.Tensor, used: Sequence[int]) -> Bands:
    """Separate bands with phases that are not equally spaced.

    Parameters
    ----------
    bands : Bands
        The bands as if they were.
    deviations : torch.Tensor
        float64 (angle, frame): of the phases of harmonic 1 from equal steps, in radians.
    used : sequence of int
        Harmonics of the pattern, each positive.

    Returns
    -------
    Bands
        With these harmonics; the others are as they were.
    """
    frames = deviations.shape[1]
    phases = TURN / frames * torch.arange(frames, dtype=torch.float64) + deviations
    device = bands.frames.device
    zeros, orders, noise = [], bands.orders.clone(), []
    for angle, phase in enumerate(phases):
        columns = [torch.ones_like(phase) + 0j]
        for order in used:
            wave = 0.5 * torch.exp(1j * order * phase)
            columns += [wave, wave.conj()]
        rows = torch.linalg.pinv(torch.stack(columns, 1))
        spectra = torch.fft.fft2(bands.frames[angle])
        mixed = torch.einsum("bn,nyx->byx", rows.to(device, torch.complex64), spectra)
        zeros.append(mixed[0])
        for i, order in enumerate(used):
            orders[angle, order - 1] = mixed[1 + 2 * i]
        noise.append(squared(rows).sum(1))
    gain = torch.stack(noise).mean(0)
    each = bands.zero_noise * frames
    return replace(
        bands,
        zero=torch.stack(zeros),
        orders=orders,
        zero_noise=each * float(gain[0]),
        order_noise=each * float(gain[1:].mean()),
    )


def noise_power(spectra: torch.Tensor, transfer: RadialTransfer) -> float:
    """Power of the noise in one frequency, measured just beyond the cut-off.

    Farther out a resampled image has less noise than at the frequencies with light.

    Parameters
    ----------
    spectra : torch.Tensor
        Complex (..., row, col).
    transfer : RadialTransfer
        The OTF.
    """
    shape = (int(spectra.shape[-2]), int(spectra.shape[-1]))
    radius = torch.hypot(*frequencies(shape, half=False, device=spectra.device))
    mean = squared(spectra).flatten(0, -3).mean(0)
    outside = (radius > _OUTSIDE * transfer.cutoff) & (radius < _FAR * transfer.cutoff)
    if int(outside.sum()) >= _ENOUGH:
        return float(mean[outside].mean())
    # The camera samples no frequency without light: the darkest ring is an upper bound.
    means, count = ring_means(mean, ring_numbers(radius))
    return float(means[count >= min(_ENOUGH, int(count.max()))].min())


def squared(spectrum: torch.Tensor) -> torch.Tensor:
    """Squared modulus, without the root that :func:`torch.abs` takes."""
    return spectrum.real.square() + spectrum.imag.square()


RINGS = 57
"""Rings of frequencies from 0 to the corner of the spectrum."""

_CORNER = math.sqrt(0.5)


def ring_numbers(radius: torch.Tensor) -> torch.Tensor:
    """The ring that each frequency (cycles per pixel) lies in; beyond the corner the last one."""
    return ring_of(radius / _CORNER, RINGS).clamp_max(RINGS)


def at_rings(means: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """A function of the frequency from its means over rings, linear in between."""
    return between_rings(means, radius / _CORNER)


def ring_means(values: torch.Tensor, ring: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over each ring, and how many frequencies it has."""
    return ring_mean(values, ring, RINGS), ring_sizes(ring, RINGS)
