"""Menu entries for a Fiji that is started as usual, as a Java program.

:func:`install` writes, for each command, a menu entry into ``scripts/Plugins/Zero-Shot`` of the
Fiji and a script with ``#@`` parameters into its folder ``zsfiji``, beside what they share. All
are Groovy, which every Fiji has, and made from the command table; the work is done by
:mod:`zsfiji.bridge.stock.worker`, in the Python environment that installed them.

An entry has no parameters of its own: SciJava opens a dialog for each parameter that a macro leaves
out, and our macro lines leave out what is at its default.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from zsfiji.bridge.scripts import parameter_line, quoted
from zsfiji.bridge.start.fiji import is_fiji
from zsfiji.bridge.ui import texts
from zsfiji.bridge.ui.help import ABOUT, DOCTOR, HELP, about, explanation, overview
from zsfiji.commands import Command, table
from zsfiji.errors import UserError
from zsfiji.images.files import replacing, user_path
from zsfiji.version import __version__

MENU = "scripts/Plugins/Zero-Shot"
MORE = f"{MENU}/Zero-Shot_Methods_and_Tools"
"""Fiji sorts entries by name; all but the recommended command, which shall come first, and those
that tell something are in a menu of their own, which comes last."""
FOLDER = "zsfiji"
SHARED = f"{FOLDER}/ZeroShot.groovy"
SETTINGS = f"{FOLDER}/settings.json"
HELP_PAGE = f"{FOLDER}/help.html"
MANIFEST = f"{FOLDER}/manifest.json"

_WRITTEN_FROM = "// Written from zsfiji's table of commands by 'zsfiji install'."
_START = """\
def folder = new File(ij.IJ.getDirectory("imagej"), "zsfiji")
def loader = new GroovyClassLoader(getClass().classLoader)
def shared = loader.parseClass(new File(folder, "ZeroShot.groovy")).newInstance(folder, context)
"""


@dataclass
class Report:
    """What was done to a Fiji.

    Attributes
    ----------
    fiji : Path
        Its folder.
    written, removed : list of Path
        The files.
    kept : list of Path
        Copies of files that had been changed.
    """

    fiji: Path
    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        if self.written:
            text = [
                f"{self.fiji} has the Zero-Shot commands now, under Plugins > Zero-Shot, after it "
                "is started again.",
                f"They use the Python of {sys.prefix}; install again when that has moved.",
            ]
        elif self.removed:
            text = [f"The Zero-Shot commands are gone from {self.fiji} when it is started again."]
        else:
            text = [f"{self.fiji} has no Zero-Shot commands of 'zsfiji install'."]
        text += [f"A changed script was kept as {path}" for path in self.kept]
        return "\n".join(text)


def install(path: str | os.PathLike[str]) -> Report:
    """Give a Fiji the commands, or replace those it has from an earlier version.

    Parameters
    ----------
    path : path_like
        Folder of the Fiji.

    Returns
    -------
    Report
        What was written. Changed files are kept beside, with the ending .bak.

    Raises
    ------
    UserError
        If it is no Fiji, or must not be written to.
    """
    fiji = _fiji(path)
    report = Report(fiji)
    texts = _files()
    with _writing(fiji):
        known = _manifest(fiji)
        for name in known.keys() - texts.keys():
            _remove(fiji / name, known[name], report)
        for name, text in texts.items():
            target = fiji / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _keep_changed(target, known.get(name), text, report)
            with replacing(target) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
            report.written.append(target)
        with replacing(fiji / MANIFEST) as temporary:
            temporary.write_text(
                json.dumps({"version": __version__, "files": _checksums(texts)}, indent=1),
                encoding="utf-8",
            )
    return report


def uninstall(path: str | os.PathLike[str]) -> Report:
    """Take the commands out of a Fiji.

    Parameters
    ----------
    path : path_like
        Folder of the Fiji.

    Returns
    -------
    Report
        What was removed. Changed files are kept, with the ending .bak.

    Raises
    ------
    UserError
        If it is no Fiji, or must not be written to.
    """
    fiji = _fiji(path)
    report = Report(fiji)
    with _writing(fiji):
        known = _manifest(fiji)
        if not known and (fiji / MANIFEST).exists():
            # Damaged: then what this version writes, for the entries would stay in the menu.
            known = _checksums(_files())
        for name, checksum in known.items():
            _remove(fiji / name, checksum, report)
        (fiji / MANIFEST).unlink(missing_ok=True)
        for folder in (fiji / MORE, fiji / MENU, fiji / FOLDER):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    return report


def entry_name(label: str) -> str:
    """Name of a menu entry's file: Fiji makes the label of it, and wants an underscore."""
    name = label.replace(" ", "_")
    if "_" not in name or "/" in name:
        raise ValueError(f"Fiji can make no menu entry {label!r} of a file")
    return f"{name}.groovy"


def entry_path(command: Command) -> str:
    """Path of the menu entry of a command within a Fiji; see :data:`MORE`."""
    recommended = next(iter(table().values()))
    return f"{MENU if command is recommended else MORE}/{entry_name(command.label)}"


def script_name(command: Command) -> str:
    """Name of the file with the parameters of a command."""
    return f"{command.label.rstrip('.').replace(' ', '_')}.groovy"


def entry(command: Command) -> str:
    """Text of a menu entry."""
    label = quoted(command.label)
    return (
        f"#@script(description={quoted(command.summary)}, headless=true)\n"
        "#@ Context context\n\n"
        f"{_WRITTEN_FROM}\n\n{_START}"
        f"shared.entry({label}, {quoted(script_name(command))}, {_takes_image(command)})\n"
    )


