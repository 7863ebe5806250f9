"""The grid of specimens that are found without being told any optics, that of SIMFormer."""

from __future__ import annotations

SCALE = 3
"""Fine pixels to a raw one, along rows and along columns."""
