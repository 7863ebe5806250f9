"""Paths of the user, and writing files completely or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zsfiji import signals
from zsfiji.errors import UserError

_unfinished: set[Path] = set()


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path as the user has written it, which may begin with the "~" of a home folder.

    Raises
    ------
    UserError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{path}: there is no home folder of that name. Write the whole path."
        ) from error


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file that replaces `path` when the block ends without an error.

    Parameters
    ----------
    path : path_like
        The file to be written; an existing one is replaced in one step.

    Yields
    ------
    pathlib.Path
        The temporary file, in the same folder, with the same extension. It does not exist yet.

    Raises
    ------
    UserError
        If the file cannot be written. After any error `path` is unchanged, and no temporary file is
        left.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    _unfinished.add(temporary)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
        _unfinished.discard(temporary)


def _remove_unfinished() -> None:
    for temporary in list(_unfinished):
        with suppress(OSError):
            temporary.unlink()


signals.cleanups.append(_remove_unfinished)


def require_writable(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written, before the work whose result it is for.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    path = Path(path)
    probe = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder. Add the name of the file.")


def require_other(path: str | os.PathLike[str], source: str | os.PathLike[str]) -> None:
    """Check that a result will not replace the image that it is made from.

    Raises
    ------
    UserError
        If both are the same file.
    """
    # One that is not there, or is in a folder that cannot be entered, is another one.
    with suppress(OSError):
        if os.path.samefile(path, source):
            raise UserError(f"{path} is the image itself. Choose another name for the result.")


def _unwritable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(
        f"{path} cannot be written: {reason}. Choose another place, or free space there."
    )
