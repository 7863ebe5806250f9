"""``zsfiji script``: run a Python script with ``#@`` parameters, without a window.

SciJava reads the parameters, here as in Fiji; the values come from the command line. Images are
given as files. After the script, its outputs (``#@output``) are read: an image is saved where
``name=file.tif`` says, anything else is printed. Without one of that name ``output=`` saves the
only image among them, else the active image, as Process > Batch > Macro... does.
"""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import xarray as xr

import zsfiji
from zsfiji import progress
from zsfiji.bridge import menu
from zsfiji.bridge.convert import datasets
from zsfiji.bridge.convert.images import from_imageplus, to_imageplus
from zsfiji.bridge.scripts import raising
from zsfiji.bridge.start import host
from zsfiji.bridge.start.classes import jc
from zsfiji.errors import Cancelled, UserError
from zsfiji.images import tiff
from zsfiji.images.axes import as_image
from zsfiji.images.files import require_other, require_writable
from zsfiji.terminal import Terminal

_IMAGE, _DATASET, _IMGPLUS = "ij.ImagePlus", "net.imagej.Dataset", "net.imagej.ImgPlus"
_FILE = "java.io.File"
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_WHOLE = {
    "java.lang.Short": 2**15,
    "java.lang.Integer": 2**31,
    "int": 2**31,
    "java.lang.Long": 2**63,
    "long": 2**63,
}
"""Types of whole numbers, and the first number that is too large for each."""
_FRACTIONS = ("java.lang.Double", "java.lang.Float", "double", "float")


# "#@ Double (min=0) sigma" or "#@input Double sigma"; not "#@output" and not "#@script".
_PARAMETER = re.compile(
    r"^[ \t]*#@[ \t]*(?:(?i:input|both)[ \t]+)?(?!(?i:output)\b|script\b)"
    r"([\w.<>\[\]]+)[ \t]*(?:\(.*\))?[ \t]*(\w+)[ \t]*$",
    re.MULTILINE,
)
# "#@output Dataset result", "#@OUTPUT result", "#@both ImagePlus result".
_DECLARED_OUTPUT = re.compile(
    r"^[ \t]*#@[ \t]*(?i:output|both)[ \t]+(?:.*[ \t)])?(\w+)[ \t]*$", re.MULTILINE
)


@dataclass(frozen=True)
class Input:
    """A ``#@`` parameter, as SciJava reads it.

    Attributes
    ----------
    name, type : str
        Its name, and the full name of its Java class.
    required : bool
        Whether a script may not run without it.
    default : object
        None without one.
    choices : tuple of str
        Empty for a free value.
    minimum, maximum : float or None
        Inclusive range.
    """

    name: str
    type: str
    required: bool
    default: Any
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None


def run_script(file: str, words: Sequence[str], fiji: str | None = None) -> None:
    """Run a script without a window.

    Parameters
    ----------
    file : str
        The script, in Python.
    words : sequence of str
        Its parameters as ``key=value``; an image is given as its file. The name of an output with
        a file saves that image at the end. ``output=file.tif``, where the script has nothing of
        that name, saves the only image among its outputs, else the active image.
    fiji : str, optional
        See :func:`zsfiji.bridge.start.host.start`.

    Raises
    ------
    UserError
        If the script or an image cannot be read, a parameter is missing or wrong, a result would
        replace an image, or the script itself has an error.
    """
    path = Path(file)
    if path.suffix != ".py":
        raise UserError(f"{file} is no Python script. For ImageJ's macros use 'zsfiji macro'.")
    try:
        # Windows' Notepad may put a byte order mark before the first "#@".
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The script {file} cannot be read: {error}.") from error
    code = _compiled(path, text)
    given = _pairs(words)
    running = host.start(headless=True, fiji=fiji)
    menu.install(running)
    inputs = read_inputs(running, path, text)
    declared = list(dict.fromkeys(_DECLARED_OUTPUT.findall(text)))
    taken = {entry.name for entry in inputs}
    targets = {
        name: given.pop(name)
        for name in dict.fromkeys((*declared, "output"))
        if name in given and name not in taken
    }
    sources = [
        given[entry.name]
        for entry in inputs
        if entry.name in given and entry.type in (_IMAGE, _DATASET, _IMGPLUS, _FILE)
    ]
    for target in targets.values():
        for source in sources:
            require_other(target, source)
        require_writable(target)
    values = bind(running, inputs, given)
    with Terminal() as terminal, progress.using(terminal), raising():
        terminal.begin(path.name)
        variables = {"__name__": "__main__", "__file__": str(path), **values}
        with _errors_told(path):
            exec(code, variables)
        images, others = outputs(declared, variables)
        for name, value in others.items():
            if name in targets:
                raise UserError(f"The output {name} of the script is no image to save: {value}.")
            terminal.result(f"{name} = {value}")
        for name, target in targets.items():
            tiff.write(_found(running, images, declared, name), Path(target))
            terminal.result(target)


