"""The commands as Python scripts with ``#@`` parameters, and running such scripts."""

from zsfiji.bridge.scripts.calling import call, raising
from zsfiji.bridge.scripts.generate import file_name, parameter_line, quoted, source, write

__all__ = ["call", "file_name", "parameter_line", "quoted", "raising", "source", "write"]
