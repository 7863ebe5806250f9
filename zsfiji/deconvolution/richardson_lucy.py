"""A quick classical deconvolution that allows for light from beyond the image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from zsfiji import progress
from zsfiji.physics.optics.degradation import Degradation

_BEYOND = 12
"""Pixels and slices that the specimen goes on beyond the image; more where half a PSF is more.
Chosen by eye: little light comes from farther away."""

_LEAST_SHARE = 0.01
"""Share of its light that must reach the image for a place to change: keeps the division
stable. Not tuned."""

_AFTER_WHITE = 2.3
"""Iterations, in those that make the residual white. From four simulated stacks at 5 to 500
photons."""

_OVERDONE = 0.88
"""Variance of a typical residual, in that at whiteness, at which it ends. From the same stacks."""

_BLOCK = 16
"""Edge in pixels of the blocks of which a typical one is sought. Not tuned."""

_MOMENTUM = 3
"""The 3 of ``i / (i + 3)``, Nesterov's usual one."""

_LEAST_LIGHT = 1e-3
"""Least light of an estimate, in that of the background: a product would keep a zero for ever."""


class Deblurred(NamedTuple):
    """A deconvolved image.

    Attributes
    ----------
    specimen : torch.Tensor
        On the fine grid, not negative.
    reblurred : torch.Tensor
        What the camera would see of it and of what was found beyond the border; the shape of the
        image. Near the border the specimen alone, blurred again, would lack light.
    field : torch.Tensor
        All that was found, for :func:`replaced`.
    """

    specimen: torch.Tensor
    reblurred: torch.Tensor
    field: torch.Tensor


def deblur(
    light: torch.Tensor,
    optics: Degradation,
    iterations: int,
    background: float,
    label: str | None = None,
    begun: torch.Tensor | None = None,
) -> Deblurred:
    r"""Deconvolve by Richardson-Lucy with momentum.

    :math:`x \leftarrow v\; \frac{1}{A'1} A'\frac{y + b}{A v + b}` with
    :math:`v = x + \frac{i}{i+3}(x - x_{before})`

    The momentum is Nesterov's, which is the same everywhere, and it begins with :math:`A'y`, the
    image blurred once more: tiles of an image give what the whole image gives, and noise finer
    than the PSF is not there from the beginning.

    The specimen goes on beyond the image on all sides, half a PSF or 12 pixels of the camera and
    slices. What lies there is found with the rest, from the light that it throws into the image:
    the haze of slices above and below a stack has no other explanation. What is seen of it is
    little, which the weights :math:`A'1` allow for (Bertero and Boccacci, Astron. Astrophys. 437,
    369, 2005).

    An iteration is much quicker than one with the operators of `optics`: blurring by the PSF and
    binning are done at once, each of the pixels that share a pixel of the camera having a PSF of
    its own on the grid of the camera.

    Parameters
    ----------
    light : torch.Tensor
        (..., row, col), or (..., pln, row, col) for optics of three axes: what was measured, above
        the level of no light. Noise may take it below zero as far as the background allows.
    optics : Degradation
        From the grid of the result to that of `light`.
    iterations : int
        How many. With momentum they count for their square, about.
    background : float
        Light that every pixel is thought to have besides, more than zero. It keeps the noise of
        dark places down; the variance of read noise in units of the gain is right.
    label : str, optional
        What to report as progress; nothing without it.
    begun : torch.Tensor, optional
        A specimen to begin with, on the fine grid; it goes on beyond the image as its mirror image.

    Returns
    -------
    Deblurred
        The specimen inside the image, and what the camera sees of all of it.
    """
    frame = _Frame(light, optics)
    field = frame.spread(frame.start) if begun is None else frame.around(begun)
    for i, (now, _) in enumerate(_estimates(frame, field, background, iterations)):
        field = now
        if label is not None:
            progress.report(i / iterations, label)
    return _result(frame, field)


