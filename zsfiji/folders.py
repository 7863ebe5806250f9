"""Folders of zsfiji for downloads, locks and the user's settings."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import platformdirs

from zsfiji.errors import UserError


def cache_folder() -> Path:
    """Folder for downloads and other data that can be made again; ``ZSFIJI_CACHE`` changes it."""
    named = os.environ.get("ZSFIJI_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("zsfiji", False))


def runtime_folder() -> Path:
    """Folder of this computer and user for short-lived files, such as locks.

    Not in the home folder, which the nodes of a cluster share.
    """
    with warnings.catch_warnings():
        # If the system has none, platformdirs warns and takes a temporary folder.
        warnings.simplefilter("ignore")
        return Path(platformdirs.user_runtime_dir("zsfiji", False))


def settings_file() -> Path:
    """JSON file of the user's settings; ``ZSFIJI_CONFIG`` can set another folder."""
    named = os.environ.get("ZSFIJI_CONFIG")
    folder = Path(named).expanduser() if named else platformdirs.user_config_path("zsfiji", False)
    return folder / "settings.json"


def setting(key: str) -> Any:
    """Value of one setting, None if it is not set or the file cannot be read.

    Known keys: ``fiji``, the path of the Fiji to open.
    """
    try:
        content = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content.get(key) if isinstance(content, dict) else None


def set_setting(key: str, value: Any) -> None:
    """Save one setting; None deletes it.

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
            f"The settings cannot be saved in {file}: {error.strerror or error}. Set ZSFIJI_CONFIG "
            "to a folder that you can write to."
        ) from error
