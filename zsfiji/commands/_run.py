"""Running a command, whoever asks: selection, validation, memory, provenance."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import xarray as xr

from zsfiji import progress
from zsfiji.commands._declare import Command
from zsfiji.commands._duration import learn
from zsfiji.commands._options import macro_line
from zsfiji.commands._outcome import Outcome
from zsfiji.commands._source import Source, Windows
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.images.metadata import crop_to_roi
from zsfiji.version import __version__

_log = logging.getLogger("zsfiji")


def run(
    command: Command,
    image: xr.DataArray | None,
    options: Mapping[str, Any],
    windows: Windows | None = None,
) -> Outcome:
    """Run a command.

    Parameters
    ----------
    command : Command
        The command.
    image : xarray.DataArray or None
        The image, for a command that takes one. With a rectangular selection only that region is
        taken.
    options : mapping
        Key -> value, also as text; missing keys have their defaults.
    windows : callable, optional
        Finds the open image of a title, for options that name one.

    Returns
    -------
    Outcome
        Each image carries, as ImageJ properties, the macro line that makes it again
        (``zsfiji.command``), the version (``zsfiji.version``), and what the command itself adds.

    Raises
    ------
    UserError
        If an option or the image is wrong.
    Cancelled
        If the user stops the job.
    """
    values = command.validate(options)
    given = {
        key: value.found(command.parameter(key).label, windows)
        if isinstance(value, Source)
        else value
        for key, value in values.items()
    }
    region = None
    remarks = _Remarks()
    if command.takes_image:
        if image is None:
            raise UserError(f"{command.label} needs an image.")
        if image.size == 0:
            raise UserError("The image is empty: it has no pixels.")
        region = _without_provenance(crop_to_roi(image))
        _require_memory(region, command.memory)
        before = _worked()
        with remarks:
            outcome = command.function(region, **given)
        if not progress.finish_requested():
            lengths = {str(dim): int(length) for dim, length in region.sizes.items()}
            learn(command, lengths, values, _worked() - before)
    else:
        with remarks:
            outcome = command.function(**given)
    outcome = replace(outcome, notes=(*remarks.found, *outcome.notes))
    provenance = {
        "zsfiji.command": macro_line(command, values),
        "zsfiji.version": __version__,
    }
    if region is not None and "region" in region.attrs:
        x, y, width, height = region.attrs["region"]
        provenance["zsfiji.region"] = f"makeRectangle({x}, {y}, {width}, {height});"
    if outcome.notes:
        provenance["zsfiji.notes"] = " ".join(outcome.notes)
    for result in outcome.images:
        result.attrs["properties"] = {**result.attrs.get("properties", {}), **provenance}
    return outcome


def run_on_array(command: Command, data: Any, options: Mapping[str, Any]) -> Any:
    """Run a command from Python; see the public functions of :mod:`zsfiji`.

    Parameters
    ----------
    command : Command
        The command.
    data : numpy.ndarray, xarray.DataArray or None
        The pixels, for a command that takes an image.
    options : mapping
        The keyword arguments of the call.

    Returns
    -------
    numpy.ndarray, xarray.DataArray or dict
        The result, of the type of `data`; of several results a tuple; the figures of a command
        that gives no image. The notes go to the logger "zsfiji", and stand in the properties of a
        labelled result.
    """
    outcome = run(command, None if data is None else as_image(data), options)
    for note in outcome.notes:
        _log.info("%s", note)
    if not outcome.images:
        return outcome.metrics
    labelled = data is None or isinstance(data, xr.DataArray)
    results = tuple(r if labelled else np.asarray(r.data) for r in outcome.images)
    return results if len(results) > 1 else results[0]


def _worked() -> float:
    """Seconds that this job has worked; without a sink nobody waits for another job."""
    seconds = progress.worked()
    return time.monotonic() if seconds is None else seconds


class _Remarks(logging.Handler):
    """Takes down what is warned of in this thread: notes reach the user in every host."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.found: dict[str, None] = {}

    def __enter__(self) -> None:
        _log.addHandler(self)

    def __exit__(self, *_: object) -> None:
        _log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message, once."""
        if record.thread == self._thread:
            self.found[record.getMessage()] = None
            if logging.lastResort is not None and not logging.getLogger().handlers:
                # Python shows warnings that nobody handles; with this handler it would not.
                logging.lastResort.handle(record)


def _without_provenance(image: xr.DataArray) -> xr.DataArray:
    """An image that is a result itself must not hand on what was done to it as done to the next."""
    properties = image.attrs.get("properties", {})
    kept = {key: value for key, value in properties.items() if not key.startswith("zsfiji.")}
    return image.assign_attrs(properties=kept) if kept != properties else image


def _require_memory(image: xr.DataArray, bytes_a_pixel: float) -> None:
    needed = image.size * bytes_a_pixel
    free = psutil.virtual_memory().available
    if needed > free:
        raise UserError(
            f"The result needs {needed / 2**30:.1f} GB of memory and {free / 2**30:.1f} GB are "
            "free. Draw a rectangle around the part you need, or process substacks one by one."
        )