def information(label: str) -> str:
    """Text of a menu entry that tells something: one of help.HELP, DOCTOR and ABOUT."""
    return (
        f"#@script(description={quoted(label.rstrip('.'))}, headless=true)\n"
        "#@ Context context\n\n"
        f"{_WRITTEN_FROM}\n\n{_START}"
        f"shared.tellAbout({quoted(label)})\n"
    )


def script(command: Command) -> str:
    """Text of the script with the parameters of a command, which is its dialog, too."""
    name = quoted(command.label.rstrip("."))
    lines = [
        f"#@script(label={name}, description={quoted(command.summary)}, headless=true)",
        "#@ Context context",
        _message("explanation", explanation(command)),
        '#@ String (label="Image file", description="Empty: the active image.", value="", '
        "required=false, persist=false) input",
        '#@ String (label="Result file", description="For an image file: where to save the '
        'result, as .tif.", value="", required=false, persist=false) output',
    ]
    if command.takes_image:
        # What the dialog says of the image, and of the time that it takes.
        lines.insert(3, _message("subject", "The active image is processed."))
    # ZeroShot.groovy lets the dialog remember them.
    lines += [parameter_line(command, p, persist=False) for p in command.parameters]
    values = ", ".join(f"{p.key}: {p.key}" for p in command.parameters)
    lines += ["", _WRITTEN_FROM, "", _START.rstrip()]
    label, takes = quoted(command.label), _takes_image(command)
    lines.append(f"shared.call({label}, [{values}], input, output, {takes})")
    return "\n".join(lines) + "\n"


def _takes_image(command: Command) -> str:
    return "true" if command.takes_image else "false"


def _message(name: str, text: str) -> str:
    """The ``#@`` line of a text in a dialog. One that is required would open a dialog in macros."""
    return (
        f"#@ String (visibility=MESSAGE, value={quoted(text)}, required=false, "
        f"persist=false) {name}"
    )


def scripts_digest() -> str:
    """Tells the scripts of one version from those of another, which this Python cannot serve."""
    return _digest(_shared().encode())


def _shared() -> str:
    resource = resources.files("zsfiji.bridge.stock").joinpath("ZeroShot.groovy")
    return resource.read_text(encoding="utf-8")


def _files() -> dict[str, str]:
    """What an installation consists of: path within the Fiji -> text."""
    found = {SHARED: _shared()}
    settings = {
        # Not resolved: the link in a virtual environment is what finds its packages.
        "python": os.path.abspath(sys.executable),
        "version": __version__,
        "scripts": scripts_digest(),
        "about": about(__version__),
        "texts": texts.for_stock_fiji(),
    }
    found[HELP_PAGE] = overview(table().values(), extensions=False) + "\n"
    found[SETTINGS] = json.dumps(settings, indent=1) + "\n"
    for command in table().values():
        found[entry_path(command)] = entry(command)
        found[f"{FOLDER}/{script_name(command)}"] = script(command)
    for label in (HELP, DOCTOR, ABOUT):
        place = MENU if label != ABOUT else MORE
        found[f"{place}/{entry_name(label)}"] = information(label)
    return found


def _fiji(path: str | os.PathLike[str]) -> Path:
    folder = user_path(path)
    if is_fiji(folder):
        return folder.resolve()
    what = "is no Fiji: it has no jars/ij-*.jar in it" if os.path.isdir(folder) else "is not there"
    raise UserError(f"{folder} {what}. Name the folder that has Fiji's 'jars' and 'plugins' in it.")


@contextmanager
def _writing(fiji: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or fiji} cannot be written: {error.strerror or error}. Ask "
            "the person who installed this Fiji, or put a copy of it into your home folder."
        ) from error


def _manifest(fiji: Path) -> dict[str, str]:
    try:
        content = json.loads((fiji / MANIFEST).read_text(encoding="utf-8"))
        files = content["files"]
        return {str(name): str(checksum) for name, checksum in files.items() if _ours(name)}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, AttributeError, TypeError):
        # Damaged: then every file counts as changed, and is kept.
        return {}


def _ours(name: str) -> bool:
    """Whether a manifest may name this file; a damaged one must not make us remove others."""
    path = Path(name)
    endings = (".groovy", ".json", ".html")
    return path.parent.as_posix() in (MENU, MORE, FOLDER) and path.suffix in endings


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _checksums(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: _digest(text.encode()) for name, text in texts.items()}


def _keep_changed(target: Path, checksum: str | None, text: str, report: Report) -> None:
    """Move a file out of the way that is neither what we wrote nor what we will write."""
    if not target.exists() or target.name == Path(SETTINGS).name:
        return
    found = _digest(target.read_bytes())
    if found in (checksum, _digest(text.encode())):
        return
    _keep(target, report)


def _remove(target: Path, checksum: str, report: Report) -> None:
    if not target.exists():
        return
    if target.name != Path(SETTINGS).name and _digest(target.read_bytes()) != checksum:
        _keep(target, report)
        return
    target.unlink()
    report.removed.append(target)


def _keep(target: Path, report: Report) -> None:
    # Not an ending of a script language, or it would appear in the menu.
    kept = target.with_name(target.name + ".bak")
    number = 1
    while kept.exists():
        number += 1
        kept = target.with_name(f"{target.name}.{number}.bak")
    target.replace(kept)
    report.kept.append(kept)
