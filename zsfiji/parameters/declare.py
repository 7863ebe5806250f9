"""How a parameter is declared, and how its values are checked.

The type of a parameter is ``Annotated[type, Field(...), Shown(...)]``: pydantic's ``Field`` has the
range and the help text, and :class:`Shown` says how dialogs show it. Such types annotate the
parameters of a command or the fields of a :class:`ParameterGroup`. The same wrong value gets the
same message in a dialog, a macro, a shell and a Python call.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from zsfiji.errors import UserError
from zsfiji.parameters.source import Source

Kind = Literal["boolean", "integer", "number", "choice", "open", "save", "folder", "image", "text"]

FILES: tuple[Kind, ...] = ("open", "save", "folder")
"""The kinds whose values are paths."""

Value = bool | int | float | str | Path | Source | None
"""The possible types of a value."""

Values = Mapping[str, Value]
"""Key -> checked value."""


@dataclass(frozen=True)
class Shown:
    """How a parameter is shown; a part of its ``Annotated`` type.

    Attributes
    ----------
    label : str
        Name in the dialog, in the words of a microscopist.
    unit : str
        Unit after the field.
    advanced : bool
        Whether it belongs in the second dialog.
    path : {"open", "save", "folder"}
        For a path: a file that has to exist, one to be written, or a folder that has to exist.
    suggest : {"", "pixel_size", "slice_spacing", "dimensions"}
        What the dialog takes from the active image, if the image has it: its pixel size or slice
        spacing in nm, or whether it is a stack ("3d") or not ("2d"). Macros do not: keys that they
        leave out have their defaults, whatever image is open.
    unless : str
        Of a parameter that may be empty: the key of another one, without which it is needed, or
        "key=value" for the value of another one with which it is not needed.
    without : str
        Of a parameter for a training: the key of another one with which nothing is trained. Only
        one of the two can be given.
    moved : tuple of (str, str)
        Choices of before that are commands of their own now, each with the label of its command.
    made_by : str
        Of an image that is needed: the label of a command that makes one.
    """

    label: str
    unit: str = ""
    advanced: bool = False
    path: Literal["open", "save", "folder"] = "open"
    suggest: Literal["", "pixel_size", "slice_spacing", "dimensions"] = ""
    unless: str = ""
    without: str = ""
    moved: tuple[tuple[str, str], ...] = ()
    made_by: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter, as every front end needs it.

    Attributes
    ----------
    key : str
        Name in macros, scripts and on the command line; public and lower-case.
    kind : str
        "boolean", "integer", "number", "choice", "open", "save" (files), "folder", "image" (the
        title of an open image, or a file) or "text".
    default : object
        Value when the key is missing; None if it may be left empty, and if `required`.
    label, unit, help : str
        For the dialog; `help` is the tooltip and the documentation.
    choices : tuple of str
        The possible choices, as written in a macro.
    minimum, maximum : float or None
        Inclusive range of a number.
    advanced : bool
        Whether it belongs in the second dialog.
    required : bool
        Whether the command needs it.
    suggest, unless, without : str
        See :class:`Shown`.
    moved : tuple of (str, str)
        See :class:`Shown`.
    made_by : str
        See :class:`Shown`.
    annotation : type
        The annotated type that declares it.
    """

    key: str
    kind: Kind
    default: Value
    label: str
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    advanced: bool = False
    required: bool = False
    suggest: str = ""
    unless: str = ""
    without: str = ""
    moved: tuple[tuple[str, str], ...] = ()
    made_by: str = ""
    annotation: Any = field(default=None, repr=False, compare=False)

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty value has a meaning: measured, or not wanted."""
        return self.default is None and not self.required

    @property
    def needed(self) -> bool:
        """Whether the command needs it, always or without the parameter `unless`."""
        return self.required or bool(self.unless)

    def excused(self, chosen: Values) -> bool:
        """Whether it may be empty beside the other values."""
        if not self.unless:
            return not self.required
        key, _, value = self.unless.partition("=")
        return str(chosen[key]) == value if value else chosen[key] is not None

    def text(self, value: Value) -> str:
        """`value` as it is written in a macro; the empty string for None."""
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

    def from_text(self, value: object) -> object:
        """Convert a text from a macro or a shell to a value; other values stay as they are.

        Raises
        ------
        UserError
            If it is a key without a value, and the parameter is not a boolean.
        """
        if isinstance(value, bool) and self.kind != "boolean":
            # A key without a value is True in a macro, which would be taken for the number 1.
            raise UserError(f'{self.label}: {self._expected()}, as "{self.key}=...".')
        if isinstance(value, str) and not value and (self.required or self.may_be_empty):
            return None
        if self.kind == "image" and value is not None:
            return Source.of(value)
        if self.kind == "choice":
            # Choices of numbers (averages of 1, 2, 4 ...) are numbers in Python and text in a
            # macro, where a script may also write them as 2.0.
            wanted = str(value).strip().lower()
            if isinstance(value, float) and value.is_integer():
                wanted = str(int(value))
            for choice in typing.get_args(_bare(self.annotation)):
                if str(choice).lower() == wanted:
                    return choice
        return value

    def complaint(self, value: object) -> str:
        """The message for a value that is not possible, or for None: one that is missing."""
        if value is None:
            without = f" It is needed without {self.unless}." if self.unless else ""
            return f'{self.label}: {self._expected()}, as "{self.key}=...".{without}'
        command = dict(self.moved).get(str(value).lower())
        if command is not None:
            return f'{self.label}: {_quoted(value)} is a command of its own now: "{command}".'
        return f"{self.label}: {self._expected()}, not {_quoted(value)}."

    def missing(self, other: Parameter | None = None) -> UserError:
        """The error where it is missing.

        Parameters
        ----------
        other : Parameter, optional
            The one that `unless` names.
        """
        wanted = {
            "image": "choose an open image or a file",
            "open": "choose a file",
            "save": "choose the file to write",
            "folder": "choose a folder",
        }.get(self.kind, self._expected())
        made = f" ({self.made_by} makes one)" if self.made_by else ""
        text = f"{self.label}: {wanted}{made}."
        if other is not None:
            value = self.unless.partition("=")[2]
            shown = f"{other.label}: {value}" if value else other.label
            place = " (Advanced)" if other.advanced and not self.advanced else ""
            text += f' With "{shown}"{place} none is needed.'
        return UserError(self.complaint(None), in_dialog=text)

    def _expected(self) -> str:
        if self.kind == "choice":
            return f"choose one of {', '.join(self.choices)}"
        if self.kind == "boolean":
            return "write true or false"
        if self.kind in ("integer", "number"):
            noun = "a whole number" if self.kind == "integer" else "a number"
            low, high = self.minimum, self.maximum
            if low is not None and high is not None:
                noun += f" from {self.text(low)} to {self.text(high)}"
            elif low is not None:
                noun += f" of at least {self.text(low)}"
            elif high is not None:
                noun += f" of at most {self.text(high)}"
            noun += f" ({self.unit})" if self.unit else ""
            return f"give {noun}" + (", or nothing" if self.may_be_empty else "")
        if self.kind == "image":
            return "give the title of an open image or the path of a file"
        if self.kind in FILES:
            return f"give the path of a {'folder' if self.kind == 'folder' else 'file'}"
        return "give a text"


REQUIRED: Any = ...
"""The default of a parameter that has to be given."""


def is_shown(annotation: Any) -> bool:
    """Whether an annotated type says how dialogs show it."""
    return any(isinstance(entry, Shown) for entry in getattr(annotation, "__metadata__", ()))


def read_parameter(key: str, annotation: Any, default: Any) -> Parameter:
    """Read one declaration.

    Parameters
    ----------
    key : str
        Name of the parameter.
    annotation : type
        ``Annotated[type, Field(...), Shown(...)]``. Without a ``Shown`` the key is the label.
    default : object
        Its default, or :data:`REQUIRED`.

    Raises
    ------
    TypeError
        If no dialog has a field for the type.
    """
    declared = FieldInfo.from_annotated_attribute(annotation, default)
    # The last one: a command may show an option of many commands in another place.
    shown = next((m for m in reversed(declared.metadata) if isinstance(m, Shown)), Shown(key))
    minimum = maximum = None
    for entry in declared.metadata:
        if isinstance(entry, annotated_types.Ge):
            minimum = typing.cast(float, entry.ge)
        elif isinstance(entry, annotated_types.Le):
            maximum = typing.cast(float, entry.le)
    bare = _bare(annotation)
    choices = typing.get_args(bare) if typing.get_origin(bare) is Literal else ()
    return Parameter(
        key=key,
        kind=_kind(key, bare, shown),
        default=None if default is REQUIRED else default,
        label=shown.label,
        help=declared.description or "",
        unit=shown.unit,
        choices=tuple(str(choice) for choice in choices),
        minimum=minimum,
        maximum=maximum,
        advanced=shown.advanced,
        required=default is REQUIRED,
        suggest=shown.suggest,
        unless=shown.unless,
        without=shown.without,
        moved=shown.moved,
        made_by=shown.made_by,
        annotation=annotation,
    )


def _bare(annotation: Any) -> Any:
    """The type without its annotations, and without None if it may be left empty."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is Literal:
        return annotation
    named = [part for part in typing.get_args(annotation) if part is not type(None)]
    return named[0] if named else annotation


