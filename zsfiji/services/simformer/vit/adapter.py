"""The spatial prior, and how it and the tokens exchange what they have (ViT-Adapter).

After Chen et al., ICLR 2023, with dense attention as in SIMFormer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.services.simformer.vit.attention import Attention, norm
from zsfiji.services.simformer.vit.configuration import FRAMES, Configuration
from zsfiji.services.simformer.vit.masking import Masking

_GROUP = 8
"""Channels that are normalised together."""


class SpatialPrior(nn.Module):
    """Convolutions on each frame by itself, down to the grid of the tokens.

    The published network normalises over the batch, with which a tile depends on the others that
    are computed with it; here channels are normalised within a sample.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        width = configuration.prior
        self.stem = nn.ModuleList(
            [_strided(1, width), nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)]
        )
        self.norms = nn.ModuleList(
            [nn.GroupNorm(max(1, width // _GROUP), width) for _ in self.stem]
        )
        self.down = nn.ModuleList([_strided(width, 2 * width), _strided(2 * width, 4 * width)])
        self.out = nn.Conv2d(4 * width, configuration.width, 1)
        self.register_buffer("mean", _fewer(configuration.groups), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Give (batch, token, width) for frames (batch, FRAMES, fine row, fine col)."""
        image = frames.flatten(0, 1)[:, None]
        for layer, scaled in zip(self.stem, self.norms, strict=True):
            image = F.relu(scaled(layer(image)))
        image = F.max_pool2d(image, 3, 2, 1)
        for layer in self.down:
            image = layer(image)
        image = self.out(image).unflatten(0, (-1, FRAMES))
        return torch.einsum("gf,bfcyx->bgyxc", self.get_buffer("mean"), image).flatten(1, 3)


class Injector(nn.Module):
    """Adds to the tokens what they find in the spatial prior; nothing at the start of a training.

    Parameters
    ----------
    width, heads : int
        Of the attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_tokens, self.norm_prior = norm(width), norm(width)
        self.attention = Attention(width, heads)
        self.share = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
        """Give the tokens."""
        found = self.attention(self.norm_tokens(tokens), self.norm_prior(prior))
        return tokens + self.share * found


class Extractor(nn.Module):
    """Adds to the spatial prior what it finds in the tokens, and what its neighbours have.

    The neighbours are those on the grid of the tokens. In the published program the kernel extends
    over samples of the batch and over tokens in the random order of the masking.

    Parameters
    ----------
    configuration : Configuration
        The sizes.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        width, reduced = configuration.width, configuration.reduced
        self._grid = (configuration.groups, configuration.side, configuration.side)
        self.norm_prior, self.norm_tokens = norm(width), norm(width)
        self.attention = Attention(width, configuration.heads)
        self.norm_layers = norm(width)
        self.narrow = nn.Linear(width, reduced)
        self.neighbours = nn.Conv2d(reduced, reduced, 3, 1, 1)
        self.widen = nn.Linear(reduced, width)

    def forward(self, prior: torch.Tensor, tokens: torch.Tensor, masking: Masking) -> torch.Tensor:
        """Give the spatial prior (batch, kept, width)."""
        prior = prior + self.attention(self.norm_prior(prior), self.norm_tokens(tokens))
        narrow = self.narrow(self.norm_layers(prior))
        whole = masking.back(narrow, narrow.new_zeros(narrow.shape[-1]))
        grid = whole.unflatten(1, self._grid).flatten(0, 1).movedim(-1, 1)
        near = self.neighbours(grid).movedim(1, -1).unflatten(0, (len(prior), -1)).flatten(1, 3)
        wide: torch.Tensor = prior + self.widen(F.gelu(masking.of(near), approximate="tanh"))
        return wide


def _strided(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 2, 1)


def _fewer(groups: int) -> torch.Tensor:
    """How the frames are averaged in the groups of the tokens: (groups, FRAMES), as published."""
    wide = FRAMES / groups
    centre = (torch.arange(groups) + 0.5) * wide - 0.5
    weight = (1 - (torch.arange(FRAMES) - centre[:, None]).abs() / wide).clamp_min(0)
    return weight / weight.sum(1, keepdim=True)
