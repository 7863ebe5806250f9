"""How long a command will take on this computer.

A command that trains declares a ``duration``: the seconds that it takes on a reference computer,
from the size of the image and the options. The pace of this computer is the number of seconds that
it takes for one second of the reference computer. Each job that ends gives the pace of its command
on its device. Before the first one, a probe measures it: a small training like those of the
services, which takes some tenths of a second. All paces are kept in ``speed.json`` in the user's
cache folder.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zsfiji.commands.command import Command
from zsfiji.errors import UserError
from zsfiji.folders import cache_folder
from zsfiji.images.files import replacing
from zsfiji.parameters.declare import ParameterGroup, Values
from zsfiji.parameters.model_files import ModelFiles
from zsfiji.parameters.output import Uncertainty
from zsfiji.words import counted

if TYPE_CHECKING:
    import torch

_PROBE = "probe"
"""Stands in ``speed.json`` where jobs have the name of their command."""

_PROBE_ON_REFERENCE = 0.07
"""Seconds of the probe on the reference computer; see :mod:`zsfiji.services.duration`."""

_GAIN_BY_CORES = 0.8
"""n cores are n to this power times as fast as one; used only until something is measured."""

_LEAST_CPU_SHARE = 0.6
"""Share of the CPU that the probe has to get; with less of it other programs were measured too."""

_SHORTEST = 5.0
"""Seconds of a job that counts: in shorter ones loading and preparing take too large a part."""

_CORES = ("CPU core", "CPU cores")
"""How the name of a processor ends."""

_MOST_PACE = 100.0
"""Paces lie between this and its reciprocal; others are faults of the measurement."""


def of_training(method: str, settings: type[ParameterGroup]) -> Callable[..., float]:
    """The duration of a command that trains a network on an image, or applies one.

    Parameters
    ----------
    method : str
        Package of :mod:`zsfiji.services` whose module ``duration`` knows the seconds; imported
        when they are asked for.
    settings : type
        The settings of the method, an argument of the command; `files` and `uncertainty` are
        others.

    Returns
    -------
    callable
        See :func:`zsfiji.commands.declare.command`.
    """

    def seconds(
        sizes: Mapping[str, int],
        *,
        settings: ParameterGroup,
        files: ModelFiles,
        uncertainty: Uncertainty,
    ) -> float:
        from zsfiji.services.duration import times_applied

        known = importlib.import_module(f"zsfiji.services.{method}.duration")
        train, applied = files.apply_model is None, times_applied(uncertainty)
        found: float = known.seconds(sizes, settings, train=train, applied=applied)
        return found

    # A declaration is checked for the types of its arguments.
    seconds.__annotations__["settings"] = settings
    return seconds


def estimate(command: Command, sizes: Mapping[str, int], values: Values) -> str:
    """Say how long a command will take.

    Parameters
    ----------
    command : Command
        The command.
    sizes : mapping
        Axis -> length, of the image or of its selection.
    values : mapping
        The validated options.

    Returns
    -------
    str
        As "About 3 min on 2 CPU cores"; empty for a command without a duration, and where
        the device does not exist. The first call loads torch.
    """
    if command.duration is None:
        return ""
    try:
        device = _device(values)
    except UserError:
        return ""
    seconds = command.duration(sizes, values) * _pace(command, device)
    return f"{about(seconds)} on {_name(device)}"


def estimates(command: Command, sizes: Mapping[str, int]) -> str:
    """Say how long a command will take at each quality, the other options at their defaults.

    Parameters
    ----------
    command, sizes
        As :func:`estimate` takes them.

    Returns
    -------
    str
        As "Time on 2 CPU cores: quick about 20 s, standard about 1 min, best about 3 min."; empty
        where :func:`estimate` says nothing.
    """
    if command.duration is None:
        return ""
    device = _device({})
    parts = []
    for quality in command.parameter("quality").choices:
        reference = command.duration(sizes, {**command.defaults, "quality": quality})
        seconds = about(reference * _pace(command, device))
        parts.append(f"{quality} {seconds[0].lower()}{seconds[1:]}")
    return f"Time on {_name(device)}: {', '.join(parts)}."


def expected(command: Command, sizes: Mapping[str, int], values: Values) -> Iterator[float]:
    """Estimate how long a command will take, first at once and then well.

    Parameters
    ----------
    command, sizes, values
        As :func:`estimate` takes them.

    Yields
    ------
    float
        Seconds. The first ones come without torch, which takes seconds to load, by the pace that
        any device of this computer had or by the number of its cores; the next ones are those of
        :func:`estimate`. Nothing where that says nothing.
    """
    if command.duration is None:
        return
    reference = command.duration(sizes, values)
    if "torch" not in sys.modules:
        yield reference * _pace_at_once(command, cpu=values.get("device") == "cpu")
    # A device that is not there is refused by the command itself.
    with suppress(UserError):
        yield reference * _pace(command, _device(values))


def learn(command: Command, sizes: Mapping[str, int], values: Values, seconds: float) -> None:
    """Keep the pace of a job that was neither cancelled nor finished early.

    Parameters
    ----------
    command, sizes, values
        As :func:`estimate` takes them.
    seconds : float
        How long it worked, without waiting for other jobs.
    """
    if command.duration is None or seconds < _SHORTEST:
        return
    device = _device(values)
    reference = command.duration(sizes, values)
    if reference <= 0:
        return
    known = _known()
    here = known.setdefault(_name(device), {})
    pace = seconds / reference
    if command.name in here:
        # Averaged, because this job may have run while other programs used the computer.
        pace = math.sqrt(pace * here[command.name])
    here[command.name] = _clipped(pace)
    _keep(known)


def about(seconds: float) -> str:
    """A time that is only estimated, as "About 40 s", "About 3 min" or "About 2 days"."""
    if seconds < 10:
        return "Less than 10 s"
    if seconds < 55:
        return f"About {10 * round(seconds / 10)} s"
    if seconds < 3300:
        return f"About {max(1, round(seconds / 60))} min"
    if seconds < 36 * 3600:
        return f"About {max(1, round(seconds / 3600))} h"
    return f"About {counted(round(seconds / 86400), 'day')}"


def _device(values: Values) -> torch.device:
    from zsfiji.compute.device import choose

    return choose(str(values.get("device", "auto")))


def _name(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return counted(_threads(), "CPU core")
    return "the Apple GPU"


def _pace(command: Command, device: torch.device) -> float:
    """Seconds here for a second of the reference computer."""
    known = _known()
    here = known.setdefault(_name(device), {})
    if command.name in here:
        return here[command.name]
    if _PROBE not in here:
        seconds = _probe(device)
        if seconds is None:
            return _threads() ** -_GAIN_BY_CORES
        here[_PROBE] = _clipped(seconds / _PROBE_ON_REFERENCE)
        _keep(known)
    return here[_PROBE]


def _pace_at_once(command: Command, *, cpu: bool) -> float:
    """What :func:`_pace` is likely to be: that of the fastest device that is known."""
    known = [paces for name, paces in _known().items() if not cpu or name.endswith(_CORES)]
    for name in (command.name, _PROBE):
        paces = [here[name] for here in known if name in here]
        if paces:
            return min(paces)
    return (os.cpu_count() or 1) ** -_GAIN_BY_CORES


def _clipped(pace: float) -> float:
    return min(max(pace, 1 / _MOST_PACE), _MOST_PACE)


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _probe(device: torch.device) -> float | None:
    """Time a training step of three convolutions on eight patches of 64 x 64 pixels.

    Returns
    -------
    float or None
        Seconds; None where other programs kept the CPU busy.
    """
    import torch

    from zsfiji.compute.device import autocast, generator

    layers = [torch.nn.Conv2d(32, 32, 3, padding=1) for _ in range(3)]
    network = torch.nn.Sequential(*layers).to(device).to(memory_format=torch.channels_last)
    patches = torch.randn(8, 32, 64, 64, generator=generator(0)).to(device)
    patches = patches.contiguous(memory_format=torch.channels_last)
    times = []
    begun, used = time.perf_counter(), time.process_time()
    # The first steps take longer: libraries are loaded and algorithms are chosen.
    for _ in range(8):
        started = time.perf_counter()
        with autocast(device):
            loss = network(patches).float().square().mean()
        loss.backward()
        # Reading the value waits until the device has computed it.
        float(loss.detach())
        times.append(time.perf_counter() - started)
    used, elapsed = time.process_time() - used, time.perf_counter() - begun
    if device.type == "cpu" and used < _LEAST_CPU_SHARE * elapsed * _threads():
        return None
    return min(times)


def _file() -> Path:
    return cache_folder() / "speed.json"


def _known() -> dict[str, dict[str, float]]:
    """Device -> command or probe -> pace; empty where there is no readable file."""
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
        return {
            str(device): {str(k): _clipped(float(v)) for k, v in paces.items()}
            for device, paces in content.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _keep(known: Mapping[str, Mapping[str, float]]) -> None:
    # Without a cache folder the next estimate measures again.
    with suppress(OSError, UserError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        with replacing(_file()) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
