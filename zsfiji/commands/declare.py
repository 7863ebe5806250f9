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
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from zsfiji.commands.command import Argument, Command, group_of
from zsfiji.parameters.declare import (
    REQUIRED,
    Checker,
    Parameter,
    ParameterGroup,
    is_shown,
    read_group,
    read_parameter,
)

if TYPE_CHECKING:
    from zsfiji.commands.outcome import Outcome


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
    fits: Callable[..., None] | None = None,
    duration: Callable[..., float] | None = None,
    on_request: tuple[str, ...] = (),
    suffix_of: tuple[tuple[str, str], ...] = (),
    request_bytes: float = 4,
    plane_memory: float = 0,
    together: int = 1,
) -> Callable[[Callable[..., Outcome]], PublicFunction]:
    """Declare the decorated function to be a command.

    Parameters
    ----------
    label, suffixes, menu, memory, result_bytes
    on_request, suffix_of, request_bytes, plane_memory, together
        See :class:`Command`. By default there is one result of 32-bit pixels, and as much again
        while it is handed over.
    check : callable, optional
        Raises a UserError where values do not go together. Its keyword-only arguments are some of
        those of the decorated function, with the same names and types.
    fits : callable, optional
        Takes the lengths of the axes of the image as a mapping, and keyword-only arguments as
        `check` does; raises a UserError where the image cannot serve. See :class:`Command`.
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
            fits=None if fits is None else _of_values(fits, arguments),
            duration=None if duration is None else _of_values(duration, arguments),
            on_request=on_request,
            suffix_of=suffix_of,
            request_bytes=request_bytes,
            plane_memory=plane_memory,
            together=together,
        )

        def public(*image: Any, **options: Any) -> Any:
            # Here, so that the menu and the help need not wait for what images need.
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
        group = group_of(hints[name])
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
    if not declared.gives_images:
        return ["dict of str to float", "    What was found: name -> number."]
    if not declared.takes_image:
        return ["xarray.DataArray", "    The result, with its calibration."]
    first = [f"    Before it, in a tuple, what `{name}` asks for." for name in declared.on_request]
    if len(declared.suffixes) == 1:
        return [
            "numpy.ndarray or xarray.DataArray",
            "    The result, of the type of `image`.",
            *first,
        ]
    several = ", then ".join(declared.suffixes)
    return [
        "tuple of numpy.ndarray or of xarray.DataArray",
        f"    {several[0].upper()}{several[1:]}: of the type of `image`.",
        *(f"    Before them what `{name}` asks for." for name in declared.on_request),
    ]
