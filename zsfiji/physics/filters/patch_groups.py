"""Bayesian estimate of groups of similar patches, from a first estimate of the image.

After the second step of Lebrun, Buades and Morel, SIAM J. Imaging Sci. 6 (2013) 1665 (NL-Bayes).
For some patches of the first estimate the most similar ones around are found. The patches of a
group are taken as draws from one normal distribution, whose covariance comes from the first
estimate and whose mean from the noisy image; each noisy patch then gets its most probable value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import idct

from zsfiji import progress
from zsfiji.physics.noise import resampled

EDGE = 6
"""Edge of a patch in pixels; 7 was as good in 1.5 times the time, 5 worse by 0.05 dB."""

_STRIDE = 5
"""Pixels between the patches for which groups are made; 4 was better by 0.005 dB in 1.5 times the
time, 6 worse by 0.01 dB."""

_REACH = 7
"""Rows and columns to each side in which similar patches are looked for; 10 was as good."""

_GROUP = 48
"""Patches in a group; with 32 the result was worse by 0.05 to 0.1 dB, with 96 by 0.1 dB."""

_CONTRAST = 1.3
"""Factor on the covariance of the first estimate, which is smoother than the image. 1.6 was as
good, 1 worse by 0.1 dB on images with fine structure."""

_FLAT = 0.03
"""Variance of the first estimate within a group, in variances of the noise, at which the mean of
the noisy patches counts half. Where there is no structure, the mean of the first estimate has less
noise: 0.10 instead of 0.14 standard deviations in an image of noise alone. With 0.1 images with
fine structure lost 0.02 dB."""

_AT_ONCE = 2048
"""Groups that are estimated at once: bounds the memory, no result depends on it."""

_ROWS = 8
"""Fewest rows of groups in a strip of the plane: with fewer, strips overlap by more than half."""


@torch.inference_mode()
def group_denoise(
    plane: torch.Tensor,
    estimate: torch.Tensor,
    spectrum: np.ndarray,
    *,
    label: str | None = None,
) -> torch.Tensor:
    """Denoise a stabilised plane.

    Parameters
    ----------
    plane : torch.Tensor
        Shape (height, width), noise of standard deviation 1, on any device.
    estimate : torch.Tensor
        A first estimate of the plane without noise, of the same shape.
    spectrum : numpy.ndarray
        Power of the noise's DCT coefficients, mean 1 (see :class:`zsfiji.physics.noise.Noise`).
    label : str, optional
        What to report to the user as progress; without it nothing is reported.

    Returns
    -------
    torch.Tensor
        float32, of the same shape and on the same device; `estimate` for planes with an edge of
        less than 16 pixels.
    """
    height, width = plane.shape
    if min(height, width) < 2 * (EDGE + 2):
        return estimate.clone()
    noise = torch.from_numpy(_covariance(spectrum)).to(plane.device)
    rows, cols = _starts(height), _starts(width)
    total, weights = torch.zeros_like(plane), torch.zeros_like(plane)
    strip = max(_ROWS, _AT_ONCE // len(cols))
    for first in range(0, len(rows), strip):
        chosen = rows[first : first + strip]
        top = max(0, chosen[0] - _REACH)
        bottom = min(height, chosen[-1] + _REACH + EDGE)
        groups = _groups(estimate[top:bottom], [row - top for row in chosen], cols)
        values, counted = _estimated(plane[top:bottom], estimate[top:bottom], groups, noise)
        total[top:bottom] += values
        weights[top:bottom] += counted
        if label is not None:
            progress.report(min(first + strip, len(rows)) / len(rows), label)
    # Outside of inference mode a clone can be used in a training.
    return total / weights


def _covariance(spectrum: np.ndarray) -> np.ndarray:
    """Covariance of the noise of the pixels of a patch, float32 (36, 36)."""
    basis = idct(np.eye(EDGE), axis=0, norm="ortho")
    both = np.kron(basis, basis)
    return ((both * resampled(spectrum, EDGE).ravel()) @ both.T).astype(np.float32)


def _starts(length: int) -> list[int]:
    """First rows, or columns, of the patches for which groups are made."""
    last = length - EDGE
    return [*range(0, last, _STRIDE), last]


def _groups(estimate: torch.Tensor, rows: Sequence[int], cols: Sequence[int]) -> torch.Tensor:
    """Find the patches that are most similar to some; gives their numbers, (patches, group)."""
    height, width = estimate.shape
    device = estimate.device
    down, across = torch.tensor(rows, device=device), torch.tensor(cols, device=device)
    lines = (down[:, None] + torch.arange(EDGE, device=device)).flatten()
    # Patches beyond the border differ by infinity.
    wider = F.pad(estimate, (_REACH,) * 4, value=torch.inf)
    wide = width - EDGE + 1
    distances, steps = [], []
    for row in range(-_REACH, _REACH + 1):
        for col in range(-_REACH, _REACH + 1):
            top, left = _REACH + row, _REACH + col
            difference = wider[top : top + height, left : left + width] - estimate
            sums = _sums_along_rows(difference.square_())[lines]
            sums = sums.view(len(rows), EDGE, wide).sum(1)
            if row == col == 0:
                # Where the estimate is constant, others are as near, and no pixel may be left out.
                sums = torch.full_like(sums, -1)
            distances.append(sums[:, across].flatten())
            steps.append(row * wide + col)
    nearest = torch.stack(distances, 1).topk(_GROUP, 1, largest=False, sorted=False).indices
    number = (down[:, None] * wide + across).flatten()
    return number[:, None] + torch.tensor(steps, device=device)[nearest]


def _sums_along_rows(values: torch.Tensor) -> torch.Tensor:
    """Sum of each pixel and the next 5 of its row, (height, width - 5)."""
    wide = values.shape[1] - EDGE + 1
    two = values[:, :-1] + values[:, 1:]
    return (two[:, :wide] + two[:, 2 : wide + 2]).add_(two[:, 4 : wide + 4])


def _share_of_noise(smooth: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """What a group's patches have of the noise: (groups, pixel, pixel)."""

    def covariance(of: torch.Tensor) -> torch.Tensor:
        return of.transpose(1, 2) @ of * (_CONTRAST / (_GROUP - 1))

    factor, failed = torch.linalg.cholesky_ex(covariance(smooth) + noise)
    share = torch.cholesky_solve(noise, factor)
    if failed.any():
        # Rounding errors of strong structure outweigh weak noise. (Apple's GPU has no float64.)
        bad, exact = failed != 0, noise.cpu().double()
        factor = torch.linalg.cholesky(covariance(smooth[bad].cpu().double()) + exact)
        share[bad] = torch.cholesky_solve(exact, factor).to(share)
    return share


