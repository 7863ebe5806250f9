"""``zsfiji run``: a command over image files, without Java and without a window."""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsfiji import progress
from zsfiji.cli.status import BUG, OK, USER_ERROR
from zsfiji.commands import Command, find
from zsfiji.commands.inputs import image_files
from zsfiji.commands.outcome import result_title
from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.images.files import require_writable, user_path
from zsfiji.parameters.declare import FILES, Values
from zsfiji.parameters.source import Source
from zsfiji.terminal import Terminal

if TYPE_CHECKING:
    import xarray as xr

_OPTION = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_RESULT_ENDINGS = (".tif", ".tiff")
_PAGE = 120
"""Characters in a line of text that does not go to a screen."""

_ANY = 1000
"""Those of a table of numbers, which is for programs to read."""


@dataclass(frozen=True)
class Job:
    """One image and where its results go.

    Attributes
    ----------
    source : Path or None
        None for a command that takes no image.
    folder : Path
        Where the results go, under their own titles.
    main : Path, optional
        The file of the main result, the last one, where the user names it.
    """

    source: Path | None
    folder: Path
    main: Path | None = None

    @property
    def name(self) -> str:
        """What to call it before the user."""
        return self.source.name if self.source is not None else ""

    def files(self, titles: Sequence[str]) -> list[Path]:
        """The files of results with these titles."""
        named = [self.folder / f"{title}.tif" for title in titles]
        return named if self.main is None else [*named[:-1], self.main]

    def expected(self, command: Command, values: Values) -> list[Path]:
        """The files that it will write, as far as they are known before it runs."""
        names = () if self.source is None else command.results(values)
        return self.files([result_title(self.name, name) for name in names])


def run_files(
    label: str, words: Sequence[str], *, output: str | None = None, overwrite: bool = False
) -> int:
    """Run a command over images and write the results as ImageJ TIFF.

    Parameters
    ----------
    label : str
        The command.
    words : sequence of str
        Images, folders of images, and options as ``key=value``, in any order.
    output : str, optional
        The file, or for several images the folder, to write to. Without it each result stands
        next to its image, named ``cells-denoised.tif`` and the like.
    overwrite : bool
        Replace results that are there already.

    Returns
    -------
    int
        Exit status: with several images the worst of them. A failed image does not stop the
        others.

    Raises
    ------
    UserError
        If the command, its options or the outputs are wrong, or the only image fails.
    Cancelled
        If the user stops.
    """
    command = find(label)
    inputs, options = split(command, words)
    values = command.validate(options)
    jobs = plan(command, inputs, output)
    _require_different(command, jobs, values)
    if len(jobs) == 1:
        with Terminal() as terminal:
            terminal.begin(jobs[0].name or command.label.rstrip("."))
            _run_one(command, jobs[0], options, overwrite, terminal)
        return OK
    return _run_many(command, jobs, options, overwrite)


def split(command: Command, words: Sequence[str]) -> tuple[list[Path], dict[str, str]]:
    """Tell images from options.

    Parameters
    ----------
    command : Command
        The command.
    words : sequence of str
        As given to :func:`run_files`. What exists as a file is a file, also with a "=" in it.

    Returns
    -------
    inputs : list of Path
        Files and folders.
    options : dict
        Key -> text. Paths are absolute: the line that a result stores is run elsewhere.

    Raises
    ------
    UserError
        If an option is given twice, a path is in nobody's home, there is no image, or there is one
        for a command that takes none.
    """
    inputs: list[Path] = []
    options: dict[str, str] = {}
    for word in words:
        match = _OPTION.fullmatch(word)
        if match is None or os.path.exists(word):
            inputs.append(Path(word))
            continue
        key = match.group(1).lower()
        if key in options:
            raise UserError(f'The option "{key}" is given twice.')
        options[key] = _absolute(command, key, match.group(2))
    if command.takes_image and not inputs:
        raise UserError(f"{command.label} needs an image: name a file or a folder.")
    if inputs and not command.takes_image:
        raise UserError(
            f"{command.label} takes no image. What is {inputs[0]}? Options are written key=value."
        )
    return inputs, options


def _absolute(command: Command, key: str, text: str) -> str:
    """The text of an option; of one that names a file or folder its whole path."""
    # A wrong key is refused with all the others.
    kinds = {parameter.key: parameter.kind for parameter in command.parameters}
    if not text or kinds.get(key) not in (*FILES, "image"):
        return text
    return user_path(text).absolute().as_posix()


