"""How a command is declared, and what everybody else reads off the declaration.

A command is a plain function: the image first, unless it needs none, then keyword-only parameters
whose annotations say type, range, unit and help text. :func:`command` turns it into a
:class:`Command`, from which the menu entry, the dialog, the macro grammar, the recorder, the
``Ext`` function, the command line, the Fiji script, the Python call and the documentation are
made. No Java and no torch here.

The texts of the parameters stand in the annotations and not in the docstring: commands share
parameters (seed, device, model files), and a text that is written once cannot contradict itself.
The docstring of the public function gets its Parameters section from them.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import annotated_types
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from zsfiji.commands._source import Source
from zsfiji.errors import UserError

if TYPE_CHECKING:
    from zsfiji.commands._outcome import Outcome

Kind = Literal["boolean", "integer", "number", "choice", "open", "save", "folder", "image", "text"]
RENAMED = {"resolution": "noise_correlation"}
"""Options that had another name before: old name -> new name."""

FILES: tuple[Kind, ...] = ("open", "save", "folder")
"""The kinds whose values are paths."""

Duration = Callable[[Mapping[str, int], Mapping[str, Any]], float]


@dataclass(frozen=True)
class Shown:
    """How a parameter is shown; stands in its ``Annotated``.

    Attributes
    ----------
    label : str
        Name in the dialog, in the words of a microscopist.
    unit : str
        Unit behind the field.
    advanced : bool
        Whether it belongs in the second dialog.
    path : {"open", "save", "folder"}
        For a path: a file that has to exist, one to be written, or a folder that has to exist.
    suggest : {"", "pixel_size", "slice_spacing", "dimensions"}
        What the dialog takes from the active image, where that tells it: its pixel size or slice
        spacing in nm, or whether it is a stack ("3d") or not ("2d"). Macros never do: what they
        leave out has its default, whatever image is open.
    """

    label: str
    unit: str = ""
    advanced: bool = False
    path: Literal["open", "save", "folder"] = "open"
    suggest: Literal["", "pixel_size", "slice_spacing", "dimensions"] = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command, as every front end needs it.

    Attributes
    ----------
    key : str
        Name in macros, scripts and on the command line; public and lower-case.
    kind : str
        "boolean", "integer", "number", "choice", "open", "save" (files), "folder", "image" (the
        title of an open image, or a file) or "text".
    default : object
        Value when the key is missing; None for what may be left empty, and where `required`.
    choices : tuple of str
        What a choice can be, as written in a macro.
    minimum, maximum : float or None
        Inclusive range of a number.
    label, unit, help : str
        For the dialog; `help` is the tooltip and the documentation.
    advanced : bool
        Whether it belongs in the second dialog.
    required : bool
        Whether the command does not run without it.
    suggest : str
        See :class:`Shown`.
    """

    key: str
    kind: Kind
    default: Any
    label: str
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    advanced: bool = False
    required: bool = False
    suggest: str = ""

    @property
    def may_be_empty(self) -> bool:
        """Whether there is a meaning in giving nothing: measured, or not wanted."""
        return self.default is None and not self.required

    def text(self, value: Any) -> str:
        """`value` as it is written in a macro; the empty string for what is not given."""
        if value is None:
            return ""
        if isinstance(value, Source):
            return value.text
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Path):
            return value.as_posix()
        if isinstance(value, float):
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return str(value)


