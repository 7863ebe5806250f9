"""A fast classical deconvolution that takes light from outside the image into account."""

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
"""Pixels and slices by which the specimen continues beyond the image, at most; more for a PSF that
reaches over more than twice as many. Chosen by eye: light from farther away is hardly seen."""

_LEAST_SHARE = 0.01
"""Least share of the light of a voxel that must reach the image. Voxels with less do not change,
which keeps the division stable. Not tuned."""

_AFTER_WHITE = 2.3
"""Number of iterations, relative to those after which the residual is white. Found on four
simulated stacks at 5 to 500 photons."""

_OVERDONE = 0.88
"""Variance of a typical residual, relative to the one when it became white, at which the iterations
stop. Found on the same stacks."""

_BLOCK = 16
"""Edge in pixels of the blocks whose median is a typical one. Not tuned."""

_MOMENTUM = 3
"""The 3 in ``i / (i + 3)``, the usual value for Nesterov's momentum."""

_LEAST_LIGHT = 1e-3
"""Least light of an estimate, relative to the background: a multiplicative update never leaves
zero. Not tuned."""


class Deblurred(NamedTuple):
    """A deconvolved image.

    Attributes
    ----------
    specimen : torch.Tensor
        On the fine grid, not negative.
    reblurred : torch.Tensor
        The specimen and what was found beyond the border, blurred again; it has the shape of the
        image. Near the border the specimen alone would lack light.
    field : torch.Tensor
        The specimen with its surroundings, for :func:`replaced`.
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

    The momentum is Nesterov's, which is the same at all pixels. The iterations start with
    :math:`A'y`, the image blurred once more. So tiles of an image give the same result as the whole
    image, and the start has no noise finer than the PSF.

    The specimen continues beyond the image on all sides, as far as the PSF reaches but at most by
    12 pixels of the camera and slices, or by half of that reach if this is more. It is found there
    too, from its light in the image: nothing else explains the haze of slices above and below a
    stack. Little of it is seen, which the weights :math:`A'1` take into account (Bertero and
    Boccacci, Astron. Astrophys. 437, 369, 2005).

    An iteration is much faster than one with the operators of `optics`, because the blur and the
    binning are one step: the fine pixels in a pixel of the camera each have a PSF of their own on
    the grid of the camera.

    Parameters
    ----------
    light : torch.Tensor
        (..., row, col), or (..., pln, row, col) for optics of three axes: the image minus the grey
        level without light. Noise may make it negative, down to minus the background.
    optics : Degradation
        From the grid of the result to that of `light`.
    iterations : int
        How many. With momentum n iterations do as much as about n squared without.
    background : float
        Additional light in every pixel, more than zero. It reduces the noise in dark regions; the
        read variance in units of the gain is right.
    label : str, optional
        What to report as progress; nothing without it.
    begun : torch.Tensor, optional
        A specimen to start from, on the fine grid; it is mirrored beyond the image.

    Returns
    -------
    Deblurred
        The specimen inside the image, and the specimen with its surroundings blurred again.
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
    """Replace the specimen that :func:`deblur` found by another one.

    Parameters
    ----------
    light, optics
        As for :func:`deblur`.
    begun : Deblurred
        The result of :func:`deblur`; its light from beyond the image stays.
    specimen : torch.Tensor
        On the fine grid; negative values become zero.

    Returns
    -------
    Deblurred
        The new specimen, blurred again as well.
    """
    frame = _Frame(light, optics)
    cells = F.pixel_unshuffle(specimen.unsqueeze(-3), optics.upsample)
    field = begun.field.clone()
    frame.inside(field).copy_(cells.movedim(-3, -optics.psf.ndim - 1)).clamp_min_(0)
    return _result(frame, field)


def _result(frame: _Frame, field: torch.Tensor) -> Deblurred:
    """The specimen inside the image, and the whole field blurred again."""
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
    """Find the number of iterations of :func:`deblur` that the noise allows.

    When only noise is left in the residual, further iterations still recover detail hidden in the
    noise, for about as many iterations again. But if the PSF is not quite right, the residual is
    never white, and further iterations would only amplify noise. Then it stops when the residual of
    most of the image is smaller than its noise.

    Parameters
    ----------
    light, optics, background
        As for :func:`deblur`.
    most : int
        Upper limit of the number.
    correlation : float
        Correlation of the noise of neighbouring pixels in a row or column.

    Returns
    -------
    int
        2.3 times the iterations until the correlation of neighbouring pixels in the residual, in
        standard deviations of the shot noise, is not above that of the noise. It stops earlier when
        the residual of a typical block has 12 percent less variance than when it became white.
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
    """An image in a larger periodic field.

    The fine pixels in a pixel of the camera are on an axis of their own, before the others.
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
        """The part of a field that is inside the image, as a view."""
        for dim, length in zip(self._dims, self.shape, strict=True):
            field = field.narrow(dim, 0, length)
        return field

    def around(self, specimen: torch.Tensor) -> torch.Tensor:
        """The field of a specimen, mirrored beyond the border."""
        finer = (*self._size[:-2], *(n * self.fine for n in self._size[-2:]))
        for dim, length in zip(self._dims, finer, strict=True):
            specimen = _mirrored(specimen, dim, length)
        cells = F.pixel_unshuffle(specimen.unsqueeze(-3), self.fine)
        return cells.movedim(-3, -len(self._dims) - 1).clamp_min(0)

    def blurred(self, specimen: torch.Tensor) -> torch.Tensor:
        """The camera's view of the field."""
        spectrum = torch.fft.rfftn(specimen, dim=self._dims).mul_(self._transfer)
        spectrum = spectrum.sum(-len(self._dims) - 1)
        return torch.fft.irfftn(spectrum, s=self._size, dim=self._dims)

    def spread(self, image: torch.Tensor) -> torch.Tensor:
        """The transpose, times the number of fine pixels, so that a flat image keeps its value."""
        spectrum = torch.fft.rfftn(image, dim=self._dims).unsqueeze(-len(self._dims) - 1)
        spectrum = spectrum * self._transfer.conj()
        spread = torch.fft.irfftn(spectrum, s=self._size, dim=self._dims)
        return spread.mul_(self.fine**2).clamp_min_(0)