def _estimated(
    plane: torch.Tensor, estimate: torch.Tensor, groups: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of all estimates of each pixel of a strip, and the sum of their weights."""
    every = [
        image.unfold(0, EDGE, 1).unfold(1, EDGE, 1).reshape(-1, EDGE**2)
        for image in (plane, estimate)
    ]
    values = torch.zeros_like(every[0])
    counted = values[:, 0].clone()
    for part in groups.split(_AT_ONCE):
        noisy, smooth = (patches[part] for patches in every)
        mean = smooth.mean(1, keepdim=True)
        smooth = smooth - mean
        share = _share_of_noise(smooth, noise)
        structure = smooth.square().mean((1, 2), keepdim=True)
        mean += structure / (structure + _FLAT) * (noisy.mean(1, keepdim=True) - mean)
        taken = (noisy - mean) @ share
        # What is kept of the noise decides about the weight, as in other filters of patches.
        weight = 1 / (1 + EDGE**2 - share.diagonal(dim1=1, dim2=2).sum(1))
        order = part.flatten()
        values.index_add_(0, order, ((noisy - taken) * weight[:, None, None]).flatten(0, 1))
        counted.index_add_(0, order, weight[:, None].expand(-1, _GROUP).flatten())
    size = plane.shape
    everywhere = counted[None, None].expand(1, EDGE**2, -1)
    return F.fold(values.T[None], size, EDGE)[0, 0], F.fold(everywhere, size, EDGE)[0, 0]
