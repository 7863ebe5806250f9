"""The command line: ``zsfiji``, ``zsfiji run``, ``macro``, ``script``, ``demo``, ``doctor``."""

from zsfiji.cli.entry import guarded, main

__all__ = ["guarded", "main"]