@dataclass(frozen=True)
class Command:
    """A command, declared once.

    Attributes
    ----------
    name : str
        Name of the Python function and of the ``Ext`` function.
    label : str
        Menu label, which is the command's name in macros; ends in "...", unique in all of Fiji.
    menu : str
        Where the entry stands, as "Plugins>Zero-Shot".
    summary : str
        One sentence.
    description : str
        The rest of the docstring.
    parameters : tuple of Parameter
        In the order of the dialog.
    function : callable
        Takes the image, unless it needs none, and the validated values; gives an Outcome.
    takes_image : bool
        Whether it works on the active image.
    suffixes : tuple of str
        Put behind the title of the image to name the results, as "denoised", the main result
        last; empty where a command gives no image, or one that is named otherwise.
    memory : float
        Bytes of memory that a pixel of the image needs while the command works, without ImageJ.
    result_bytes : float
        Bytes that the results have for a pixel of the image, which ImageJ has to hold.
    check : callable or None
        Takes the values, and raises a UserError where they do not go together.
    duration : callable or None
        Takes the lengths of the axes of the image and the values, and gives the seconds that the
        command takes on the reference computer of :mod:`zsfiji.services.duration`; see there.
    """

    name: str
    label: str
    menu: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., Outcome]
    model: type[BaseModel]
    takes_image: bool
    suffixes: tuple[str, ...]
    memory: float
    result_bytes: float
    check: Callable[[dict[str, Any]], None] | None = None
    duration: Duration | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """Key -> value where nothing is given; without the keys that are required."""
        return {p.key: p.default for p in self.parameters if not p.required}

    def parameter(self, key: str) -> Parameter:
        """The parameter `key`; a UserError lists the known ones."""
        for parameter in self.parameters:
            if parameter.key == key:
                return parameter
        keys = [p.key for p in self.parameters]
        if RENAMED.get(key) in keys:
            raise UserError(f'The option "{key}" of {self.label} is called "{RENAMED[key]}" now.')
        known = ", ".join(keys)
        raise UserError(f'{self.label} has no option "{key}". It has: {known}.')

    def validate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the values of some parameters and fill in the defaults of the others.

        Parameters
        ----------
        given : mapping
            Key -> value; the values may be text, as they come from a macro or a shell.

        Returns
        -------
        dict
            Key -> value of the right type, for every parameter.

        Raises
        ------
        UserError
            If a key is unknown, a value is of the wrong type or out of its range, or values do not
            go together. The same wrong value gives the same text wherever it was entered.
        """
        values = {key: _from_text(self.parameter(key), value) for key, value in given.items()}
        try:
            chosen = dict(self.model(**values))
        except ValidationError as error:
            raise UserError(self._explain(error)) from None
        if self.check is not None:
            self.check(chosen)
        return chosen

    def valid(self, key: str, value: Any) -> Any:
        """One value, checked as :meth:`validate` checks all; raises as it does."""
        one = self.model.model_construct()
        try:
            setattr(one, key, _from_text(self.parameter(key), value))
        except ValidationError as error:
            raise UserError(self._explain(error)) from None
        return getattr(one, key)

    def _explain(self, error: ValidationError) -> str:
        detail = error.errors()[0]
        parameter = self.parameter(str(detail["loc"][0]))
        if detail["type"] == "missing" or detail["input"] is None:
            return f'{parameter.label}: {_expected(parameter)}, as "{parameter.key}=...".'
        return f"{parameter.label}: {_expected(parameter)}, not {_quoted(detail['input'])}."


class PublicFunction(Protocol):
    """The Python call of a command: numpy or xarray in, the same type out."""

    command: Command
    __name__: str

    def __call__(self, *image: Any, **options: Any) -> Any:
        """Run it, on an image unless it needs none."""


def command(
    *,
    label: str,
    suffixes: tuple[str, ...] = (),
    menu: str = "Plugins>Zero-Shot",
    memory: float = 8,
    result_bytes: float = 4,
    check: Callable[[dict[str, Any]], None] | None = None,
    duration: Duration | None = None,
) -> Callable[[Callable[..., Outcome]], PublicFunction]:
    """Declare the decorated function to be a command.

    Parameters
    ----------
    label, suffixes, menu, memory, result_bytes, check, duration
        See :class:`Command`. By default there is one result of 32-bit pixels, and as much again
        while it is handed over.

    Returns
    -------
    callable
        A decorator. What it gives takes arrays as well as labelled images, validates its
        arguments, and carries the declaration as its attribute ``command``.
    """

    def declare(function: Callable[..., Outcome]) -> PublicFunction:
        declared = _read(function, label, menu, suffixes, memory, result_bytes, check, duration)

        def public(*image: Any, **options: Any) -> Any:
            from zsfiji.commands._run import run_on_array

            if len(image) != declared.takes_image:
                takes = "one image" if declared.takes_image else "no image"
                raise TypeError(f"{function.__name__}() takes {takes}, and keyword arguments")
            return run_on_array(declared, image[0] if image else None, options)

        public.__name__ = public.__qualname__ = function.__name__
        public.__module__ = function.__module__
        public.__doc__ = _documentation(declared)
        public.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        public.command = declared  # type: ignore[attr-defined]
        return typing.cast("PublicFunction", public)

    return declare


def _read(
    function: Callable[..., Outcome],
    label: str,
    menu: str,
    suffixes: tuple[str, ...],
    memory: float,
    result_bytes: float,
    check: Callable[[dict[str, Any]], None] | None,
    duration: Duration | None,
) -> Command:
    parameters = []
    fields: dict[str, Any] = {}
    takes_image = False
    hints = typing.get_type_hints(
        function, localns={"xr": _Anything(), "Outcome": object}, include_extras=True
    )
    for name, declared in inspect.signature(function).parameters.items():
        if declared.kind is not inspect.Parameter.KEYWORD_ONLY:
            takes_image = True
            continue
        required = declared.default is inspect.Parameter.empty
        default = ... if required else declared.default
        field = FieldInfo.from_annotated_attribute(hints[name], default)
        fields[name] = (hints[name], default)
        parameters.append(_parameter(name, field, required))
    _check_keys([p.key for p in parameters])
    summary, _, description = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    model = create_model(
        function.__name__,
        __config__=ConfigDict(
            extra="forbid",
            allow_inf_nan=False,
            arbitrary_types_allowed=True,
            validate_assignment=True,
        ),
        **fields,
    )
    return Command(
        function.__name__,
        label,
        menu,
        " ".join(summary.split()),
        description,
        tuple(parameters),
        function,
        model,
        takes_image,
        suffixes,
        memory,
        result_bytes,
        check,
        duration,
    )


class _Anything:
    """Stands for modules that are only imported for type checkers when annotations are read."""

    def __getattr__(self, name: str) -> Any:
        return object


def _check_keys(keys: list[str]) -> None:
    # ImageJ's own option parser finds "sigma=" inside "psf_sigma=", and no upper-case key at all.
    for key in keys:
        if key != key.lower() or any(key != other and other.endswith(key) for other in keys):
            raise ValueError(f"the key {key!r} is upper-case or the tail of another one")


def _parameter(key: str, field: FieldInfo, required: bool) -> Parameter:
    shown = next(m for m in field.metadata if isinstance(m, Shown))
    bounds: dict[str, float] = {}
    for entry in field.metadata:
        if isinstance(entry, annotated_types.Ge):
            bounds["minimum"] = typing.cast(float, entry.ge)
        elif isinstance(entry, annotated_types.Le):
            bounds["maximum"] = typing.cast(float, entry.le)
    kind, choices = _kind(field.annotation, shown)
    return Parameter(
        key,
        kind,
        None if required else field.default,
        shown.label,
        field.description or "",
        shown.unit,
        choices,
        advanced=shown.advanced,
        required=required,
        suggest=shown.suggest,
        **bounds,
    )


def _kind(annotation: Any, shown: Shown) -> tuple[Kind, tuple[str, ...]]:
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is Literal:
        return "choice", tuple(str(choice) for choice in typing.get_args(annotation))
    # What may be left empty is a union with None.
    named = [part for part in typing.get_args(annotation) if part is not type(None)]
    annotation = named[0] if named else annotation
    if annotation is Path:
        return shown.path, ()
    kinds: dict[Any, Kind] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "text",
        Source: "image",
    }
    return kinds[annotation], ()


def _from_text(parameter: Parameter, value: Any) -> Any:
    if isinstance(value, bool) and parameter.kind != "boolean":
        # A bare key in a macro is True, which would pass for the number 1.
        raise UserError(f'{parameter.label}: {_expected(parameter)}, as "{parameter.key}=...".')
    if isinstance(value, str) and not value and (parameter.required or parameter.may_be_empty):
        return None
    if parameter.kind == "image" and value is not None:
        return Source.of(value)
    if parameter.kind == "choice":
        # Choices of numbers (averages of 1, 2, 4 ...) are numbers in Python and text in a macro,
        # where a script may also write them as 2.0.
        wanted = str(value).strip().lower()
        if isinstance(value, float) and value.is_integer():
            wanted = str(int(value))
        for choice in parameter.choices:
            if choice.lower() == wanted:
                return type(parameter.default)(choice)
    return value


def _expected(parameter: Parameter) -> str:
    if parameter.kind == "choice":
        return f"choose one of {', '.join(parameter.choices)}"
    if parameter.kind == "boolean":
        return "write true or false"
    if parameter.kind in ("integer", "number"):
        noun = "a whole number" if parameter.kind == "integer" else "a number"
        low, high = parameter.minimum, parameter.maximum
        if low is not None and high is not None:
            noun += f" from {parameter.text(low)} to {parameter.text(high)}"
        elif low is not None:
            noun += f" of at least {parameter.text(low)}"
        elif high is not None:
            noun += f" of at most {parameter.text(high)}"
        noun += f" ({parameter.unit})" if parameter.unit else ""
        return f"give {noun}" + (", or nothing" if parameter.may_be_empty else "")
    if parameter.kind == "image":
        return "give the title of an open image or the path of a file"
    if parameter.kind in FILES:
        return f"give the path of a {'folder' if parameter.kind == 'folder' else 'file'}"
    return "give a text"


def _quoted(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return f'"{value}"' if isinstance(value, str) else repr(value)


_TYPE_NAMES: dict[str, str] = {
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "open": "path",
    "save": "path",
    "folder": "path",
    "image": "numpy.ndarray, xarray.DataArray or path",
    "text": "str",
}


def _documentation(declared: Command) -> str:
    lines = [declared.summary, "", *declared.description.splitlines(), ""]
    lines += ["Parameters", "----------"]
    if declared.takes_image:
        lines += ["image : numpy.ndarray or xarray.DataArray"]
        lines += ["    The pixels. A bare 2D array is (row, col), a 3D one (pln, row, col)."]
    for p in declared.parameters:
        kind = "{" + ", ".join(p.choices) + "}" if p.kind == "choice" else _TYPE_NAMES[p.kind]
        if p.default is not None:
            kind += f", default {p.text(p.default)}"
        elif not p.required:
            kind += ", optional"
        lines += [f"{p.key} : {kind}", f"    {p.help}"]
    lines += ["", "Returns", "-------", *_returned(declared)]
    lines += ["", "Raises", "------", "zsfiji.errors.UserError"]
    lines += ["    If an argument is wrong or the image cannot be restored; the text says why."]
    return "\n".join(lines)


def _returned(declared: Command) -> list[str]:
    if not declared.takes_image:
        return ["xarray.DataArray", "    The result, with its calibration."]
    if not declared.suffixes:
        return ["dict of str to float", "    What was found: name -> number."]
    if len(declared.suffixes) == 1:
        return ["numpy.ndarray or xarray.DataArray", "    The result, of the type of `image`."]
    several = ", then ".join(declared.suffixes)
    return [
        "tuple of numpy.ndarray or of xarray.DataArray",
        f"    {several[0].upper()}{several[1:]}: of the type of `image`.",
    ]