def _kind(key: str, bare: Any, shown: Shown) -> Kind:
    if typing.get_origin(bare) is Literal:
        return "choice"
    if bare is Path:
        return shown.path
    kinds: dict[Any, Kind] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "text",
        Source: "image",
    }
    if bare not in kinds:
        raise TypeError(f"the parameter {key!r} has the type {bare!r}, which no dialog can show")
    return kinds[bare]


def _quoted(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return f'"{value}"' if isinstance(value, str) else repr(value)


class Checker:
    """Checks the values of some parameters.

    Parameters
    ----------
    name : str
        Name of the command or group that they belong to.
    parameters : iterable of Parameter
        The parameters.
    """

    def __init__(self, name: str, parameters: Iterable[Parameter]) -> None:
        self._parameters = {p.key: p for p in parameters}
        declared: Any = {
            p.key: (p.annotation, REQUIRED if p.required else p.default)
            for p in self._parameters.values()
        }
        config = ConfigDict(
            extra="forbid",
            allow_inf_nan=False,
            arbitrary_types_allowed=True,
            validate_assignment=True,
        )
        self._model: type[BaseModel] = create_model(name, __config__=config, **declared)

    def all(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Key -> value of the right type for every parameter; missing ones have their defaults.

        Raises
        ------
        UserError
            If a value is of the wrong type or out of its range.
        """
        values: dict[str, Any] = {
            key: self._parameters[key].from_text(value) for key, value in given.items()
        }
        try:
            return dict(self._model(**values))
        except ValidationError as error:
            raise self._explained(error) from None

    def one(self, key: str, value: object) -> Value:
        """One value, of the right type; raises as :meth:`all` does."""
        model = self._model.model_construct()
        try:
            setattr(model, key, self._parameters[key].from_text(value))
        except ValidationError as error:
            raise self._explained(error) from None
        value_of: Value = getattr(model, key)
        return value_of

    def _explained(self, error: ValidationError) -> UserError:
        detail = error.errors()[0]
        parameter = self._parameters[str(detail["loc"][0])]
        if detail["type"] == "missing" or detail["input"] is None:
            return parameter.missing()
        return UserError(parameter.complaint(detail["input"]))


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that belong together: the base of frozen dataclasses.

    Each field is a parameter. Its name is the key, and its type is the declaration; see
    :func:`read_parameter`. A field without a :class:`Shown` is for Python only: commands do not
    have it, and it needs a default. A group checks its values when it is created.

    Raises
    ------
    UserError
        If a value is of the wrong type or out of its range.
    """

    def __post_init__(self) -> None:
        fields = dataclasses.fields(self)
        checked = _checker(type(self)).all({f.name: getattr(self, f.name) for f in fields})
        for key, value in checked.items():
            # A text may have become a number; only so can a field of a frozen dataclass be set.
            object.__setattr__(self, key, value)


def read_group(group: type[ParameterGroup]) -> tuple[Parameter, ...]:
    """The parameters of a group, in the order of its fields."""
    annotations = typing.get_type_hints(group, include_extras=True)
    found = []
    for declared in dataclasses.fields(group):
        default: Any = declared.default
        if default is dataclasses.MISSING:
            default = REQUIRED
        if default is REQUIRED and not is_shown(annotations[declared.name]):
            raise TypeError(f"{group.__name__}.{declared.name} has neither a Shown nor a default")
        found.append(read_parameter(declared.name, annotations[declared.name], default))
    return tuple(found)


_checkers: dict[type[ParameterGroup], Checker] = {}


def _checker(group: type[ParameterGroup]) -> Checker:
    if group not in _checkers:
        _checkers[group] = Checker(group.__name__, read_group(group))
    return _checkers[group]
