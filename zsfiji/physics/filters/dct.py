"""A DCT filter that uses the spectrum of the noise.

Sliding 8 x 8 blocks: first hard thresholding, then a Wiener filter whose signal power comes from
the first result. Blocks that keep less noise have more weight. Input and output are stabilised
images. The constants are explained in docs/methods/zero-shot-denoise.md, section 4.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from zsfiji.compute.tiling import by_tiles
from zsfiji.physics.noise import resampled

BLOCK = 8
"""Edge of a block. 12 was worse on white noise: docs/methods/zero-shot-denoise.md, section 4."""

MARGIN = 2 * BLOCK
"""Pixels around a pixel on which its result depends: a block in each of the two passes."""

_THRESHOLD = 2.7
"""Hard threshold in standard deviations of a coefficient: that of the prototype, usual for BM3D."""

_WINDOW = 2.0
"""Shape of the Kaiser window of the blocks: that of the prototype, usual for BM3D."""

_STRIDE = 2
"""Pixels between blocks. With two grids the result is as good as with 1, in a quarter of the
time."""

_TILE = 256
"""Edge of a tile in pixels: bounds the memory, no result depends on it."""


def dct_denoise(
    plane: torch.Tensor,
    spectrum: np.ndarray,
    *,
    strength: float = 1.0,
    grids: int = 2,
    label: str | None = None,
) -> torch.Tensor:
    """Denoise a stabilised plane.

    Parameters
    ----------
    plane : torch.Tensor
        Shape (height, width), noise of standard deviation 1, on any device.
    spectrum : numpy.ndarray
        Power of the noise's DCT coefficients, mean 1 (see :class:`zsfiji.physics.noise.Noise`).
    strength : float
        Factor on the standard deviation of the noise.
    grids : {1, 2}
        Blocks begin at every second pixel of every second row, or at those and at the pixels
        diagonally between them: twice the time, and as good as blocks at every pixel.
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    torch.Tensor
        float32, of the same shape and on the same device.
    """
    power = torch.from_numpy((strength**2 * resampled(spectrum, BLOCK)).astype(np.float32))
    power = power.to(plane.device)

    def work(tile: torch.Tensor) -> torch.Tensor:
        image = tile[None]
        result = _filter(image, power)
        if grids == 2:
            between = _filter(F.pad(image, (1, 1, 1, 1), mode="replicate"), power)
            result = (result + between[..., 1:-1, 1:-1]) / 2
        return result[0]

    return by_tiles(work, plane[None], tile=_TILE, margin=MARGIN, multiple=_STRIDE, label=label)[0]


def _filter(image: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    """Both passes over (1, 1, height, width); pixels at the border are in fewer blocks."""
    matrix = _dct_matrix(image.device)
    window = torch.from_numpy(np.kaiser(BLOCK, _WINDOW).astype(np.float32)).to(image.device)
    variance = power.reshape(BLOCK, BLOCK, 1, 1)

    coefficients = _forward(image, matrix)
    kept = coefficients.square() > _THRESHOLD**2 * variance
    kept[0, 0] = True
    weight = 1 / (kept * variance).sum((0, 1))
    pilot = _aggregate(coefficients * kept, weight, matrix, window)

    signal = _forward(pilot, matrix).square_()
    gain = signal.div_(signal + variance)
    gain[0, 0] = 1
    weight = 1 / (gain.square() * variance).sum((0, 1))
    return _aggregate(coefficients.mul_(gain), weight, matrix, window)


def _dct_matrix(device: torch.device) -> torch.Tensor:
    k = np.arange(BLOCK)
    matrix = np.sqrt(2 / BLOCK) * np.cos(np.pi * (k[None] + 0.5) * k[:, None] / BLOCK)
    matrix[0] /= np.sqrt(2)
    return torch.from_numpy(matrix.astype(np.float32)).to(device)


def _forward(image: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """DCT of the blocks: (1, 1, h, w) -> (8, 8, blocks, blocks), vertical index first."""
    vertical = F.conv2d(image, matrix[:, None, :, None], stride=(_STRIDE, 1))
    return F.conv2d(vertical.transpose(0, 1), matrix[:, None, None, :], stride=(1, _STRIDE))


def _aggregate(
    coefficients: torch.Tensor, weight: torch.Tensor, matrix: torch.Tensor, window: torch.Tensor
) -> torch.Tensor:
    """Weighted mean of all blocks' pixels: the transpose of :func:`_forward`, over its weights."""
    shaped = matrix * window
    across = F.conv_transpose2d(
        coefficients * weight, shaped[:, None, None, :], stride=(1, _STRIDE)
    )
    total = F.conv_transpose2d(
        across.transpose(0, 1), shaped[:, None, :, None], stride=(_STRIDE, 1)
    )
    square = window[:, None] * window[None]
    counted = F.conv_transpose2d(weight[None, None], square[None, None], stride=_STRIDE)
    return total / counted
