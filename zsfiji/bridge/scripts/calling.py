"""What the scripts of the commands do when Fiji runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from zsfiji.commands import find
from zsfiji.errors import Cancelled, UserError

_raising: ContextVar[bool] = ContextVar("zsfiji_script_raises", default=False)


def call(label: str, imp: Any, options: Mapping[str, Any]) -> None:
    """Run a command on an image of ImageJ and show the result; what the scripts do.

    What goes wrong is shown to the user, as after a click in the menu: Fiji itself would only
    write the traceback of a script to its console.

    Parameters
    ----------
    label : str
        The command.
    imp : ij.ImagePlus, net.imagej.Dataset, net.imagej.ImgPlus or None
        The image, for a command that takes one.
    options : mapping
        Key -> value, as SciJava gives it; None for a file not chosen.
    """
    from zsfiji.bridge.convert import datasets
    from zsfiji.bridge.convert.images import to_imageplus
    from zsfiji.bridge.start import host
    from zsfiji.bridge.ui import jobs, messages

    values = {key: _plain(value) for key, value in options.items() if value is not None}
    try:
        command, running = find(label), host.start()
        if datasets.is_dataset(imp):
            imp = to_imageplus(datasets.from_dataset(imp))
        jobs.work(running, command, imp, values)
    except Exception as error:
        if _raising.get():
            raise
        if isinstance(error, UserError):
            messages.show_error(messages.name_of(label), str(error))
        elif not isinstance(error, Cancelled):
            messages.show_bug(messages.name_of(label), error)


@contextmanager
def raising() -> Iterator[None]:
    """Inside the block :func:`call` raises what goes wrong instead of showing it."""
    token = _raising.set(True)
    try:
        yield
    finally:
        _raising.reset(token)


def _plain(value: Any) -> Any:
    """A value of SciJava as a Python one: java.io.File and java.lang.String as text."""
    return value if isinstance(value, (bool, int, float)) else str(value)
