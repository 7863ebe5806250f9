"""How a command is declared, and what everybody else reads off the declaration.

A command is a plain function: the image first, unless it needs none, then keyword-only arguments.
Each is one parameter, or a group of them; see :mod:`zsfiji.parameters.declare`. :func:`command`
takes the groups apart and turns the function into a :class:`Command`, from which the menu entry,
the dialog, the macro grammar, the recorder, the ``Ext`` function, the command line, the Fiji
script, the Python call and the documentation are made. All of them know single parameters only; the
function is called with the groups put together again. No Java and no torch here.

The texts of the parameters stand in the annotations and not in the docstring: commands share
parameters (seed, device, model files), and a text that is written once cannot contradict itself.
The docstring of the public function gets its Parameters section from them.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from zsfiji.errors import UserError
from zsfiji.parameters.declare import (
    REQUIRED,
    Checker,
    Parameter,
    ParameterGroup,
    Value,
    Values,
    is_shown,
    read_group,
    read_parameter,
)

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

RENAMED = {"resolution": "noise_correlation"}
"""Options that had another name before: old name -> new name."""

Duration = Callable[[Mapping[str, int], Values], float]
"""Takes the lengths of the axes of an image and the values of a command; gives seconds."""


@dataclass(frozen=True)
class Argument:
    """An argument of the function of a command: one parameter, or a group of them.

    Attributes
    ----------
    name : str
        Its name.
    annotation : type
        The group, or the annotated type of the parameter.
    parameters : tuple of Parameter
        What dialogs and macros have of it.
    default : ParameterGroup or None
        The group that the function has as a default.
    """

    name: str
    annotation: Any
    parameters: tuple[Parameter, ...]
    default: ParameterGroup | None = None

    def of(self, values: Values) -> Any:
        """The argument, of the values of the parameters."""
        group = _group(self.annotation)
        if group is None:
            return values[self.name]
        chosen: dict[str, Any] = {p.key: values[p.key] for p in self.parameters}
        return group(**chosen) if self.default is None else replace(self.default, **chosen)


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
        Takes the image, unless it needs none, and the arguments; gives an Outcome.
    arguments : tuple of Argument
        The keyword-only arguments of `function`.
    checker : Checker
        Checks the values of the parameters.
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
    arguments: tuple[Argument, ...]
    checker: Checker
    takes_image: bool
    suffixes: tuple[str, ...]
    memory: float
    result_bytes: float
    check: Callable[[Values], None] | None = None
    duration: Duration | None = None

    @property
    def defaults(self) -> dict[str, Value]:
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

    def validate(self, given: Mapping[str, object]) -> dict[str, Value]:
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
        for key in given:
            self.parameter(key)
        chosen = self.checker.all(given)
        if self.check is not None:
            self.check(chosen)
        return chosen

    def valid(self, key: str, value: object) -> Value:
        """One value, checked as :meth:`validate` checks all; raises as it does."""
        return self.checker.one(self.parameter(key).key, value)

    def call(self, image: xr.DataArray | None, values: Values) -> Outcome:
        """Call the function.

        Parameters
        ----------
        image : xarray.DataArray or None
            The image, for a command that takes one.
        values : mapping
            Key -> value, for every parameter; see :meth:`validate`.
        """
        arguments = {argument.name: argument.of(values) for argument in self.arguments}
        return self.function(*(() if image is None else (image,)), **arguments)


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
    check: Callable[..., None] | None = None,
    duration: Callable[..., float] | None = None,
) -> Callable[[Callable[..., Outcome]], PublicFunction]:
    """Declare the decorated function to be a command.

    Parameters
    ----------
    label, suffixes, menu, memory, result_bytes
        See :class:`Command`. By default there is one result of 32-bit pixels, and as much again
        while it is handed over.
    check : callable, optional
        Raises a UserError where values do not go together. Its keyword-only arguments are some of
        those of the decorated function, with the same names and types.
    duration : callable, optional
        Takes the lengths of the axes of the image as a mapping, and keyword-only arguments as
        `check` does; gives seconds. See :class:`Command`.

    Returns
    -------
    callable
        A decorator. What it gives takes arrays as well as labelled images, validates its
        arguments, and carries the declaration as its attribute ``command``.

    Raises
    ------
    TypeError, ValueError
        When the module is imported, if the declaration is wrong: a type that no dialog can show, a
        key that two parameters have, a key that ImageJ's parser would take for another one.
    """

    def declare(function: Callable[..., Outcome]) -> PublicFunction:
        takes_image, arguments = _read(function)
        parameters = [p for argument in arguments for p in argument.parameters]
        _check_keys([p.key for p in parameters])
        summary, _, description = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
        declared = Command(
            name=function.__name__,
            label=label,
            menu=menu,
            summary=" ".join(summary.split()),
            description=description,
            parameters=tuple(parameters),
            function=function,
            arguments=tuple(arguments),
            checker=Checker(function.__name__, parameters),
            takes_image=takes_image,
            suffixes=suffixes,
            memory=memory,
            result_bytes=result_bytes,
            check=None if check is None else _of_values(check, arguments),
            duration=None if duration is None else _of_values(duration, arguments),
        )

        def public(*image: Any, **options: Any) -> Any:
            from zsfiji.commands.run import run_on_array

            if len(image) != declared.takes_image:
                takes = "one image" if declared.takes_image else "no image"
                raise TypeError(f"{function.__name__}() takes {takes}, and keyword arguments")
            return run_on_array(declared, image[0] if image else None, options)

        public.__name__ = public.__qualname__ = function.__name__
        public.__module__ = function.__module__
        public.__doc__ = _documentation(declared)
        public.__signature__ = _signature(function, parameters)  # type: ignore[attr-defined]
        public.command = declared  # type: ignore[attr-defined]
        return typing.cast("PublicFunction", public)

    return declare


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    names = {"xr": _Anything(), "Outcome": object}
    return typing.get_type_hints(function, localns=names, include_extras=True)


def _group(annotation: Any) -> type[ParameterGroup] | None:
    is_group = isinstance(annotation, type) and issubclass(annotation, ParameterGroup)
    return annotation if is_group else None


def _read(function: Callable[..., Outcome]) -> tuple[bool, list[Argument]]:
    """Whether a function takes an image, and its other arguments."""
    arguments = []
    takes_image = False
    hints = _hints(function)
    for name, declared in inspect.signature(function).parameters.items():
        if declared.kind is not inspect.Parameter.KEYWORD_ONLY:
            takes_image = True
            continue
        default = REQUIRED if declared.default is inspect.Parameter.empty else declared.default
        group = _group(hints[name])
        if group is not None:
            arguments.append(_read_argument(name, group, default))
        elif is_shown(hints[name]):
            one = read_parameter(name, hints[name], default)
            arguments.append(Argument(name, hints[name], (one,)))
        else:
            raise TypeError(f"the argument {name!r} is neither a group nor has a Shown")
    return takes_image, arguments


def _read_argument(name: str, group: type[ParameterGroup], default: Any) -> Argument:
    """Read a group; a default of the function's own has the defaults of its parameters."""
    shown = tuple(p for p in read_group(group) if is_shown(p.annotation))
    if default is REQUIRED:
        return Argument(name, group, shown)
    own = (read_parameter(p.key, p.annotation, getattr(default, p.key)) for p in shown)
    return Argument(name, group, tuple(own), default=default)


