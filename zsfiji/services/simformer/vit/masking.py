"""Which tokens a network gets to see (He et al., CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Masking:
    """The tokens that are kept of each sample.

    Attributes
    ----------
    kept : torch.Tensor
        Integers (batch, kept): their numbers, in random order where some are dropped.
    tokens : int
        Number of all tokens.
    """

    kept: torch.Tensor
    tokens: int

    def of(self, tokens: torch.Tensor) -> torch.Tensor:
        """The kept ones of tokens (batch, token, width)."""
        return tokens.gather(1, self._index(tokens))

    def back(self, kept: torch.Tensor, empty: torch.Tensor) -> torch.Tensor:
        """All tokens in their order, `empty` (width,) where they were dropped."""
        whole = empty.to(kept.dtype).expand(len(kept), self.tokens, -1)
        return whole.scatter(1, self._index(kept), kept)

    @property
    def dropped(self) -> torch.Tensor:
        """(batch, token): 1 where a token was dropped, else 0."""
        ones = torch.ones(len(self.kept), self.tokens, device=self.kept.device)
        return ones.scatter(1, self.kept, 0.0)

    def _index(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.kept[..., None].expand(-1, -1, tokens.shape[-1])


def masking(batch: int, tokens: int, ratio: float, device: torch.device) -> Masking:
    """Drop a share of the tokens of each sample at random.

    Parameters
    ----------
    batch, tokens : int
        Samples, and tokens of each.
    ratio : float
        Share that is dropped, from 0 to less than 1; of each sample others. The random numbers are
        torch's global ones, as those of dropout are.
    device : torch.device
        Where the tokens are.
    """
    if ratio == 0:
        return Masking(torch.arange(tokens, device=device).expand(batch, -1), tokens)
    order = torch.rand(batch, tokens, device=device).argsort(1)
    return Masking(order[:, : max(1, int(tokens * (1 - ratio)))], tokens)