def replaced(
    light: torch.Tensor, optics: Degradation, begun: Deblurred, specimen: torch.Tensor
) -> Deblurred:
    """Put another specimen in place of the one that :func:`deblur` found.

    Parameters
    ----------
    light, optics
        As for :func:`deblur`.
    begun : Deblurred
        What that gave; the light from beyond the image stays.
    specimen : torch.Tensor
        On the fine grid, cut off at zero.

    Returns
    -------
    Deblurred
        The specimen and what the camera sees of it.
    """
    frame = _Frame(light, optics)
    cells = F.pixel_unshuffle(specimen.unsqueeze(-3), optics.upsample)
    field = begun.field.clone()
    frame.inside(field).copy_(cells.movedim(-3, -optics.psf.ndim - 1)).clamp_min_(0)
    return _result(frame, field)


def _result(frame: _Frame, field: torch.Tensor) -> Deblurred:
    """The specimen inside the image, and what the camera sees of the whole field."""
    cells = frame.inside(field).movedim(-len(frame.shape) - 1, -3)
    specimen = F.pixel_shuffle(cells, frame.fine).squeeze(-3).clamp_min(0)
    return Deblurred(specimen, frame.inside(frame.blurred(field)), field)


def choose_iterations(
    light: torch.Tensor,
    optics: Degradation,
    background: float,
    most: int,
    correlation: float = 0.0,
) -> int:
    """Count the iterations of :func:`deblur` that the noise allows.

    Once just noise is left of what the camera saw, details that are hidden in it still come up,
    for about as long again. But where the optics are not quite those of the image something is
    always left, and its noise must not be explained instead: then it ends when most of the image
    is explained better than its noise allows.

    Parameters
    ----------
    light, optics, background
        As for :func:`deblur`.
    most : int
        No more than these.
    correlation : float
        That of the noise between neighbours in a row or column.

    Returns
    -------
    int
        2.3 times the iterations after which neighbours in the residual, in standard deviations
        of the noise of photons, are correlated by not more than that; but no more once the
        residual of a typical block has lost 12 percent of its variance since it became white.
    """
    frame = _Frame(light, optics)
    wanted, level = most, 0.0
    for i, (_, reblurred) in enumerate(
        _estimates(frame, frame.spread(frame.start), background, most)
    ):
        if i >= wanted:
            break
        found = frame.inside(reblurred)
        left = (light - found) / (found + background).clamp_min(background).sqrt()
        square = left.square()
        pairs = (left[..., 1:, :-1] + left[..., :-1, 1:]) * left[..., :-1, :-1] / 2
        pairs = pairs - correlation * square[..., :-1, :-1]
        if wanted == most and float(pairs.mean()) <= 0:
            wanted = min(most, round(_AFTER_WHITE * max(i, 1)))
        typical = _typical(square)
        if level == 0 and _typical(pairs) <= 0:
            level = typical
        if typical < _OVERDONE * level:
            return max(i, 1)
    return wanted


def _typical(image: torch.Tensor) -> float:
    """Median of the means of blocks of each slice."""
    block = [min(_BLOCK, n) for n in image.shape[-2:]]
    planes = image.reshape(-1, 1, *image.shape[-2:])
    return float(F.avg_pool2d(planes, block).median())


