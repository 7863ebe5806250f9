"""How long the published training takes, as published and shorter."""

from __future__ import annotations

from dataclasses import dataclass

COARSE_STEPS = 5
"""Steps of stage 1, from the noisy image to the target, as published."""

DRAWS = 450
"""Synthetic noisy images in stage 2, as published."""

STEPS_PER_DRAW = 5
"""Steps of stage 2 on each of them, as published."""


@dataclass(frozen=True)
class Recipe:
    """How the training is done.

    Attributes
    ----------
    draws : int
        Synthetic noisy images in stage 2.
    patch : int or None
        Edge of the random patches of a step; None for the whole image, as published.
    """

    draws: int = DRAWS
    patch: int | None = None

    @property
    def steps(self) -> int:
        """Steps of both stages."""
        return COARSE_STEPS + self.draws * STEPS_PER_DRAW


RECIPES = {
    "quick": Recipe(draws=90, patch=128),
    "standard": Recipe(patch=128),
    "best": Recipe(),
}
"""By quality; "best" is exactly the authors' schedule, on the whole image.

Patches of 128 and a fifth of the draws are ours: docs/methods/fm2s.md, section 5, says what they
cost.
"""