def plan(command: Command, inputs: Sequence[Path], output: str | None) -> list[Job]:
    """Find the images, and a file for each result.

    Parameters
    ----------
    command : Command
        The command.
    inputs : sequence of Path
        Files and folders. Of a folder all images are taken, without its subfolders and without
        results of the same command that lie beside their image.
    output : str or None
        As given to :func:`run_files`.

    Returns
    -------
    list of Job
        At least one.

    Raises
    ------
    UserError
        If a folder holds no image, or `output` does not serve.
    """
    if output is not None and not command.gives_images:
        raise UserError(f"{command.label} gives no image, so there is nothing for -o.")
    if not inputs:
        if output is None:
            return [Job(None, Path())]
        return [Job(None, Path(output).parent, _tiff(Path(output)))]
    sources: list[Path] = []
    for entry in inputs:
        sources += _images_in(command, entry) if os.path.isdir(entry) else [entry]
    sources = list(dict.fromkeys(sources))
    many = len(sources) > 1 or any(map(os.path.isdir, inputs))
    place = None if output is None else Path(output)
    one = place is not None and not os.path.isdir(place)
    if place is not None and one and not many and place.suffix:
        return [Job(sources[0], place.parent, _tiff(place))]
    if place is not None and one and place.suffix.lower() in _RESULT_ENDINGS:
        missing = [source for source in sources if not source.exists()]
        if missing:
            raise UserError(
                f"There is no file {missing[0]}. Options are written key=value, without spaces."
            )
        raise UserError(
            f"{place} is one file, and there are several images. Name a folder with -o."
        )
    return [Job(source, place or source.parent) for source in sources]


def _tiff(path: Path) -> Path:
    if path.suffix.lower() not in _RESULT_ENDINGS:
        raise UserError(f"Results are written as TIFF: name {path.with_suffix('.tif')}.")
    return path


def _images_in(command: Command, folder: Path) -> list[Path]:
    images = image_files(folder, command.all_results)
    if not images:
        endings = ", ".join(tiff.ENDINGS)
        raise UserError(f"There is no image in the folder {folder} ({endings}).")
    return images


def _require_different(command: Command, jobs: Sequence[Job], values: Values) -> None:
    """See that no file that will be written is an input, or another one that will be written."""
    inputs = {_real(job.source) for job in jobs if job.source is not None}
    inputs |= {_real(value.path) for value in values.values() if isinstance(value, Source)}
    saved = _saved(command, jobs, values, inputs)
    # A model may be saved to the file that it was read from. An image takes its place nowhere.
    opened = (values[p.key] for p in command.parameters if p.kind == "open")
    inputs |= {_real(path) for path in opened if isinstance(path, Path)}
    taken: dict[Path, Job] = {}
    for job in jobs:
        for target in job.expected(command, values):
            real = _real(target)
            if real in inputs:
                raise UserError(f"{target} is an input. Choose another name for the result.")
            if real in saved:
                raise UserError(f"{saved[real]} and a result both name {target}. Choose two files.")
            if taken.get(real) is job:
                raise UserError(
                    f"Two results would have the name {target}. Choose another name behind -o."
                )
            if real in taken:
                raise UserError(
                    f"The results of {taken[real].source} and {job.source} would have the same "
                    "name. Run them one by one, each with a name of its own behind -o."
                )
            taken[real] = job


def _saved(
    command: Command, jobs: Sequence[Job], values: Values, inputs: Collection[Path]
) -> dict[Path, str]:
    """The files that options name to be written, with the keys of these options."""
    saved: dict[Path, str] = {}
    for parameter in command.parameters:
        key, path = parameter.key, values[parameter.key]
        if parameter.kind != "save" or not isinstance(path, Path):
            continue
        if len(jobs) > 1:
            raise UserError(
                f"{key} names one file, and there are {len(jobs)} images. Run one of them with "
                "it, then the others without it."
            )
        real = _real(path)
        if real in inputs:
            raise UserError(f"{key}: {path} is an input. Choose another file.")
        if real in saved:
            raise UserError(f"{saved[real]} and {key} both name {path}. Choose two files.")
        saved[real] = key
    return saved


def _real(path: Path) -> Path:
    """The file that a path leads to."""
    return Path(os.path.realpath(path))


