r"""What the compact network sees: linear reconstructions on the three times finer grid.

With the image formation :math:`y = A x` of all frames, the adjoint :math:`A^T y` (a matched filter:
every band moved to where it belongs, weighted by its contrast) has all that the frames say about
the specimen, whatever their number. It is divided by the transfer :math:`|A|^2` plus ridges from
weak to strong, in units of the one that suits the noise of a specimen as bright as its image: the
weak one shows the finest detail, the strong one has the least noise. The light that is not
modulated gives one more image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.optics import Blur, RadialTransfer, frequencies
from zsfiji.physics.sim.patterns import Patterns
from zsfiji.reconstruction.borders import extended, extended_shape
from zsfiji.reconstruction.joint import cosines_and_sines, mixing

RIDGES = (0.03, 0.3, 3.0, 30.0)
"""Ridges of the reconstructions with all bands."""

WIDE = 0.3
"""Ridge of the reconstruction without the modulated bands, which is the last image."""

IMAGES = tuple(range(len(RIDGES) + 1))
"""The images: one for each ridge, and the last one."""

_MARGIN = 8
"""Raw pixels by which the image is continued at least."""

_LEAST = 1e-4
"""Least ridge that suits the noise: for errors that are not noise. Not tuned."""

_MOST_VALUES = 2**20
"""Pixels of which quantiles are taken: bounds the time."""


@dataclass(frozen=True, eq=False)
class Features:
    """What the network sees of a stack.

    Attributes
    ----------
    images : torch.Tensor
        float32 (image, 3 row, 3 col): 0 is the dark background, about 1 the brightest structure of
        the wide-field image.
    noise : torch.Tensor
        float32 (2,): logarithms of gain and of the variance of a dark pixel, in these units.
    offset, unit : float
        The images are light minus `offset`, over `unit`.
    """

    images: torch.Tensor
    noise: torch.Tensor
    offset: float
    unit: float


def level(frames: torch.Tensor) -> tuple[float, float]:
    """Dark background, and the light of bright structures above it, in (..., row, col)."""
    mean = frames.flatten(0, -3).mean(0)
    values = F.avg_pool2d(mean[None], 3, 1, 1, count_include_pad=False).flatten()
    values = values[:: -(-len(values) // _MOST_VALUES)]
    dark, bright = torch.quantile(values, torch.tensor([0.02, 0.997]).to(values)).tolist()
    return dark, max(bright - dark, 1e-3 * abs(bright), 1e-6)


def features(
    frames: torch.Tensor,
    patterns: Patterns,
    transfer: RadialTransfer,
    gain: float,
    read_variance: float,
    images: Sequence[int] = IMAGES,
) -> Features:
    """Make the images that the network sees.

    Parameters
    ----------
    frames : torch.Tensor
        float32 (angle, phase, row, col): light, in any unit.
    patterns : Patterns
        Of the frames.
    transfer : RadialTransfer
        Of the lens.
    gain, read_variance : float
        Variance of a pixel is gain times light plus read variance, in the unit of the frames.
    images : sequence of int
        Those of :data:`IMAGES` that are wanted.
    """
    offset, unit = level(frames)
    bright = patterns.brightness.to(frames)[..., None, None]
    light = (frames - offset * bright) / unit
    linear = Linear(light, patterns, transfer)
    variance = (gain * max(float(light.mean()) * unit + offset, 0.0) + read_variance) / unit**2
    suits = max(SCALE**2 * variance / linear.number, _LEAST)
    found = linear.images(
        [
            (0, linear.ridged(0, suits * RIDGES[n]))
            if n < len(RIDGES)
            else (1, linear.ridged(1, suits * WIDE))
            for n in images
        ]
    )
    dark = (gain * max(offset, 0.0) + read_variance) / unit**2
    noise = torch.tensor([gain / unit, dark]).clamp_min(1e-8).log()
    return Features(found, noise.to(found), offset, unit)


class Linear:
    """Linear reconstructions of a raw stack.

    Parameters
    ----------
    light : torch.Tensor
        float32 (angle, phase, row, col): the frames without background.
    patterns : Patterns
        Of the frames.
    transfer : RadialTransfer
        Of the lens.

    Attributes
    ----------
    number : int
        Of frames.
    passed : tuple of torch.Tensor
        What the image formation and its adjoint pass of each frequency of the fine grid,
        (3 row, half of 3 col): with all bands, and without the modulated ones. Bands are taken as
        independent, as those of equal phase steps are.
    """

    def __init__(self, light: torch.Tensor, patterns: Patterns, transfer: RadialTransfer) -> None:
        self._shape = (int(light.shape[-2]), int(light.shape[-1]))
        self._field = field = extended_shape(self._shape, _MARGIN)
        blur = Blur(transfer, field, SCALE, light.device)
        moved = patterns.moved(-float(_MARGIN), -float(_MARGIN))
        mixed = mixing(moved).to(light)
        self.number = mixed.shape[0]
        bands = torch.einsum("fb,fyx->byx", mixed, light.flatten(0, 1))
        # The adjoint of a mean over fine pixels has a ninth of their sum.
        wide = blur.up(extended(bands * (SCALE**2 / self.number), field, _MARGIN))
        modulated = (wide[1:] * cosines_and_sines(moved, field, SCALE, light.device)).sum(0)
        # The first band is the light that is not modulated.
        self._bands = (wide[0] + modulated, wide[0])
        self.passed = _passed(patterns, transfer, field, mixed)

    @property
    def frequency(self) -> torch.Tensor:
        """Of the filters, in cycles per raw pixel: (3 row, half of 3 col)."""
        row, col = frequencies(self._field, SCALE, device=self._bands[0].device)
        return torch.hypot(row, col)

    def ridged(self, bands: int, ridge: float) -> torch.Tensor:
        """The filter of a ridge that shows a flat specimen as bright as it is.

        Parameters
        ----------
        bands : int
            0 for all bands, 1 without the modulated ones.
        ridge : float
            In what is passed of a flat specimen without patterns.
        """
        passed = self.passed[bands]
        return (passed[0, 0] + ridge) / (passed + ridge)

    def images(self, wanted: Sequence[tuple[int, torch.Tensor]]) -> torch.Tensor:
        """Images (wanted, 3 row, 3 col), each of some bands (see :meth:`ridged`) and a filter."""
        needed = sorted({bands for bands, _ in wanted})
        spectra = torch.fft.rfft2(torch.stack([self._bands[bands] for bands in needed]))
        filtered = torch.stack([spectra[needed.index(bands)] * passes for bands, passes in wanted])
        found = torch.fft.irfft2(filtered, s=(SCALE * self._field[0], SCALE * self._field[1]))
        rows, cols = (slice(SCALE * _MARGIN, SCALE * (_MARGIN + n)) for n in self._shape)
        return found[:, rows, cols]


def _passed(
    patterns: Patterns, transfer: RadialTransfer, field: tuple[int, int], mixed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """See :class:`Linear`."""
    row, col = frequencies(field, SCALE, device=mixed.device)

    def add(total: torch.Tensor, weight: float, down: float = 0.0, across: float = 0.0) -> None:
        # A camera does not tell what is beyond half a cycle per pixel.
        rows, cols = (
            ((frequency + moved).abs() <= 0.5).flatten().nonzero()[:, 0]
            for frequency, moved in ((row, down), (col, across))
        )
        there = (row[rows] + down, col[:, cols] + across)
        total[rows[:, None], cols] += weight * transfer(*there, SCALE).square()

    one, total = (torch.zeros(len(row), col.shape[1], device=mixed.device) for _ in range(2))
    add(one, 1.0)
    strength = mixed.square().mean(0)
    total += strength[0] * one
    vectors = patterns.wave_vectors.flatten(0, 1).tolist()
    # Cosine and sine of a wave move a band to both sides.
    for (down, across), weight in zip(
        vectors, strength[1:].reshape(-1, 2).sum(1).tolist(), strict=True
    ):
        add(total, weight / 4, -down, -across)
        add(total, weight / 4, down, across)
    return total, one
