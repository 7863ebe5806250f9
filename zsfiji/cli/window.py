"""The parts of the command line that start ImageJ: its window, and macros without one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from zsfiji.errors import UserError


def open_window(images: Sequence[str], fiji: str | None) -> None:
    """Open ImageJ with the Zero-Shot menu; return when the user quits it.

    Parameters
    ----------
    images : sequence of str
        Images to open.
    fiji : str or None
        See :func:`zsfiji.bridge.start.host.start`.

    Raises
    ------
    UserError
        If an image is missing or there is no display.
    """
    paths = [Path(image).absolute() for image in images]
    for path in paths:
        if not os.path.exists(path):
            raise UserError(
                f"There is neither a file nor a command of the name {path.name}. "
                "'zsfiji --help' lists the commands."
            )
    from zsfiji.bridge import menu
    from zsfiji.bridge.start import host
    from zsfiji.bridge.ui import windows

    def body(running: host.Host) -> None:
        menu.install(running)
        for path in paths:
            running.ij1.IJ.open(str(path))
            windows.redraw_current()

    host.serve(body, headless=False, fiji=fiji)


def run_macro_file(file: str, argument: str, fiji: str | None) -> None:
    """Run a macro without a window.

    Parameters
    ----------
    file : str
        The macro.
    argument : str
        What ``getArgument()`` gives in it.
    fiji : str or None
        See :func:`zsfiji.bridge.start.host.start`.

    Raises
    ------
    UserError
        If the file is missing or the macro stops with an error.
    """
    path = Path(file)
    if not os.path.isfile(path):
        raise UserError(f"There is no macro {file}.")
    from zsfiji import progress
    from zsfiji.bridge import macro, menu
    from zsfiji.bridge.start import host
    from zsfiji.terminal import Terminal

    running = host.start(headless=True, fiji=fiji)
    menu.install(running)
    with Terminal() as terminal, progress.using(terminal):
        terminal.begin(path.name)
        macro.run_macro(running, path, argument)
