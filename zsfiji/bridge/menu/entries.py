"""The Zero-Shot menu, and what happens when one of its entries is chosen or called."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from html import escape
from typing import Any

from zsfiji.bridge import macro
from zsfiji.bridge.menu import quit as quitting
from zsfiji.bridge.menu import search
from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host, start
from zsfiji.bridge.ui import dialog, jobs, messages, page, texts, windows
from zsfiji.bridge.ui.help import ABOUT, DOCTOR, HELP, about, overview
from zsfiji.bridge.ui.recorder import record
from zsfiji.commands import Command, table
from zsfiji.errors import Cancelled, UserError
from zsfiji.version import __version__

MENU = "Plugins>Zero-Shot"

_REFRESH, _SECONDS_TO_REFRESH = "Refresh Menus", 20
"""The command of ImageJ that makes its menus anew, and for how long it may take."""

_commands: dict[str, Command] = {}
_adding = threading.Lock()
_listener: Any = None


def install(host: Host, commands: Mapping[str, Command] | None = None) -> None:
    """Put the commands into ImageJ's menu and command table, and answer their calls.

    Parameters
    ----------
    host : Host
        The running ImageJ.
    commands : mapping, optional
        Label -> command; the whole table without it. Those installed before stay.
    """
    global _listener
    new = table() if commands is None else commands
    search.offer(host, _add_commands(host, new))
    _commands.update(new)
    if _listener is not None:
        return
    search.offer(host, _add_information(host))
    from jpype import JProxy

    _listener = JProxy(
        "ij.CommandListener", dict={"commandExecuting": lambda name: _executing(host, name)}
    )
    jc.Executer.addCommandListener(_listener)
    # The entries of 'zsfiji install', which Fiji's search bar calls without asking listeners, hand
    # over to us when they see this.
    jc.System.setProperty("zsfiji.bridge", __version__)


def attach() -> Host:
    """Put the commands into the Fiji that runs in this process; for a script in Python mode.

    Returns
    -------
    Host
        That Fiji.
    """
    host = start()
    install(host)
    return host


def _add_commands(host: Host, commands: Mapping[str, Command]) -> list[str]:
    return _add(host, [f"{command.menu}>{label}" for label, command in commands.items()])


def _add_information(host: Host) -> list[str]:
    menu = None if host.headless else jc.Menus.getImageJMenu(MENU)
    if menu is not None:
        menu.addSeparator()
    # Known to macros, and no use in a menu.
    jc.Menus.getCommands().put(macro.EXTENSIONS, macro.ENTRY)
    return _add(host, [f"{MENU}>{label}" for label in _INFORMATION])


def _add(host: Host, paths: Collection[str]) -> list[str]:
    """Make entries known to ImageJ, and give those that it did not know."""
    known = jc.Menus.getCommands()
    # 'zsfiji install' may have put an entry of the same name there, whose calls we take over.
    new = [path for path in paths if not known.containsKey(path.rpartition(">")[2])]
    for path in paths:
        if path in new and not host.headless:
            jc.Menus.add(path, macro.ENTRY)
        known.put(path.rpartition(">")[2], macro.ENTRY)
    return new


def _add_again(host: Host) -> bool:
    """Put the entries back after ImageJ has made its menus anew, and say whether it had.

    It does so when a plugin is installed, and for Help > Refresh Menus; all that it knows then is
    what lies in files.
    """
    with _adding:
        if jc.Menus.getCommands().containsKey(macro.EXTENSIONS) or not _has_menus(host):
            return False
        _add_commands(host, _commands)
        _add_information(host)
        return True


def _has_menus(host: Host) -> bool:
    """Whether ImageJ shows the menus that it has made; it makes them before it shows them."""
    window = None if host.headless else jc.IJ.getInstance()
    return window is None or jc.Menus.getMenuBar() == window.getMenuBar()


def _after_refreshing(host: Host) -> None:
    deadline = time.monotonic() + _SECONDS_TO_REFRESH
    while not _add_again(host) and time.monotonic() < deadline:
        time.sleep(0.05)


def _executing(host: Host, name: Any) -> Any:
    """Answer ImageJ's question whether it may run a command; see ij.CommandListener.

    Gives the name to let ImageJ run it, or None when it is done already.
    """
    label = str(name)
    command = _commands.get(label)
    _add_again(host)
    if label == _REFRESH:
        jobs.in_thread(lambda: _after_refreshing(host), label)
    if command and host.headless and messages.is_call() and not macro.in_macro():
        macro.call_directly(host, command)
        return None
    try:
        if command:
            return _chosen(host, name, command)
        if label == macro.EXTENSIONS:
            macro.register_extensions(host, _commands)
            return None
        if label in _INFORMATION:
            jobs.in_thread(lambda: _inform(host, label), label)
            return None
        if label == "Quit" and jobs.running():
            return quitting.stop_or_ask(name)
    except Exception as error:
        messages.show_bug("zsfiji", error)
        return None
    return name


def _chosen(host: Host, name: Any, command: Command) -> Any:
    if messages.is_call():
        return name if macro.prepare(command) else None
    image = jc.WindowManager.getCurrentImage()
    jobs.in_thread(lambda: _clicked(host, command, image), command.label)
    return None


def _clicked(host: Host, command: Command, image: Any) -> None:
    name = messages.name_of(command.label)
    try:
        if image is None and command.takes_image:
            messages.show_error("No Image", texts.NO_IMAGE)
            return
        if command.label in table():
            jobs.in_thread(_load_torch, "Load torch")
        answer = dialog.ask(host, command, image)
        if answer is None:
            return
        if command.takes_image:
            windows.activate(answer.image)
        record(command, answer.values)
        jobs.work(host, command, answer.image, answer.values)
    except Cancelled:
        return
    except UserError as error:
        messages.show_error(name, str(error))
    except Exception as error:
        messages.show_bug(name, error)


def _load_torch() -> None:
    """Load what takes seconds to load while the user looks at the dialog."""
    # Not before it is there to be looked at.
    time.sleep(0.5)
    importlib.import_module("torch")


def _inform(host: Host, label: str) -> None:
    name = messages.name_of(label)
    try:
        _INFORMATION[label](host)
    except Exception as error:
        messages.show_bug(name, error)


def _help(host: Host) -> None:
    html = overview(_commands.values())
    _page("Zero-Shot Help", html, html)


def _doctor(host: Host) -> None:
    from zsfiji.bridge.start import doctor

    jc.IJ.showStatus("Zero-Shot Doctor: looking at what works here")
    text = doctor.format(doctor.report(host.fiji))
    jc.IJ.showStatus("")
    _page("Zero-Shot Doctor", f"<html><pre>{escape(text)}</pre></html>", text)


def _about(host: Host) -> None:
    text = f"{about(__version__)}\n{host.version}"
    if messages.has_windows():
        jc.IJ.showMessage("About zsfiji", messages.wrapped(text))
    else:
        messages.log(text)


def _page(title: str, html: str, text: str) -> None:
    if messages.has_windows():
        page.show(title, html, jc.IJ.getInstance())
    else:
        messages.log(text)


_INFORMATION: dict[str, Callable[[Host], None]] = {
    HELP: _help,
    DOCTOR: _doctor,
    ABOUT: _about,
}
