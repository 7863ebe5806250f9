"""Fiji in Python mode, started as its launcher does; what a script in it does comes after.

Called with the folder of the Fiji, the library of a Java, and a folder for the user's home. It ends
when Fiji is quit, which the script does at its end.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
import traceback
from pathlib import Path

import imagej
import scyjava

_started = threading.Event()
_gateways = []


def started(ij):
    """Take the gateway, which is what ``#@ ImageJ ij`` gives."""
    _gateways.append(ij)
    _started.set()


def script():
    """What a user's script with ``#@ ImageJ ij`` does, and then a click and the end."""
    try:
        # Asking for ImageJ's classes earlier would load them before Fiji has patched them.
        assert _started.wait(100), "Fiji did not start"
        import desk
        import fiji_tour
        from blur import blur

        from zsfiji.bridge import menu
        from zsfiji.commands import table

        desk.wait(lambda: desk.jc.IJ.getInstance() and desk.jc.IJ.getInstance().isVisible(), 60)
        # Fiji's greetings come late.
        time.sleep(3)
        fiji_tour.tidy()
        fiji = menu.attach()
        assert fiji.gateway.getContext().equals(_gateways[0].getContext())
        assert not fiji.headless
        entries = desk.jc.Menus.getCommands()
        assert all(entries.containsKey(label) for label in table())
        menu.install(fiji, {blur.command.label: blur.command})
        desk.show("cells")
        desk.choose("Test Blur...")
        desk.press("Test Blur", "OK")
        desk.wait(lambda: "cells-blurred" in desk.images())
        for title in desk.images():
            image = desk.jc.WindowManager.getImage(title)
            image.changes = False
        desk.jc.MacroRunner('run("Test Blur...", "seconds=40");')
        desk.wait(lambda: any(t.startswith("Test Blur: ") for t in desk.windows()))
        print("ATTACHED", fiji.version, flush=True)
        desk.choose("Quit")
        desk.press("Quit ImageJ", "Quit")
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def main(fiji, libjvm, home):
    # The launcher of a current Fiji forbids to fetch a Java, and PyImageJ then wants no endpoints.
    scyjava.config.endpoints.clear()
    scyjava.config.set_java_constraints(fetch="auto")
    jars = [
        str(jar)
        for folder in ("jars", "jars/bio-formats")
        for jar in sorted((Path(fiji) / folder).glob("*.jar"))
    ]
    launcher = str(Path(fiji) / "config" / "jaunch" / "fiji.py")
    imagej.when_imagej_starts(started)
    threading.Thread(target=script, daemon=True).start()
    sys.argv = [
        launcher,
        libjvm,
        f"-Djava.class.path={os.pathsep.join(jars)}",
        f"-Dplugins.dir={fiji}",
        f"-Duser.home={home}",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
        "--add-opens=java.base/java.util=ALL-UNNAMED",
        "--",
        "sc.fiji.Main",
    ]
    runpy.run_path(launcher, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
