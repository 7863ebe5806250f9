"""Which Fiji to open: the one that the user names, else one at the usual places."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from zsfiji.errors import UserError
from zsfiji.folders import setting
from zsfiji.images.files import user_path

_PARTS = ("imagej-common", "scijava-common", "imglib2", "imglib2-imglyb")
"""Libraries by which PyImageJ exchanges images with Fiji."""

_NAMES = ("Fiji", "Fiji.app", "fiji")


def named(fiji: str | None = None) -> str | None:
    """The Fiji that the user asks for: the argument, ``ZSFIJI_FIJI``, or the setting ``fiji``."""
    return fiji or os.environ.get("ZSFIJI_FIJI") or setting("fiji")


def choose(fiji: str | None = None) -> str | None:
    """Path or Maven endpoint of the Fiji to open, None for the embedded ImageJ.

    Parameters
    ----------
    fiji : str, optional
        A folder, or an endpoint such as ``sc.fiji:fiji:2.16.0``; ``none`` asks for the embedded
        ImageJ whatever is installed.

    Raises
    ------
    UserError
        If the named one is not there, or is no Fiji.
    """
    name = named(fiji)
    if name is None:
        return next((str(place) for place in usual_places() if is_fiji(place)), None)
    if name.lower() == "none":
        return None
    folder = user_path(name)
    if is_fiji(folder):
        return str(folder.resolve())
    # A drive letter has a colon too, an endpoint at least one and no separator.
    if ":" in name and not {"/", "\\"} & set(name):
        return name
    if not os.path.isdir(folder):
        what = "is not there"
    elif not os.access(folder, os.R_OK | os.X_OK):
        what = "may not be read by you"
    elif _has(folder, "jars/ij-*.jar"):
        what = "is an ImageJ without ImageJ2 (no jars/imagej-legacy-*.jar)"
    else:
        what = "holds no ImageJ (no jars/ij-*.jar)"
    raise UserError(
        f"The Fiji {folder} {what}. Name the folder that has Fiji's 'jars' and 'plugins' in it, or "
        "'none' for the ImageJ that zsfiji brings."
    )


def require_complete(folder: Path) -> None:
    """Refuse a Fiji without the parts by which Python talks to it.

    Raises
    ------
    UserError
        If one of them is missing.
    """
    missing = [part for part in _PARTS if not _has(folder, f"jars/{part}-[0-9]*.jar")]
    if missing:
        raise UserError(
            f"The Fiji {folder} lacks {', '.join(missing)}: choose Help > Update... in it, or give "
            "'--fiji none' for the ImageJ that zsfiji brings."
        )


def is_fiji(folder: Path) -> bool:
    """Whether `folder` is the root of a Fiji or an ImageJ2."""
    return _has(folder, "jars/ij-*.jar") and _has(folder, "jars/imagej-legacy-*.jar")


def _has(folder: Path, pattern: str) -> bool:
    # A folder that the user may not enter, such as the home of another one, has nothing for us.
    with suppress(OSError):
        return any(folder.glob(pattern))
    return False


def usual_places() -> list[Path]:
    """Where people put Fiji on this kind of computer."""
    roots = []
    # A user of a container may have no home.
    with suppress(RuntimeError):
        home = Path.home()
        roots = [home, home / "Applications", home / "Desktop", home / "Downloads"]
    if sys.platform == "darwin":
        roots.append(Path("/Applications"))
    elif sys.platform == "win32":
        kept = ("ProgramFiles", "LOCALAPPDATA")
        roots += [Path("C:/"), *(Path(os.environ[key]) for key in kept if key in os.environ)]
    else:
        roots += [Path("/opt"), Path("/usr/local")]
    return [root / name for root in roots for name in _NAMES]
