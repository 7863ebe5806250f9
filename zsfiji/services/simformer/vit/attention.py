"""Blocks of a transformer (Vaswani et al., NeurIPS 2017; Dosovitskiy et al., ICLR 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

_EPSILON = 1e-6
"""Least variance of the layer norms, as published."""

_SPREAD = 0.02
"""Standard deviation of what is learnt of a token or a place, at the start."""


def learnt(*shape: int) -> nn.Parameter:
    """Numbers that are learnt of a token or a place."""
    numbers = nn.Parameter(torch.empty(shape))
    nn.init.normal_(numbers, std=_SPREAD)
    return numbers


def norm(width: int) -> nn.LayerNorm:
    """A layer norm over the numbers of a token."""
    return nn.LayerNorm(width, eps=_EPSILON)


class Attention(nn.Module):
    """Attention of some tokens to others.

    Parameters
    ----------
    width, heads : int
        Numbers in a token, and heads.
    dropout : float
        Share of attention weights, and of results, that are left out in training.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Give (batch, token, width) for tokens and others (batch, other, width)."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, tokens), (self.key, others), (self.value, others))
        )
        left_out = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(query, key, value, dropout_p=left_out)
        return F.dropout(
            self.out(found.transpose(1, 2).flatten(2)), self.dropout, training=self.training
        )


class Block(nn.Module):
    """A block: attention of the tokens to each other, then two layers on each token by itself.

    Parameters
    ----------
    width, heads : int
        Numbers in a token, and heads.
    dropout : float
        Share of numbers, and of whole blocks of a sample, that are left out in training.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm_attention = norm(width)
        self.attention = Attention(width, heads, dropout)
        self.norm_layers = norm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Give tokens for tokens (batch, token, width)."""
        normed = self.norm_attention(tokens)
        tokens = tokens + self._path(self.attention(normed, normed))
        wide = F.gelu(self.widen(self.norm_layers(tokens)), approximate="tanh")
        narrow = self.narrow(F.dropout(wide, self.dropout, training=self.training))
        return tokens + self._path(F.dropout(narrow, self.dropout, training=self.training))

    def _path(self, change: torch.Tensor) -> torch.Tensor:
        """Leave out the change of some samples (DropPath: Huang et al., ECCV 2016)."""
        if not self.training or not self.dropout:
            return change
        kept = torch.rand(len(change), 1, 1, device=change.device) >= self.dropout
        return change * kept / (1 - self.dropout)


def blocks(width: int, heads: int, depth: int, dropout: float) -> nn.ModuleList:
    """So many blocks, one after the other."""
    return nn.ModuleList([Block(width, heads, dropout) for _ in range(depth)])
