"""Where zsfiji keeps what it fetched, and the user's few settings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import platformdirs


def cache_folder() -> Path:
    """Folder of what can be fetched or computed again; ``ZSFIJI_CACHE`` moves it."""
    named = os.environ.get("ZSFIJI_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("zsfiji", False))


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
