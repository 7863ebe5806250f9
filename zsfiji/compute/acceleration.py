"""Fewer steps of an iteration that only ever multiplies, such as that of Richardson and Lucy."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_LONGEST = 0.9
"""Longest accelerated step, relative to the one before. From the prototype."""

_LEAST = 1e-6
"""Least value of an accelerated estimate, relative to its mean: a multiplicative step never leaves
zero. Not tuned."""


class Acceleration:
    """Where each step begins: beyond the last estimate, in the direction that it came from.

    How far is told by the last two steps: the more alike their directions are, the farther (Biggs
    and Andrews, Appl. Opt. 36, 1766, 1997).

    An estimate may have several parts, such as a specimen and a background. All of them go as far
    as the first one says.

    Parameters
    ----------
    longest : float
        Longest accelerated step, relative to the one before.
    """

    def __init__(self, longest: float = _LONGEST) -> None:
        self._longest = longest
        self._before: tuple[torch.Tensor, ...] = ()
        self._gone: torch.Tensor | None = None

    def __call__(
        self, point: Sequence[torch.Tensor], now: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Where the next step begins.

        Parameters
        ----------
        point : sequence of torch.Tensor
            Where the last step began.
        now : sequence of torch.Tensor
            The estimate that it gave, not negative. These tensors are kept until the next call.

        Returns
        -------
        tuple of torch.Tensor
            As many as `now`, more than zero; after the first step `now` itself.
        """
        going, found = now[0] - point[0], tuple(now)
        if self._gone is not None:
            ahead = float((going * self._gone).sum() / self._gone.square().sum().clamp_min(1e-30))
            share = min(max(ahead, 0.0), self._longest)
            found = tuple(
                torch.lerp(before, after, 1 + share).clamp_min_(_LEAST * float(after.mean()))
                for before, after in zip(self._before, now, strict=True)
            )
        self._before, self._gone = tuple(now), going
        return found
