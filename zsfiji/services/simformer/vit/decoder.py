"""The transformer decoder: all tokens again, those that were dropped as well."""

from __future__ import annotations

import torch
from torch import nn

from zsfiji.services.simformer.vit.attention import blocks, learnt, norm
from zsfiji.services.simformer.vit.configuration import Configuration
from zsfiji.services.simformer.vit.encoder import Places
from zsfiji.services.simformer.vit.masking import Masking


class Decoder(nn.Module):
    """The transformer decoder.

    Each token learns where it is. In the published program they do not, so that all dropped tokens
    of a sample stay the same.

    Parameters
    ----------
    configuration : Configuration
        The sizes.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        width = configuration.decoder_width
        self.narrow = nn.Linear(configuration.width, width)
        self.dropped = learnt(width)
        self.places = Places(configuration, width)
        self.blocks = blocks(
            width, configuration.decoder_heads, configuration.decoder_depth, configuration.dropout
        )
        self.last = norm(width)

    def forward(self, encoded: torch.Tensor, masking: Masking) -> torch.Tensor:
        """Give (batch, token, width) for what the encoder gave."""
        narrow = self.narrow(encoded)
        tokens = masking.back(narrow[:, 1:], self.dropped) + self.places()
        tokens = torch.cat([narrow[:, :1], tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        found: torch.Tensor = self.last(tokens[:, 1:])
        return found
