"""The state of a training, in memory and as files, to interrupt and continue it.

The network alone is not enough: Adam needs its moments, and the random generators their states. A
training in two parts, with a file in between, gives exactly the weights of a single training with
the same schedule, on the same device.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from zsfiji.errors import UserError
from zsfiji.images.files import replacing
from zsfiji.learning.adam import Adam
from zsfiji.version import __version__

FORMAT = 1
"""Version of the file format."""

_KEY = "zsfiji training"
_KINDS = ("weights", "averages", "means", "squares", "draws")


@dataclass
class TrainingState:
    """The state of a training, which :func:`zsfiji.learning.loop.train` can continue.

    Attributes
    ----------
    generators : mapping of str to torch.Generator
        Name -> random generator of the objective. When a training is continued, they get the states
        that they had when it stopped.
    step : int
        Steps done; 0 before a training.
    weights : dict of str to torch.Tensor
        Weights and buffers of the network after the last step, by their names in it.
    averages : dict of str to torch.Tensor
        Averaged weights, if the schedule has an average.
    means, squares : dict of str to torch.Tensor
        Adam's mean gradients and mean squared gradients.
    draws : dict of str to torch.Tensor
        States of the generators, uint8.
    """

    generators: Mapping[str, torch.Generator] = field(default_factory=dict)
    step: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    averages: dict[str, torch.Tensor] = field(default_factory=dict)
    means: dict[str, torch.Tensor] = field(default_factory=dict)
    squares: dict[str, torch.Tensor] = field(default_factory=dict)
    draws: dict[str, torch.Tensor] = field(default_factory=dict)

    def take(
        self,
        step: int,
        network: nn.Module,
        optimizer: Adam,
        averages: Mapping[str, torch.Tensor],
    ) -> None:
        """Store a training after `step` steps; everything is copied to the CPU."""
        parameters = trained_parameters(network)
        self.step = step
        self.weights = {name: _copy(value) for name, value in network.state_dict().items()}
        self.averages = {name: _copy(value) for name, value in averages.items()}
        self.means = _copies(parameters, optimizer.means)
        self.squares = _copies(parameters, optimizer.squares)
        self.draws = {name: source.get_state() for name, source in self.generators.items()}

    def give(
        self,
        network: nn.Module,
        optimizer: Adam,
        averages: Mapping[str, torch.Tensor],
    ) -> None:
        """Set a training to this state; does nothing before the first step.

        Parameters
        ----------
        network : torch.nn.Module
            Gets the weights.
        optimizer : Adam
            A new one for the trained parameters of `network`; gets the moments.
        averages : mapping of str to torch.Tensor
            Averaged weights, which are overwritten.

        Raises
        ------
        UserError
            If the state is that of another network, schedule or set of generators.
        """
        if self.step == 0:
            return
        parameters = trained_parameters(network)
        self._require_same(network, set(parameters), set(averages))
        with torch.no_grad():
            network.load_state_dict(self.weights)
            for name, average in averages.items():
                average.copy_(self.averages[name])
        for place, name in enumerate(parameters):
            optimizer.means[place].copy_(self.means[name])
            optimizer.squares[place].copy_(self.squares[name])
        optimizer.restart(self.step)
        for name, source in self.generators.items():
            source.set_state(self.draws[name])

    def _require_same(self, network: nn.Module, trained: set[str], averaged: set[str]) -> None:
        there = {name: value.shape for name, value in network.state_dict().items()}
        kept = {name: value.shape for name, value in self.weights.items()}
        same = there == kept and trained == set(self.means) == set(self.squares)
        if not same or averaged != set(self.averages):
            raise UserError(
                "The saved training has another network or schedule, so it cannot be continued "
                "with these settings. Choose the settings with which it was started."
            )
        if set(self.draws) != set(self.generators):
            raise UserError(
                "The saved training has other random numbers, so it cannot be continued by this "
                "version of zsfiji. Start a new training."
            )


def save(state: TrainingState, path: str | os.PathLike[str]) -> Path:
    """Write the state of a training to a safetensors file, completely or not at all.

    Parameters
    ----------
    state : TrainingState
        The state.
    path : path_like
        The file; an existing one is replaced. Its folder has to exist.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    path = Path(path)
    header = {"format": FORMAT, "version": __version__, "step": state.step}
    tensors = {
        f"{kind}/{name}": tensor for kind in _KINDS for name, tensor in getattr(state, kind).items()
    }
    with replacing(path) as temporary:
        try:
            safetensors.torch.save_file(tensors, temporary, metadata={_KEY: json.dumps(header)})
        except safetensors.SafetensorError as error:
            # Also raised if the disk is full.
            raise OSError(str(error)) from error
    return path


def load(
    path: str | os.PathLike[str], generators: Mapping[str, torch.Generator] | None = None
) -> TrainingState:
    """Read the state of a training that :func:`save` wrote.

    Parameters
    ----------
    path : path_like
        The file.
    generators : mapping of str to torch.Generator, optional
        The generators of the training that continues; they get their states when it starts.

    Returns
    -------
    TrainingState
        The state, on the CPU.

    Raises
    ------
    UserError
        If the file is missing, damaged, or not a training in this version of the format.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise UserError(f"There is no saved training {path}.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            if header["format"] != FORMAT:
                raise UserError(
                    f"The training {path} was saved by zsfiji {header['version']} in a format "
                    f"that this version ({__version__}) cannot read. Continue it there, or start a "
                    "new training."
                )
            state = TrainingState(dict(generators or {}), int(header["step"]))
            for whole in file.keys():  # noqa: SIM118
                kind, _, name = whole.partition("/")
                if kind not in _KINDS:
                    raise ValueError(whole)
                getattr(state, kind)[name] = file.get_tensor(whole)
    except OSError as error:
        raise UserError(f"The saved training {path} cannot be read ({error.strerror}).") from error
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"The file {path} is not a saved training of zsfiji, or it is damaged. "
            "Choose another file, or start a new training."
        ) from error
    return state


def trained_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that a training changes, by their names."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def _copies(names: Iterable[str], tensors: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: _copy(tensor) for name, tensor in zip(names, tensors, strict=True)}


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
