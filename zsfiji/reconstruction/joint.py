r"""Joint Richardson-Lucy deconvolution of all frames of a raw SIM image.

The specimen :math:`x \ge 0` and a smooth light :math:`h` that is not modulated (haze) explain all
frames at once:

.. math::
    \mu_{dn} = \mathrm{blur}(I_{dn}\, x) + a_{dn}\, G h

with the illuminations :math:`I_{dn}`, the brightness :math:`a_{dn}` of the frames and a wide
Gaussian :math:`G`. Both are found by :mod:`zsfiji.reconstruction.richardson_lucy`. Nothing is
divided by the contrast of a band, so noise of weak bands is not amplified as in the linear
reconstruction.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from zsfiji.physics.sim.optics import Blur, RadialTransfer, circular, frequencies, waves
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.richardson_lucy import Estimate, reached

MARGIN = 8
"""Raw pixels by which the specimen continues beyond the image, at least. From the prototype."""

HAZE = 8.0
"""Standard deviation in raw pixels of the Gaussian that keeps the haze smooth. With 4 it took up
structure in focus and cost 1 to 2 dB."""


class Joint:
    """The image formation of all frames of one raw image, and its inversion.

    The frames of an angle are sums of few band images: the blurred specimen, and for each wave that
    of the specimen times its cosine and its sine. Only these are transformed, 7 for 9 frames.

    Parameters
    ----------
    patterns : Patterns
        The illumination, its origin at the first pixel of the image.
    transfer : RadialTransfer
        The OTF.
    shape : (int, int)
        Rows and columns of the raw image.
    read_variance : float or torch.Tensor
        Variance of a pixel without light over the gain, in the unit of the frames: for frames in
        photoelectrons the variance itself. It is the additional light that has this noise. A
        background that was taken off has noise as well, and belongs to it: (row, col) if it is not
        the same everywhere.
    scale : int
        Fine pixels to a raw one.
    haze : float or None
        Smoothness of the haze: standard deviation of a Gaussian in raw pixels. None for no haze.
    device : torch.device, optional
        Where to compute.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the raw image.
    scale : int
        Fine pixels to a raw one.
    read : float or torch.Tensor
        Light that has the noise of a pixel without light.
    bright : torch.Tensor
        Brightness of the frames, (frame, 1, 1).
    seen : torch.Tensor
        Light that each fine pixel sends into all frames.
    smooth : callable or None
        The wide Gaussian, if there is haze.
    patterns : Patterns
        The illumination.
    turns : torch.Tensor
        (angle, wave, frame): its phases in radians as :meth:`band_images` counts them.
    blur : Blur
        The optics, on a field that is larger than the image.
    """

    def __init__(
        self,
        patterns: Patterns,
        transfer: RadialTransfer,
        shape: tuple[int, int],
        read_variance: float | torch.Tensor = 0.0,
        *,
        scale: int = 2,
        haze: float | None = HAZE,
        device: torch.device | None = None,
    ) -> None:
        self.shape, self.scale = shape, scale
        self.read: float | torch.Tensor = read_variance
        self.patterns, self._sigma, self._device = patterns, haze, device
        self._stack = (patterns.angles, patterns.frames)
        self._size, self._before = field_around(shape)
        self.blur = Blur(transfer, self._size, scale, device)
        moved = patterns.moved(-float(self._before[0]), -float(self._before[1]))
        self.turns = moved.phases
        self._waves = cosines_and_sines(moved, self._size, scale, device)
        self._mixing = mixing(moved).to(self._waves)
        bright = patterns.brightness.flatten().to(self._waves)
        self.bright = bright[:, None, None]
        self.smooth = None if haze is None else _Gaussian(haze, shape)
        seen = torch.ones(len(bright), *shape, device=device)
        full = float(bright.sum()) / scale**2
        self.seen = reached(self.back(seen), full)
        row, col = frequencies(self._size, scale, device=device)
        self._lens = circular(torch.hypot(row, col) / (transfer.cutoff + patterns.finest))

    def part(self, rows: slice, cols: slice) -> Joint:
        """The same for a part of the image."""
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        read = self.read if isinstance(self.read, float) else self.read[rows, cols]
        return self._of(self.patterns.moved(float(rows.start), float(cols.start)), shape, read)

    def with_patterns(self, patterns: Patterns) -> Joint:
        """The same with other patterns."""
        return self._of(patterns, self.shape, self.read)

    def _of(self, patterns: Patterns, shape: tuple[int, int], read: float | torch.Tensor) -> Joint:
        return Joint(
            patterns,
            self.blur.transfer,
            shape,
            read,
            scale=self.scale,
            haze=self._sigma,
            device=self._device,
        )

    @property
    def fine(self) -> tuple[int, int]:
        """Rows and columns of the specimen with its surroundings."""
        return self.blur.fine

    @property
    def has_haze(self) -> bool:
        """Whether there is light that is not modulated."""
        return self.smooth is not None

    def predict(self, estimate: Estimate) -> torch.Tensor:
        """The frames without noise that an estimate explains: (angle, frame, row, col)."""
        return self.frames(estimate).reshape(*self._stack, *self.shape)

    def haze(self, estimate: Estimate) -> torch.Tensor:
        """Light that is not modulated, (row, col), in the mean over the frames."""
        if self.smooth is None or estimate.haze is None:
            return torch.zeros(self.shape, device=self._device)
        return self.smooth(estimate.haze)

    def whole(self, specimen: torch.Tensor) -> torch.Tensor:
        """Continue a specimen (fine row, fine col) beyond the border, mirrored."""
        top, left = (self.scale * n for n in self._before)
        bottom, right = (
            self.scale * (a - n) - before
            for a, n, before in zip(self._size, self.shape, (top, left), strict=True)
        )
        padded: torch.Tensor = F.pad(specimen[None], (left, right, top, bottom), mode="reflect")
        return padded[0]

    def inside(self, specimen: torch.Tensor) -> torch.Tensor:
        """Cut a specimen to the image: (fine row, fine col)."""
        rows, cols = (
            slice(self.scale * before, self.scale * (before + n))
            for before, n in zip(self._before, self.shape, strict=True)
        )
        return specimen[rows, cols]

    def shown(self, specimen: torch.Tensor) -> torch.Tensor:
        """The specimen seen by a lens that resolves what SIM does, cut to the image.

        The lens is an ideal one whose cut-off is that of the optics plus the finest pattern.
        """
        return self.inside(self.seen_by_lens(specimen))

    def seen_by_lens(self, specimen: torch.Tensor) -> torch.Tensor:
        """The same with the surroundings."""
        spectrum = torch.fft.rfft2(specimen) * self._lens
        return torch.fft.irfft2(spectrum, s=self.blur.fine)

    def band_images(self, estimate: Estimate) -> torch.Tensor:
        """The specimen, and for each wave that times its cosine and its sine, as the lens shows it.

        Returns
        -------
        torch.Tensor
            (1 + angle * wave * 2, row, col); frames are sums of these, see :func:`mixing`.
        """
        x = estimate.specimen
        bands = self.blur.down(torch.cat([x[None], self._waves * x]))
        rows, cols = (
            slice(before, before + n) for before, n in zip(self._before, self.shape, strict=True)
        )
        return bands[:, rows, cols]

    def frames(self, estimate: Estimate) -> torch.Tensor:
        """Expected frames (frame, row, col)."""
        frames = torch.einsum("fb,byx->fyx", self._mixing, self.band_images(estimate))
        if self.smooth is not None and estimate.haze is not None:
            frames += self.bright * self.smooth(estimate.haze)
        return frames

    def back(self, frames: torch.Tensor) -> torch.Tensor:
        """The adjoint for the specimen: (fine row, fine col)."""
        bands = torch.einsum("fb,fyx->byx", self._mixing, frames)
        top, left = self._before
        bottom, right = (
            a - n - before
            for a, n, before in zip(self._size, self.shape, self._before, strict=True)
        )
        wide = self.blur.up(F.pad(bands, (left, right, top, bottom)))
        return wide[0] + (wide[1:] * self._waves).sum(0)


def cosines_and_sines(
    patterns: Patterns, shape: tuple[int, int], scale: int, device: torch.device | None
) -> torch.Tensor:
    """Of each wave of each angle, on the fine grid: float32 (angle * wave * 2, row, col)."""
    there = torch.view_as_real(waves(patterns, shape, scale, device=device))
    return there.movedim(-1, 2).flatten(0, 2).contiguous()


def mixing(patterns: Patterns) -> torch.Tensor:
    r"""How frames are made of real band images.

    Returns
    -------
    torch.Tensor
        64-bit (angle * frame, 1 + angle * wave * 2): the shares of the light without modulation,
        and of the cosine and the sine of each wave. Those of the waves of other angles are 0.
    """
    angles, count, frames = patterns.phases.shape
    strength = (patterns.brightness[:, None] * patterns.modulation[..., None])[..., None]
    turned = torch.stack([patterns.phases.cos(), -patterns.phases.sin()], -1) * strength
    found = torch.zeros(angles, frames, 1 + angles * count * 2, dtype=torch.float64)
    found[..., 0] = patterns.brightness
    own = found[..., 1:].reshape(angles, frames, angles, count, 2)
    for angle in range(angles):
        own[angle, :, angle] = turned[angle].transpose(0, 1)
    found[..., 1:] = own.flatten(2)
    return found.flatten(0, 1)


def field_around(shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of a field with :data:`MARGIN`, and how many are before the image."""
    rows, cols = (_even(next_fast_len(n + 2 * MARGIN, real=True)) for n in shape)
    return (rows, cols), ((rows - shape[0]) // 2, (cols - shape[1]) // 2)


def _even(length: int) -> int:
    """The next even length of a fast transform."""
    while length % 2:
        length = next_fast_len(length + 1, real=True)
    return length


class _Gaussian:
    """A wide Gaussian filter, mirrored at the border."""

    def __init__(self, sigma: float, shape: tuple[int, int]) -> None:
        self._taps = []
        for n in shape:
            reach = min(math.ceil(3 * sigma), n - 1)
            tap = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
            self._taps.append(tap / tap.sum())

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        down, across = (tap.to(image) for tap in self._taps)
        rows, cols = len(down) // 2, len(across) // 2
        image = F.pad(image[None, None], (cols, cols, rows, rows), mode="reflect")
        image = F.conv2d(image, down[None, None, :, None])
        return F.conv2d(image, across[None, None, None, :])[0, 0]
