"""The encoder: tokens of the frames, and a spatial prior beside them."""

from __future__ import annotations

import torch
from torch import nn

from zsfiji.services.simformer.vit.adapter import Extractor, Injector, SpatialPrior
from zsfiji.services.simformer.vit.attention import blocks, learnt, norm
from zsfiji.services.simformer.vit.configuration import Configuration
from zsfiji.services.simformer.vit.masking import Masking, masking


class Places(nn.Module):
    """What is learnt about where a token is: a part for the rows and columns, one for the frames.

    Parameters
    ----------
    configuration : Configuration
        The sizes.
    width : int
        Numbers in a token.
    """

    def __init__(self, configuration: Configuration, width: int) -> None:
        super().__init__()
        self.plane = learnt(configuration.side**2, width)
        self.group = learnt(configuration.groups, width)

    def forward(self) -> torch.Tensor:
        """Give (token, width)."""
        return (self.group[:, None] + self.plane).flatten(0, 1)


class Encoder(nn.Module):
    """The masked encoder.

    Parameters
    ----------
    configuration : Configuration
        The sizes.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        width, depth = configuration.width, configuration.depth
        patch = (configuration.patch_frames, configuration.patch, configuration.patch)
        self.embed = nn.Conv3d(1, width, patch, patch)
        nn.init.xavier_uniform_(self.embed.weight.flatten(1))
        self.places = Places(configuration, width)
        self.first, self.first_place = learnt(width), learnt(width)
        self.prior = SpatialPrior(configuration)
        self.blocks = blocks(width, configuration.heads, depth, configuration.dropout)
        exchanges = -(-depth // configuration.exchange)
        self._every = configuration.exchange
        self.injectors = nn.ModuleList(
            [Injector(width, configuration.heads) for _ in range(exchanges)]
        )
        self.extractors = nn.ModuleList([Extractor(configuration) for _ in range(exchanges)])
        self.last = norm(width)

    def forward(self, frames: torch.Tensor, ratio: float) -> tuple[torch.Tensor, Masking]:
        """Encode frames.

        Parameters
        ----------
        frames : torch.Tensor
            (batch, frame, fine row, fine col).
        ratio : float
            Share of the tokens that are dropped.

        Returns
        -------
        torch.Tensor
            (batch, 1 + kept, width), first a token without a place.
        Masking
            Which ones were kept.
        """
        tokens = self.embed(frames[:, None]).flatten(2).transpose(1, 2) + self.places()
        chosen = masking(len(frames), tokens.shape[1], ratio, frames.device)
        prior = chosen.of(self.prior(frames))
        first = (self.first + self.first_place).expand(len(frames), 1, -1)
        tokens = torch.cat([first, chosen.of(tokens)], 1)
        for number, block in enumerate(self.blocks):
            exchange, rest = divmod(number, self._every)
            if rest == 0:
                tokens = self.injectors[exchange](tokens, prior)
            tokens = block(tokens)
            if rest == self._every - 1 or number == len(self.blocks) - 1:
                prior = self.extractors[exchange](prior, tokens, chosen)
        return self.last(tokens), chosen
