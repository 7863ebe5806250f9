"""Where zsfiji keeps what it fetched, and the user's few settings."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import platformdirs

from zsfiji.errors import UserError


def cache_folder() -> Path:
    """Folder of what can be fetched or computed again; ``ZSFIJI_CACHE`` moves it."""
    named = os.environ.get("ZSFIJI_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("zsfiji", False))


def runtime_folder() -> Path:
    """Folder of this computer and user for what lasts as long as a process, such as locks.

    Not the home folder, which the nodes of a cluster share.
    """
    with warnings.catch_warnings():
        # Where the system names none, platformdirs says so and takes one among the temporary files.
        warnings.simplefilter("ignore")
        return Path(platformdirs.user_runtime_dir("zsfiji", False))


def settings_file() -> Path:
    """JSON file of the user's settings; ``ZSFIJI_CONFIG`` names another folder for it."""
    named = os.environ.get("ZSFIJI_CONFIG")
    folder = Path(named).expanduser() if named else platformdirs.user_config_path("zsfiji", False)
    return folder / "settings.json"


def setting(key: str) -> Any:
    """Value of one setting, None where it is not set or the file cannot be read.

    Known keys: ``fiji``, the path of the Fiji to open.
    """
    try:
        content = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content.get(key) if isinstance(content, dict) else None


def set_setting(key: str, value: Any) -> None:
    """Keep one setting; None forgets it.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    file = settings_file()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    if not isinstance(content, dict):
        content = {}
    content.pop(key, None)
    if value is not None:
        content[key] = value
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, file)
    except OSError as error:
        raise UserError(
            f"The settings cannot be kept in {file}: {error.strerror or error}. Let ZSFIJI_CONFIG "
            "name a folder that you may write to."
        ) from error
