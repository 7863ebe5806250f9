"""Whether windows can be opened here."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys

HOW_WITHOUT = (
    "Without a display use 'zsfiji run', 'zsfiji macro' or 'zsfiji script', or put 'xvfb-run' "
    "before the command."
)
"""What to do instead, for messages."""

_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXtst.so.6": "libxtst6",
    "libfontconfig.so.1": "libfontconfig1",
}
"""What Java loads for its windows on Linux; without one of them it crashes."""


def why_not() -> str:
    """The reason why no window can be opened, empty where one can."""
    if sys.platform in ("win32", "darwin"):
        return ""
    display = os.environ.get("DISPLAY", "")
    if not display:
        return "There is no display: DISPLAY is not set."
    # [protocol/][host]:number[.screen]; on macOS alone also the path of a socket.
    match = re.fullmatch(r"(?:(?P<protocol>\w+)/)?(?P<host>.*):(?P<number>\d+)(?:\.\d+)?", display)
    if match is None:
        return f"DISPLAY is '{display}', which names no display."
    number = int(match["number"])
    if match["host"] in ("", "unix"):
        addresses: list[str | tuple[str, int]] = [
            f"/tmp/.X11-unix/X{number}",
            f"\0/tmp/.X11-unix/X{number}",
        ]
    else:
        addresses = []
    addresses.append((match["host"].strip("[]") or "localhost", 6000 + number))
    if not any(_answers(address) for address in addresses):
        return f"The display {display} that DISPLAY names does not answer."
    missing = [package for library, package in _LIBRARIES.items() if not _loads(library)]
    if missing:
        return (
            f"Java's windows need libraries of the system: 'apt install {' '.join(missing)}' on "
            "Debian and Ubuntu, packages with similar names elsewhere."
        )
    return ""


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _answers(address: str | tuple[str, int]) -> bool:
    try:
        if isinstance(address, tuple):
            socket.create_connection(address, timeout=3).close()
        else:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(3)
                connection.connect(address)
    except OSError:
        return False
    return True
