"""Low-rank coding of the illumination."""

from __future__ import annotations

import torch
from torch import nn

from zsfiji.services.simformer.vit.attention import Block


class LowRankCoding(nn.Module):
    """Tokens go through a bottleneck of few numbers, between two blocks.

    Light that is made of few waves needs few numbers. In the published program the bottleneck is a
    moving average over the tokens in the order of the rows, whose rank is full.

    Parameters
    ----------
    width, heads : int
        Of the blocks.
    dropout : float
        Of the blocks.

    Attributes
    ----------
    rank : torch.Tensor
        How many numbers pass, an integer. It is kept with the weights.
    """

    rank: torch.Tensor

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.before = Block(width, heads, dropout)
        self.code = nn.Linear(width, width, bias=False)
        self.decode = nn.Linear(width, width, bias=False)
        self.after = Block(width, heads, dropout)
        self.register_buffer("rank", torch.tensor(width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Give tokens for tokens (batch, token, width)."""
        found: torch.Tensor = self.after(self.coded(self.before(tokens)))
        return found

    def coded(self, tokens: torch.Tensor) -> torch.Tensor:
        """The bottleneck alone."""
        rank = int(self.rank)
        return tokens @ self.code.weight[:rank].T @ self.decode.weight[:, :rank].T

    @torch.no_grad()
    def tighten(self, rank: int) -> None:
        """Let fewer numbers pass; what passes most stays.

        Parameters
        ----------
        rank : int
            From 1 to the rank so far; a higher one changes nothing.
        """
        before = int(self.rank)
        if rank >= before:
            return
        product = self.decode.weight[:, :before] @ self.code.weight[:before]
        left, strength, right = torch.linalg.svd(product.double())
        root = strength[:rank].sqrt()
        self.decode.weight[:, :rank] = (left[:, :rank] * root).to(product)
        self.code.weight[:rank] = (root[:, None] * right[:rank]).to(product)
        self.rank.fill_(rank)