def _of_values(function: Callable[..., Any], arguments: Iterable[Argument]) -> Callable[..., Any]:
    """Make a function of the values of a command from a function of some of its arguments.

    Parameters
    ----------
    function : callable
        Its keyword-only arguments are some of `arguments`; it may have others before them.
    arguments : iterable of Argument
        All that there are.

    Returns
    -------
    callable
        Takes the arguments that come before them, then key -> value as the last one.

    Raises
    ------
    TypeError
        If the command has no argument of that name and type.
    """
    by_name = {argument.name: argument for argument in arguments}
    hints = _hints(function)
    wanted = []
    for name, declared in inspect.signature(function).parameters.items():
        if declared.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if name not in by_name or by_name[name].annotation != hints[name]:
            raise TypeError(
                f"{function.__name__}() wants {name!r}, and the command has no such argument"
            )
        wanted.append(by_name[name])

    def of_values(*before_and_values: Any) -> Any:
        *before, values = before_and_values
        return function(*before, **{argument.name: argument.of(values) for argument in wanted})

    return of_values


def _signature(
    function: Callable[..., Outcome], parameters: Iterable[Parameter]
) -> inspect.Signature:
    """The signature of the Python call: the image, and each parameter by itself."""
    declared = inspect.signature(function)
    image = [
        p for p in declared.parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    options = [
        inspect.Parameter(
            p.key,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if p.required else p.default,
            annotation=typing.get_args(p.annotation)[0],
        )
        for p in parameters
    ]
    return declared.replace(parameters=[*image, *options])


class _Anything:
    """Stands for modules that are only imported for type checkers when annotations are read."""

    def __getattr__(self, name: str) -> Any:
        return object


def _check_keys(keys: Sequence[str]) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key {key!r} is declared twice")
        # ImageJ's own parser finds "sigma=" inside "psf_sigma=", and no upper-case key at all.
        if key != key.lower() or any(key != other and other.endswith(key) for other in keys):
            raise ValueError(f"the key {key!r} is upper-case or the tail of another one")


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
