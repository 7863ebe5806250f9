"""Zero-shot microscopy restoration inside Fiji and ImageJ.

``zsfiji.denoise(image)`` and ``zsfiji.fm2s(image)`` take and give numpy arrays or labelled images;
they start no Java. Importing zsfiji loads neither torch nor Java.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsfiji.errors import Cancelled, UserError

if TYPE_CHECKING:
    from zsfiji.commands.denoise import denoise
    from zsfiji.commands.fm2s import fm2s

__version__ = "0.1.0"
__all__ = ["Cancelled", "UserError", "__version__", "denoise", "fm2s"]


def __getattr__(name: str) -> Any:
    # The Python calls are read off the command table when they are first asked for.
    if name in ("denoise", "fm2s"):
        from importlib import import_module

        return getattr(import_module(f"zsfiji.commands.{name}"), name)
    raise AttributeError(f"module 'zsfiji' has no attribute {name!r}")