def _run_many(
    command: Command, jobs: Sequence[Job], options: dict[str, str], overwrite: bool
) -> int:
    status = OK
    rows: list[tuple[str, str, str]] = []
    with Terminal() as terminal:
        for number, job in enumerate(jobs):
            started = time.monotonic()
            said = ""
            with terminal.share(number, len(jobs), job.name):
                try:
                    said = _run_one(command, job, options, overwrite, terminal)
                except UserError as error:
                    said = f"failed: {error}"
                    status = status or USER_ERROR
                    terminal.say(f"{job.source}: {error}")
                except Exception as error:
                    said = f"failed: {error!r}"
                    status = BUG
                    terminal.say(traceback.format_exc())
            rows.append((job.name, f"{time.monotonic() - started:.1f}", said))
    _print_summary(rows)
    return status


def _run_one(
    command: Command, job: Job, options: dict[str, str], overwrite: bool, terminal: Terminal
) -> str:
    """Process one image; gives the weightiest note."""
    image = None if job.source is None else _read(job.source)
    expected = job.expected(command, command.validate(options))
    for target in expected:
        _require_ready(target, overwrite)
    # torch is loaded by the command: only now, when the input is known to be good.
    from zsfiji.commands.run import run

    with progress.using(terminal):
        outcome = run(command, image, options)
    named = job.files([image.attrs["title"] for image in outcome.images])
    written: list[Path] = []
    for result, wanted in zip(outcome.images, named, strict=True):
        # A name that is known only now, or a file that is there only now: nothing is lost for it.
        target = _free(wanted, written, overwrite)
        if target != wanted:
            terminal.say(f"{wanted} exists already: the result is saved as {target}.")
        # Only now: input that is refused leaves no empty folder behind.
        _make_folder(target.parent)
        tiff.write(result, target)
        terminal.result(str(target))
        written.append(target)
    prefix = f"{job.name}: " if job.name else ""
    for note in outcome.notes:
        terminal.say(f"{prefix}{note}")
    for table in outcome.tables:
        terminal.say(f"{prefix}{table.title}")
        _print_table(table)
    if not outcome.images:
        for name, value in outcome.metrics.items():
            terminal.result(f"{prefix}{name} = {value:.6g}")
    return outcome.notes[0] if outcome.notes else ""


def _read(source: Path) -> xr.DataArray:
    try:
        source.stat()
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}.") from error
    return tiff.read(source)


def _require_ready(target: Path, overwrite: bool) -> None:
    """See that a result can be written, and its folder made where it is not there yet."""
    # Path.exists raises where a folder may not be entered, or a name is too long.
    if os.path.exists(target) and not overwrite:
        raise UserError(f"{target} exists already. Add --overwrite to replace it.")
    if os.path.isdir(target.parent):
        require_writable(target)
        return
    there = target.parent
    # A broken link has a parent, too, and no folder can take its place. A drive of Windows that is
    # missing is its own parent.
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    try:
        require_writable(there / ".zsfiji")
    except UserError as error:
        raise _no_folder(target.parent, error.__cause__ or error) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(folder, error) from error


def _no_folder(folder: Path, error: BaseException) -> UserError:
    reason = (isinstance(error, OSError) and error.strerror) or error
    return UserError(f"The folder {folder} cannot be made: {reason}.")


def _free(target: Path, written: Sequence[Path], overwrite: bool) -> Path:
    """`target`, or a name beside it where it would replace a file that is to be kept."""

    def kept(path: Path) -> bool:
        return path in written or (os.path.lexists(path) and not overwrite)

    numbered = (target.with_stem(f"{target.stem}-{number}") for number in count(2))
    return next(path for path in chain([target], numbered) if not kept(path))


def _print_table(table: Any) -> None:
    """Print a table of an outcome beside the results, as text with columns."""
    shown = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in table.rows]
    _print(table.columns, shown)


def _print_summary(rows: Sequence[tuple[str, str, str]]) -> None:
    _print(("image", "seconds", "remarks"), rows, width=_PAGE)


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int = _ANY) -> None:
    """Print a table: on a screen in its width, in a file at most `width` characters wide."""
    from rich.console import Console
    from rich.table import Column, Table

    # A number that does not fit goes on in the next line; it would be cut otherwise.
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        table.add_row(*row)
    screen = Console(file=sys.stderr)
    console = screen if screen.is_terminal else Console(file=sys.stderr, width=width)
    console.print(table)
