"""``zsfiji run``: a command over image files, without Java and without a window."""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsfiji import progress
from zsfiji.cli.status import BUG, OK, USER_ERROR
from zsfiji.commands import Command, find
from zsfiji.commands.outcome import result_title
from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.images.files import require_writable
from zsfiji.terminal import Terminal

_OPTION = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_RESULT_ENDINGS = (".tif", ".tiff")
_PAGE = 120
"""Characters in a line of a table that does not go to a screen."""


@dataclass(frozen=True)
class Job:
    """One image and the file that its result goes to.

    Attributes
    ----------
    source : Path or None
        None for a command that takes no image.
    target : Path or None
        The file of the main result. None for a command that gives no image, and for one that
        names its result itself.
    """

    source: Path | None
    target: Path | None

    @property
    def name(self) -> str:
        """What to call it before the user."""
        return self.source.name if self.source is not None else ""


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
    command.validate(options)
    jobs = plan(command, inputs, output)
    if len(jobs) == 1:
        with Terminal() as terminal:
            _run_one(command, jobs[0], options, overwrite, terminal)
        return OK
    if options.get("save_model"):
        raise UserError(
            f"save_model names one file, and there are {len(jobs)} images. Save the model of one "
            "of them, then apply it to the others with apply_model."
        )
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
        Key -> text.

    Raises
    ------
    UserError
        If an option is given twice, there is no image, or there is one for a command that takes
        none.
    """
    inputs: list[Path] = []
    options: dict[str, str] = {}
    for word in words:
        match = _OPTION.fullmatch(word)
        if match is None or Path(word).exists():
            inputs.append(Path(word))
            continue
        key = match.group(1).lower()
        if key in options:
            raise UserError(f'The option "{key}" is given twice.')
        options[key] = match.group(2)
    if command.takes_image and not inputs:
        raise UserError(f"{command.label} needs an image: name a file or a folder.")
    if inputs and not command.takes_image:
        raise UserError(
            f"{command.label} takes no image. What is {inputs[0]}? Options are written key=value."
        )
    return inputs, options


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
        If a folder holds no image, or two results would have the same name.
    """
    if output is not None and not command.gives_images:
        raise UserError(f"{command.label} gives no image, so there is nothing for -o.")
    if not inputs:
        return [Job(None, None if output is None else _tiff(Path(output)))]
    sources: list[Path] = []
    for entry in inputs:
        sources += _images_in(command, entry) if entry.is_dir() else [entry]
    sources = list(dict.fromkeys(sources))
    if not command.suffixes:
        return [Job(source, None) for source in sources]
    many = len(sources) > 1 or any(entry.is_dir() for entry in inputs)
    place = None if output is None else Path(output)
    if place is not None and not many and not place.is_dir() and place.suffix:
        jobs = [Job(sources[0], _tiff(place))]
    else:
        if place is not None and place.suffix.lower() in _RESULT_ENDINGS and not place.is_dir():
            raise UserError(
                f"{place} is one file, and there are several images. Name a folder with -o."
            )
        jobs = [
            Job(
                source,
                (place or source.parent) / f"{result_title(source.name, command.suffixes[-1])}.tif",
            )
            for source in sources
        ]
    _require_different(jobs)
    return jobs


def _tiff(path: Path) -> Path:
    if path.suffix.lower() not in _RESULT_ENDINGS:
        raise UserError(f"Results are written as TIFF: name {path.with_suffix('.tif')}.")
    return path


def _images_in(command: Command, folder: Path) -> list[Path]:
    try:
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}.") from error
    images = [p for p in files if p.suffix.lower() in tiff.ENDINGS]
    names = (*command.on_request, *command.suffixes)
    results = {f"{result_title(p.name, name)}.tif" for p in images for name in names}
    images = [p for p in images if p.name not in results]
    if not images:
        endings = ", ".join(tiff.ENDINGS)
        raise UserError(f"There is no image in the folder {folder} ({endings}).")
    return images


def _require_different(jobs: Sequence[Job]) -> None:
    sources = {job.source.absolute() for job in jobs if job.source is not None}
    taken: dict[Path, Path | None] = {}
    for job in jobs:
        if job.target is None:
            continue
        target = job.target.absolute()
        if target in sources:
            raise UserError(f"{job.target} is an input. Choose another name for the result.")
        if target in taken:
            raise UserError(
                f"The results of {taken[target]} and {job.source} would have the same name. Run "
                "them one by one, each with a name of its own behind -o."
            )
        taken[target] = job.source


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
    image = None if job.source is None else tiff.read(job.source)
    expected = _expected(command, job, options)
    for target in expected:
        _require_ready(target, overwrite)
    # torch is loaded by the command: only now, when the input is known to be good.
    from zsfiji.commands.run import run

    terminal.begin(job.name or command.label.rstrip("."))
    with progress.using(terminal):
        outcome = run(command, image, options)
    targets = _targets(job, outcome.images)
    for target in targets:
        # Some names are known only now: those that the command gives to its results.
        if target not in expected:
            _require_ready(target, overwrite)
    for result, target in zip(outcome.images, targets, strict=True):
        # Only now: input that is refused leaves no empty folder behind.
        _make_folder(target.parent)
        tiff.write(result, target)
        terminal.result(str(target))
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


def _expected(command: Command, job: Job, options: Mapping[str, str]) -> list[Path]:
    """The files that a job will write, as far as they are known before it runs."""
    if job.target is None:
        return []
    names = () if job.source is None else command.results(command.validate(options))
    others = [result_title(job.name, name) for name in names]
    return [job.target.with_name(f"{title}.tif") for title in others[:-1]] + [job.target]


def _require_ready(target: Path, overwrite: bool) -> None:
    """See that a result can be written, and its folder made where it is not there yet."""
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists already. Add --overwrite to replace it.")
    if target.parent.is_dir():
        require_writable(target)
        return
    there = target.parent
    # A broken link has a parent, too, and no folder can take its place.
    while not (there.exists() or there.is_symlink()):
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


def _targets(job: Job, images: Sequence[Any]) -> list[Path]:
    """The last image is the main result; others are named after their own titles."""
    own = [Path(f"{image.attrs['title']}.tif") for image in images]
    if job.target is None:
        return own
    return [job.target.with_name(path.name) for path in own[:-1]] + [job.target]


def _print_table(table: Any) -> None:
    """Print a table of an outcome beside the results, as text with columns."""
    shown = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in table.rows]
    _print(table.columns, shown)


def _print_summary(rows: Sequence[tuple[str, str, str]]) -> None:
    _print(("image", "seconds", "remarks"), rows)


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    screen = Console(file=sys.stderr)
    # Wide enough for whole words where the width is not that of a screen.
    console = screen if screen.is_terminal else Console(file=sys.stderr, width=_PAGE)
    console.print(table)