def _estimates(
    frame: _Frame, start: torch.Tensor, background: float, iterations: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give each estimate, and the blurred one that it was made from."""
    measured = torch.zeros_like(frame.start)
    frame.inside(measured).copy_(frame.light + background).clamp_min_(0)
    # Voxels of which hardly any light reaches the image do not change.
    share = frame.spread(frame.known)
    unseen = (_LEAST_SHARE - share).clamp_min_(0)
    share.clamp_min_(_LEAST_SHARE)
    before = now = start
    # A multiplicative update never leaves zero.
    least = _LEAST_LIGHT * background
    for i in range(iterations):
        progress.stop_if_cancelled()
        ahead = torch.lerp(before, now, 1 + i / (i + _MOMENTUM)).clamp_min_(least)
        reblurred = frame.blurred(ahead)
        ratio = (measured / (reblurred + background).clamp_min_(background)).mul_(frame.known)
        before, now = now, ahead.mul_(frame.spread(ratio).add_(unseen).div_(share))
        yield now, reblurred


def _mirrored(light: torch.Tensor, dim: int, length: int) -> torch.Tensor:
    """Continue periodically: after the end with its mirror image, then that of the beginning."""
    n = light.shape[dim]
    place = torch.arange(length, device=light.device)
    place = torch.where(place < n + (length - n + 1) // 2, place, place - length) % (2 * n)
    return light.index_select(dim, torch.minimum(place, 2 * n - 1 - place))


def _transfer(optics: Degradation, size: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Spectra of the binned PSFs of the fine pixels in a pixel of the camera."""
    fine, psf = optics.upsample, optics.psf.to(like.dtype).to(like.device)
    dims = tuple(range(-psf.ndim, 0))
    whole = (*size[:-2], fine * size[-2], fine * size[-1])
    # For a small image the PSF may be larger than the periodic field.
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
