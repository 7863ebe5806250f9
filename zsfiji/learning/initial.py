"""The initial weights of networks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn


def init_uniform(network: nn.Module, seed: int) -> None:
    """Initialise the weights of every convolution of `network` with uniform random numbers.

    The bound is one over the square root of the number of inputs, as torch has it for biases.
    Torch's global random numbers are not used.

    Parameters
    ----------
    network : torch.nn.Module
        The network, changed in place.
    seed : int
        The seed.
    """
    source = torch.Generator().manual_seed(seed)
    for layer in _convolutions(network):
        bound = layer.weight[0].numel() ** -0.5
        for weights in (layer.weight, layer.bias):
            if weights is not None:
                nn.init.uniform_(weights, -bound, bound, generator=source)


def init_glorot(network: nn.Module, seed: int) -> None:
    """Initialise the weights of every convolution uniformly after Glorot and Bengio, biases 0.

    This is the default of Keras, in which published networks are often written.

    Parameters
    ----------
    network : torch.nn.Module
        The network, changed in place.
    seed : int
        The seed.
    """
    source = torch.Generator().manual_seed(seed)
    for layer in _convolutions(network):
        nn.init.xavier_uniform_(layer.weight, generator=source)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _convolutions(network: nn.Module) -> Iterator[nn.Conv2d | nn.Conv3d]:
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            yield module


def zero_init(layer: nn.Module) -> None:
    """Set all weights of a layer to 0, for a network that at first returns its input."""
    for weights in layer.parameters():
        nn.init.zeros_(weights)
