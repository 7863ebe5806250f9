"""Sums and means over rings of frequencies.

Rings have equal widths. The number of a frequency's ring is the nearest integer to its modulus over
that of the last ring, times the number of the last ring.
"""

from __future__ import annotations

import torch


def ring_of(share: torch.Tensor, last: int) -> torch.Tensor:
    """The ring that each frequency lies in.

    Parameters
    ----------
    share : torch.Tensor
        Modulus of the frequencies over that of the last ring.
    last : int
        Number of the last ring; the first one is 0.

    Returns
    -------
    torch.Tensor
        int64, 0 to `last`; `last` + 1 beyond it.
    """
    return (share * last).round().long().clamp_max(last + 1)


def ring_total(values: torch.Tensor, ring: torch.Tensor, last: int) -> torch.Tensor:
    """Sum of the values in each ring, (last + 1,); those beyond the last one are left out."""
    sums = values.new_zeros(last + 2)
    return sums.index_add_(0, ring.flatten(), values.flatten())[: last + 1]


def ring_sizes(ring: torch.Tensor, last: int) -> torch.Tensor:
    """How many frequencies each ring has: int64 (last + 1,)."""
    return torch.bincount(ring.flatten(), minlength=last + 2)[: last + 1]


def ring_mean(values: torch.Tensor, ring: torch.Tensor, last: int) -> torch.Tensor:
    """Mean of the values in each ring, (last + 1,); 0 in empty ones."""
    return ring_total(values, ring, last) / ring_sizes(ring, last).clamp_min(1)


def between_rings(means: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """A function of the frequency from its means over rings (last + 1,), linear in between.

    Beyond the last ring it has the value of that one.
    """
    last = len(means) - 1
    place = (share * last).clamp_max(last)
    low = place.floor().long().clamp_max(last - 1)
    return means[low] + (place - low) * (means[low + 1] - means[low])
