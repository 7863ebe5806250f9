"""The noise of a raw SIM image, from the frequencies that no lens passes.

Beyond the cut-off of the OTF there is nothing but noise. How strong it is in bright and in dark
places gives the gain and the read noise of the camera, without any assumption on the specimen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zsfiji.physics.sim.optics import RadialTransfer, frequencies

_BEYOND = 1.04
"""Frequency over the cut-off from which the light of a real lens is less than any noise. From the
prototype."""

_FEWEST = 0.02
"""Share of the frequencies that has to lie beyond, or the pixels are too large to see the noise."""

_BOX = 15
"""Edge in pixels of the means in which noise and light are compared. Not tuned."""

_LEAST = 1e-3
"""Least read variance, relative to the variance of mean light: avoids division by zero."""

_LEAST_GAIN = 0.01
"""Least share of the noise of mean light that is due to the light, for the same reason: in frames
in which even bright light has no noise of its own, that of the camera is all."""


def noise_line(stack: torch.Tensor, transfer: RadialTransfer) -> tuple[float, float] | None:
    """Measure how the variance of the noise grows with the light.

    Parameters
    ----------
    stack : torch.Tensor
        (angle, frame, row, col), without background.
    transfer : RadialTransfer
        The OTF.

    Returns
    -------
    (float, float) or None
        Gain (variance for a unit of light) and variance without light; None if the pixels are so
        large that the lens passes everything that they show.
    """
    rows, cols = stack.shape[-2:]
    row, col = frequencies((rows, cols), device=stack.device)
    beyond = torch.hypot(row, col) > _BEYOND * transfer.cutoff
    # All frequencies but those of the borders, which a periodic transform spreads along the axes.
    beyond &= (row.abs() > 2 / rows) & (col.abs() > 2 / cols)
    weight = torch.full_like(row + col, 2.0)
    weight[:, 0] = 1.0
    share = float((weight * beyond).sum()) / (rows * cols)
    if share < _FEWEST:
        return None
    planes = stack.reshape(-1, rows, cols)
    left = torch.fft.irfft2(torch.fft.rfft2(planes) * beyond, s=(rows, cols))
    # The mean of all frames shows the light with the least noise.
    both = torch.stack([left.square().mean(0) / share, planes.mean(0)])
    box = min(_BOX, rows, cols)
    variance, light = F.avg_pool2d(both[:, None], box, max(1, box // 2)).flatten(1)
    return _line(light.double(), variance.double())


def _line(light: torch.Tensor, variance: torch.Tensor) -> tuple[float, float]:
    """Straight line with no negative coefficient; each point counts by its own expected error."""
    mean_light, mean = float(light.mean()), float(variance.mean())
    gain, read = max(mean, 1e-20) / max(mean_light, 1e-20), 0.0
    for _ in range(4):
        # The error of a variance is in proportion to it.
        expected = (gain * light + read).clamp_min(0.05 * mean)
        w = expected.square().reciprocal()
        w = w / w.sum()
        x, y = float((w * light).sum()), float((w * variance).sum())
        spread = float((w * (light - x).square()).sum())
        slope = float((w * (light - x) * (variance - y)).sum()) / max(spread, 1e-20)
        gain, read = slope, y - slope * x
        if gain < 0:
            gain, read = 0.0, mean
        elif read < 0:
            gain, read = float((w * light * variance).sum() / (w * light.square()).sum()), 0.0
    least = _LEAST_GAIN * mean / mean_light if mean_light > 0 else 0.0
    return max(gain, least), max(read, _LEAST * mean)