def _compiled(path: Path, text: str) -> CodeType:
    try:
        return compile(text, str(path), "exec")
    except SyntaxError as error:
        raise UserError(f"The script {path}, line {error.lineno}: {error.msg}.") from error
    except ValueError as error:
        raise UserError(f"The script {path} cannot be read: {error}.") from error


@contextmanager
def _errors_told(path: Path) -> Iterator[None]:
    """Tell an error of a script, or of a library that it calls, which is no bug of zsfiji."""
    try:
        yield
    except (UserError, Cancelled):
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [number for number, frame in enumerate(frames) if frame.filename == str(path)]
        ours = Path(zsfiji.__file__).parent
        if not own or any(Path(f.filename).is_relative_to(ours) for f in frames[own[-1] :]):
            raise
        shown = traceback.format_list(frames[own[0] :]) + traceback.format_exception_only(error)
        raise UserError(
            f"The script {path} has an error in line {frames[own[-1]].lineno}:\n"
            + "".join(shown).rstrip()
        ) from error


def _pairs(words: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier():
            raise UserError(f'"{word}" is no parameter: write key=value.')
        if key in given:
            raise UserError(f'The parameter "{key}" is given twice.')
        given[key] = value
    return given


def read_inputs(running: host.Host, path: Path, text: str) -> list[Input]:
    """Let SciJava read the ``#@`` parameters of a script.

    Parameters
    ----------
    running : Host
        The running ImageJ.
    path : Path
        Where the script is, which tells its language.
    text : str
        Its text.

    Raises
    ------
    UserError
        If SciJava does not understand a parameter.
    """
    import jpype
    from jpype import JClass

    declared = _PARAMETER.findall(text)
    if not declared:
        return []
    context = _context(running)
    if running.gateway is None:
        # There is no language to choose from, and SciJava would warn.
        text = re.sub(r"^#@ ?script\b.*", "", text, flags=re.MULTILINE)
    # The outputs are read from the script's variables, also those of a type that is not known here.
    text = re.sub(r"^[ \t]*#@[ \t]*(?i:output)\b.*", "", text, flags=re.MULTILINE)
    information = JClass("org.scijava.script.ScriptInfo")(
        context, str(path), JClass("java.io.StringReader")(text)
    )
    try:
        inputs = [_input(item) for item in information.inputs()]
    except jpype.JException as error:
        raise UserError(
            f"The parameters (#@) of {path} cannot be read: {error.getMessage() or error}"
        ) from error
    # SciJava passes over a type that it does not know.
    found = {entry.name for entry in inputs}
    for kind, name in declared:
        if name not in found:
            raise UserError(
                f"The parameter {name} of {path} is a {kind}, which "
                + (
                    "is not known. Check its spelling."
                    if running.gateway
                    else "needs Fiji: name it with --fiji."
                )
            )
    return inputs


def _context(running: host.Host) -> Any:
    """Fiji's SciJava context, or one with just what reads scripts, which knows ImageJ's images."""
    from jpype import JClass

    if running.gateway is not None:
        return running.gateway.getContext()
    services = JClass("org.scijava.script.ScriptService")
    context = JClass("org.scijava.Context")(services)
    context.service(services).addAlias("ImagePlus", JClass(_IMAGE).class_)
    return context


def _input(item: Any) -> Input:
    minimum, maximum = (
        _number(bound) for bound in (item.getMinimumValue(), item.getMaximumValue())
    )
    default = item.getDefaultValue()
    return Input(
        str(item.getName()),
        str(item.getType().getName()),
        bool(item.isRequired()),
        None if default is None else str(default),
        tuple(str(choice) for choice in item.getChoices() or ()),
        minimum,
        maximum,
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(str(value))


def bind(running: host.Host, inputs: Sequence[Input], given: Mapping[str, str]) -> dict[str, Any]:
    """Turn what the command line gives into the variables of a script.

    Parameters
    ----------
    running : Host
        The running ImageJ.
    inputs : sequence of Input
        What the script takes.
    given : mapping
        Name -> text.

    Returns
    -------
    dict
        Name -> value: Python's numbers and texts, ``java.io.File``, images as ``ij.ImagePlus``,
        ``Dataset`` or ``ImgPlus``.

    Raises
    ------
    UserError
        If a parameter is unknown, missing, of the wrong type or out of its range.
    """
    known = {entry.name for entry in inputs}
    unknown = [key for key in given if key not in known]
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise UserError(f'The script has no parameter "{unknown[0]}". It has: {names}.')
    missing = [e.name for e in inputs if e.required and e.default is None and e.name not in given]
    for entry in list(inputs):
        if entry.name in missing and _service(running, entry) is not None:
            missing.remove(entry.name)
    if missing:
        raise UserError(f"The script needs {', '.join(f'{name}=...' for name in missing)}")
    return {entry.name: _value(running, entry, given.get(entry.name)) for entry in inputs}


def _service(running: host.Host, entry: Input) -> Any:
    """What only Fiji can give, such as ``#@ ImageJ ij`` and services."""
    if running.gateway is None:
        return None
    if entry.type == "net.imagej.ImageJ":
        return running.gateway
    from jpype import JClass

    try:
        return running.gateway.getContext().getService(JClass(entry.type))
    except TypeError:
        return None


def _value(running: host.Host, entry: Input, text: str | None) -> Any:
    if text is None:
        text = entry.default
    if text is None:
        return _service(running, entry)
    if entry.choices and text not in entry.choices:
        raise UserError(f'{entry.name}: choose one of {", ".join(entry.choices)}, not "{text}".')
    if entry.type == _IMAGE:
        imp = to_imageplus(tiff.read(text))
        imp.show()
        return imp
    if entry.type in (_DATASET, _IMGPLUS):
        dataset = datasets.to_dataset(tiff.read(text))
        return dataset if entry.type == _DATASET else dataset.getImgPlus()
    if entry.type == _FILE:
        from jpype import JClass

        return JClass(_FILE)(text)
    if entry.type in ("java.lang.Boolean", "boolean"):
        if text.lower() not in _TRUE + _FALSE:
            raise UserError(f'{entry.name}: write true or false, not "{text}".')
        return text.lower() in _TRUE
    if entry.type in _WHOLE or entry.type in _FRACTIONS:
        return _checked_number(entry, text)
    if entry.type == "java.lang.String":
        return text
    raise UserError(
        f"{entry.name} is a {entry.type}, which 'zsfiji script' cannot make from text. "
        "Run the script in Fiji."
    )


def _checked_number(entry: Input, text: str) -> int | float:
    kind = int if entry.type in _WHOLE else float
    try:
        value = kind(text)
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise UserError(f'{entry.name}: give {noun}, not "{text}".') from None
    low, high = entry.minimum, entry.maximum
    if entry.type in _WHOLE:
        # Fiji takes no others, and Java's methods could not be called with them.
        beyond = _WHOLE[entry.type]
        low = -beyond if low is None else low
        high = beyond - 1 if high is None else high
    elif not math.isfinite(value):
        raise UserError(f"{entry.name}: give a finite number, not {text}.")
    if low is not None and value < low:
        raise UserError(f"{entry.name}: give a number of at least {kind(low)}, not {text}.")
    if high is not None and value > high:
        raise UserError(f"{entry.name}: give a number of at most {kind(high)}, not {text}.")
    return value


def outputs(
    declared: Sequence[str], variables: Mapping[str, Any]
) -> tuple[dict[str, xr.DataArray], dict[str, Any]]:
    """Read what a script has left in its outputs; one that it has not set is passed over.

    Parameters
    ----------
    declared : sequence of str
        Their names.
    variables : mapping
        The variables of the script after its end.

    Returns
    -------
    images : dict
        Name -> image, of each ``ImagePlus``, ``Dataset``, ``ImgPlus`` and array.
    others : dict
        Name -> number, text or whatever else.
    """
    images: dict[str, xr.DataArray] = {}
    others: dict[str, Any] = {}
    for name in declared:
        value = variables.get(name)
        if isinstance(value, jc.ImagePlus):
            images[name] = from_imageplus(value)
        elif datasets.is_dataset(value):
            images[name] = datasets.from_dataset(value)
        elif isinstance(value, (np.ndarray, xr.DataArray)) and value.ndim >= 2:
            images[name] = as_image(value)
        elif value is not None:
            others[name] = value
    return images, others


def _found(
    running: host.Host, images: Mapping[str, xr.DataArray], declared: Sequence[str], name: str
) -> xr.DataArray:
    """The image that is to be saved for `name`."""
    if name in images:
        return images[name]
    if name in declared:
        raise UserError(f"The script has not set its output {name}.")
    if len(images) > 1:
        raise UserError(
            f"The script has several images as outputs: {', '.join(images)}. Name the file of each "
            "that you want, as in " + " ".join(f"{one}={one}.tif" for one in images) + "."
        )
    if images:
        return next(iter(images.values()))
    active = running.ij1.WindowManager.getCurrentImage()
    if active is None:
        raise UserError(
            "The script has left no image to save: it declares none (#@output), and none is open."
        )
    return from_imageplus(active)