class _Frame:
    """An image in a larger, periodic field.

    The pixels of the fine grid that share a pixel of the camera lie on an axis of their own,
    before the others.
    """

    def __init__(self, light: torch.Tensor, optics: Degradation) -> None:
        axes, self.fine = optics.psf.ndim, optics.upsample
        self._dims = tuple(range(-axes, 0))
        self.shape = tuple(light.shape[-axes:])
        # Light from one end must not reach the other.
        free = (max(min(reach, _BEYOND), -(-reach // 2)) for reach in optics.margin)
        self._size = tuple(
            next_fast_len(n + 2 * beyond, real=True)
            for n, beyond in zip(self.shape, free, strict=True)
        )
        self._transfer = _transfer(optics, self._size, light)
        self.start = light.clamp_min(0)
        for dim, length in zip(self._dims, self._size, strict=True):
            self.start = _mirrored(self.start, dim, length)
        self.known = torch.zeros(self._size, dtype=light.dtype, device=light.device)
        self.inside(self.known).fill_(1)
        self.light = light

    def inside(self, field: torch.Tensor) -> torch.Tensor:
        """A view of the image in the field."""
        for dim, length in zip(self._dims, self.shape, strict=True):
            field = field.narrow(dim, 0, length)
        return field

    def around(self, specimen: torch.Tensor) -> torch.Tensor:
        """The field of a specimen that is its own mirror image beyond the border."""
        finer = (*self._size[:-2], *(n * self.fine for n in self._size[-2:]))
        for dim, length in zip(self._dims, finer, strict=True):
            specimen = _mirrored(specimen, dim, length)
        cells = F.pixel_unshuffle(specimen.unsqueeze(-3), self.fine)
        return cells.movedim(-3, -len(self._dims) - 1).clamp_min(0)

    def blurred(self, specimen: torch.Tensor) -> torch.Tensor:
        """What the camera sees."""
        spectrum = torch.fft.rfftn(specimen, dim=self._dims).mul_(self._transfer)
        spectrum = spectrum.sum(-len(self._dims) - 1)
        return torch.fft.irfftn(spectrum, s=self._size, dim=self._dims)

    def spread(self, image: torch.Tensor) -> torch.Tensor:
        """The transpose, times the number of fine pixels, so that what is flat keeps its value."""
        spectrum = torch.fft.rfftn(image, dim=self._dims).unsqueeze(-len(self._dims) - 1)
        spectrum = spectrum * self._transfer.conj()
        spread = torch.fft.irfftn(spectrum, s=self._size, dim=self._dims)
        return spread.mul_(self.fine**2).clamp_min_(0)


def _estimates(
    frame: _Frame, start: torch.Tensor, background: float, iterations: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give each estimate, and what the camera sees of the one that it was made from."""
    measured = torch.zeros_like(frame.start)
    frame.inside(measured).copy_(frame.light + background).clamp_min_(0)
    # Places of which hardly any light reaches the image stay as they are.
    share = frame.spread(frame.known)
    unseen = (_LEAST_SHARE - share).clamp_min_(0)
    share.clamp_min_(_LEAST_SHARE)
    before = now = start
    # What has reached zero can not come back: a product stays zero.
    least = _LEAST_LIGHT * background
    for i in range(iterations):
        progress.stop_if_cancelled()
        ahead = torch.lerp(before, now, 1 + i / (i + _MOMENTUM)).clamp_min_(least)
        reblurred = frame.blurred(ahead)
        ratio = (measured / (reblurred + background).clamp_min_(background)).mul_(frame.known)
        before, now = now, ahead.mul_(frame.spread(ratio).add_(unseen).div_(share))
        yield now, reblurred


def _mirrored(light: torch.Tensor, dim: int, length: int) -> torch.Tensor:
    """Go on behind the end with the mirror image, of the end first and of the beginning last."""
    n = light.shape[dim]
    place = torch.arange(length, device=light.device)
    place = torch.where(place < n + (length - n + 1) // 2, place, place - length) % (2 * n)
    return light.index_select(dim, torch.minimum(place, 2 * n - 1 - place))


def _transfer(optics: Degradation, size: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Spectra of the PSFs, each binned, of the pixels that share one of the camera."""
    fine, psf = optics.upsample, optics.psf.to(like.dtype).to(like.device)
    dims = tuple(range(-psf.ndim, 0))
    whole = (*size[:-2], fine * size[-2], fine * size[-1])
    # The border may reach round the whole of a small image.
    for dim, length in zip(dims, whole, strict=True):
        n = psf.shape[dim]
        place = (torch.arange(n, device=psf.device) - n // 2) % length
        wrapped = psf.new_zeros([length if d == dim else psf.shape[d] for d in dims])
        psf = wrapped.index_add_(dim, place, psf)
    for dim in (-2, -1):
        psf = torch.stack([psf.roll(-shift, dim) for shift in range(fine)]).mean(0)
    phases = [
        psf.roll(shifts, (-2, -1))[..., ::fine, ::fine]
        for shifts in itertools.product(range(fine), repeat=2)
    ]
    return torch.fft.rfftn(torch.stack(phases), dim=dims)
