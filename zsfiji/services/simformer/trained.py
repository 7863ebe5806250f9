"""A trained network, as models have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from zsfiji.errors import UserError
from zsfiji.learning.models import load_weights
from zsfiji.services.simformer.kinds import Kind, Stack, kind_of


@dataclass(frozen=True)
class Record:
    """What a model file has of a network besides the weights.

    Attributes
    ----------
    network : str
        Its kind.
    student : bool
        Whether it is a student (SIMFormer+).
    numbers : int
        How many numbers its weights are: that of another configuration differs.
    steps : int
        Training steps.
    losses : tuple of (int, float)
        Step and loss.
    """

    network: str
    student: bool
    numbers: int
    steps: int
    losses: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes
    ----------
    record : Record
        Everything but the weights.
    network : torch.nn.Module
        The network.
    """

    record: Record
    network: nn.Module

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return kind_of(self.record.network)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights."""
        return self.network.state_dict()


def trained(
    network: nn.Module,
    kind: str,
    *,
    student: bool,
    steps: int,
    losses: tuple[tuple[int, float], ...] = (),
) -> Trained:
    """A network after its training."""
    return Trained(Record(kind, student, numbers_of(network), steps, losses), network)


def restored(record: Record, tensors: Mapping[str, torch.Tensor]) -> Trained:
    """A network from what a file has of it.

    Raises
    ------
    UserError
        If it is of a kind or a configuration that this version does not have.
    """
    network = kind_of(record.network).make(student=record.student)
    here = numbers_of(network)
    if here != record.numbers:
        raise UserError(
            f"The model has a network '{record.network}' of another configuration: "
            f"{record.numbers:,} numbers, and that of this version of zsfiji has {here:,}. Train "
            "it again."
        )
    load_weights(network, tensors)
    return Trained(record, network)


def numbers_of(network: nn.Module) -> int:
    """How many numbers the weights of a network are."""
    return sum(value.numel() for value in network.state_dict().values())


def painted(unit: Trained, seen: Stack, device: torch.device) -> dict[str, torch.Tensor]:
    """What the network makes of a stack, on the CPU."""
    unit.network.to(device)
    there = replace(seen, frames=seen.frames.to(device))
    found = unit.kind.apply(unit.network, there, "Reconstructing")
    return {name: values.cpu() for name, values in found.items()}
