"""Adam, without what ``torch.optim.Adam`` loads when it is made.

The class of torch imports its compiler, sympy and more, which takes 1.5 to 2.6 s before the first
step. The steps themselves are torch's own, through the function that the class calls.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim.adam import adam

_EPSILON = 1e-8
"""What is added to the root of the mean squared gradient: torch's default."""


class Adam:
    """Adam (Kingma and Ba, ICLR 2015), with the results of ``torch.optim.Adam``.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        What is trained.
    betas : tuple of float
        Decay rates of the mean gradient and of the mean squared gradient.

    Attributes
    ----------
    means, squares : list of torch.Tensor
        Mean gradient and mean squared gradient of each parameter, in its memory layout.
    """

    def __init__(
        self, parameters: Iterable[torch.nn.Parameter], betas: tuple[float, float]
    ) -> None:
        self._parameters = list(parameters)
        self._betas = betas
        self._fused = all(p.device.type in ("cpu", "cuda") for p in self._parameters)
        self.means = [torch.zeros_like(p, requires_grad=False) for p in self._parameters]
        self.squares = [torch.zeros_like(p, requires_grad=False) for p in self._parameters]
        self._steps = [
            torch.zeros((), device=p.device if self._fused else "cpu") for p in self._parameters
        ]

    def restart(self, step: int) -> None:
        """Go on as after `step` steps, with the means that are there."""
        for done in self._steps:
            done.fill_(step)

    def step(self, rate: float) -> None:
        """Change the parameters along their gradients, and forget the gradients.

        Parameters
        ----------
        rate : float
            Learning rate.
        """
        chosen = [i for i, p in enumerate(self._parameters) if p.grad is not None]
        with torch.no_grad():
            adam(
                [self._parameters[i] for i in chosen],
                [gradient for i in chosen if (gradient := self._parameters[i].grad) is not None],
                [self.means[i] for i in chosen],
                [self.squares[i] for i in chosen],
                [],
                [self._steps[i] for i in chosen],
                fused=self._fused,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=rate,
                weight_decay=0.0,
                eps=_EPSILON,
                maximize=False,
            )
        for parameter in self._parameters:
            parameter.grad = None
