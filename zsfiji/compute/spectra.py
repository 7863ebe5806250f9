"""Spectra of images that fade to their borders."""

from __future__ import annotations

import torch


def independent_share(window: torch.Tensor) -> float:
    """Share of the frequencies of an image times a window that are independent of the others.

    The window makes neighbouring frequencies alike: the variance of a mean over many of them is
    that over so many independent ones.
    """
    return float(window.square().mean() ** 2 / window.pow(4).mean())
