"""What a command is, for everybody who shows, calls or runs it. No Java and no torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zsfiji.errors import UserError
from zsfiji.parameters.declare import Checker, Parameter, ParameterGroup, Value, Values

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

RENAMED = {"resolution": "noise_correlation"}
"""Options that had another name before: old name -> new name."""

Duration = Callable[[Mapping[str, int], Values], float]
"""Takes the lengths of the axes of an image and the values of a command; gives seconds."""


def group_of(annotation: Any) -> type[ParameterGroup] | None:
    """The group that an annotation is, None for a single parameter."""
    is_group = isinstance(annotation, type) and issubclass(annotation, ParameterGroup)
    return annotation if is_group else None


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
        group = group_of(self.annotation)
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
        last; empty where a command gives no image, or one that is named otherwise. An option
        ``results`` that names one of them leaves the others out.
    memory : float
        Bytes of memory that a pixel of the image needs while the command works, without ImageJ.
    plane_memory : float
        Bytes that each pixel of one plane needs besides, however many planes there are: what the
        work on one of them, or on one raw stack, holds at the same time.
    together : int
        How many planes at least are worked on together; they may be tiles of a single one.
    result_bytes : float
        Bytes that the results have for a pixel of the image, which ImageJ has to hold.
    check : callable or None
        Takes the values, and raises a UserError where they do not go together.
    fits : callable or None
        Takes the lengths of the axes of the image and the values, and raises a UserError where an
        image of that kind cannot serve. Dialogs ask it before any work.
    duration : callable or None
        Takes the lengths of the axes of the image and the values, and gives the seconds that the
        command takes on the reference computer of :mod:`zsfiji.services.duration`; see there.
    on_request : tuple of str
        As `suffixes`, of results that come before those, each only where the option of the same
        name is true.
    suffix_of : tuple of (str, str)
        Such options whose results have another suffix than their name: option and suffix.
    request_bytes : float
        As `result_bytes`, of each of these.
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
    fits: Callable[[Mapping[str, int], Values], None] | None = None
    duration: Duration | None = None
    on_request: tuple[str, ...] = ()
    suffix_of: tuple[tuple[str, str], ...] = ()
    request_bytes: float = 4
    plane_memory: float = 0
    together: int = 1

    @property
    def defaults(self) -> dict[str, Value]:
        """Key -> value where nothing is given; without the keys that are required."""
        return {p.key: p.default for p in self.parameters if not p.required}

    @property
    def gives_images(self) -> bool:
        """Whether there is a result that is an image, and not only a file, notes and numbers."""
        return bool(self.suffixes) or (not self.takes_image and self.result_bytes > 0)

    @property
    def all_results(self) -> tuple[str, ...]:
        """Suffixes of all results that there can be, the main one last."""
        return (*self._further(self.on_request), *self.suffixes)

    def results(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """Suffixes of the results that these checked values ask for, the main one last."""
        chosen = values.get("results")
        kept = [name for name in self.suffixes if name == chosen] or self.suffixes
        return (*self._further(self._requested(values)), *kept)

    def _requested(self, values: Mapping[str, object]) -> list[str]:
        """Options of further results that are asked for."""
        return [key for key in self.on_request if values.get(key)]

    def _further(self, keys: Iterable[str]) -> list[str]:
        """Suffixes of further results."""
        names = dict(self.suffix_of)
        return [names.get(key, key) for key in keys]

    def bytes_of_results(self, values: Mapping[str, object]) -> float:
        """Bytes that these results have for a pixel of the image."""
        return self.result_bytes + len(self._requested(values)) * self.request_bytes

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
        for parameter in self.parameters:
            if chosen[parameter.key] is None and not parameter.excused(chosen):
                key = parameter.unless.partition("=")[0]
                raise parameter.missing(self.parameter(key) if key else None)
            # Not every command has the other one.
            other = chosen.get(parameter.without)
            if other is not None and chosen[parameter.key] is not None:
                raise UserError(
                    f"{parameter.label}: '{parameter.key}' is for a training, and with "
                    f"'{parameter.without}' nothing is trained. Give only one of the two.",
                    in_dialog=f'"{parameter.label}" is for a training, and with '
                    f'"{self.parameter(parameter.without).label}" nothing is trained. '
                    "Choose only one of the two.",
                )
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
