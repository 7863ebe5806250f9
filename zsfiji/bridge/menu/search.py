"""Our commands in Fiji's search bar.

The bar looks through SciJava's modules, which Fiji makes of ImageJ's menu once, while it starts.
Commands that come later are added here in the same way: as commands of ImageJ. Chosen there, they
are called by their label, and so by the listener that answers the menu.
"""

from __future__ import annotations

from collections.abc import Iterable

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host


def offer(host: Host, paths: Iterable[str]) -> None:
    """Let the search bar find commands; an ImageJ without one is left alone.

    Parameters
    ----------
    host : Host
        The running ImageJ.
    paths : iterable of str
        Where the commands stand in the menu, as "Plugins>Zero-Shot>About zsfiji...".
    """
    if host.gateway is None:
        return
    found = jc.ArrayList()
    for path in paths:
        # ImageJ's own way to call a command by its label, made for keyboard shortcuts.
        information = jc.LegacyCommandInfo(
            jc.MenuPath(path), "ij.plugin.Hotkeys", path.rpartition(">")[2], jc.IJ.getClassLoader()
        )
        # We write into the recorder ourselves.
        information.set("no-record", "true")
        found.add(information)
    host.gateway.module().addModules(found)
