"""Our commands in ImageJ's macros."""

from zsfiji.bridge.macro.calls import ENTRY, EXTENSIONS, call_directly, in_macro, prepare
from zsfiji.bridge.macro.extensions import register_extensions
from zsfiji.bridge.macro.run import run_macro

__all__ = [
    "ENTRY",
    "EXTENSIONS",
    "call_directly",
    "in_macro",
    "prepare",
    "register_extensions",
    "run_macro",
]
