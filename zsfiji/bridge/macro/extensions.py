"""The ``Ext`` functions of our commands in ImageJ's macros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsfiji.bridge.macro.calls import EXTENSIONS, WORK, do_noted_call
from zsfiji.bridge.macro.interpreter import fail, private_field
from zsfiji.bridge.macro.state import keep, last_result
from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host
from zsfiji.bridge.ui import jobs, messages
from zsfiji.commands import Command, parse
from zsfiji.errors import UserError


def register_extensions(host: Host, commands: Mapping[str, Command]) -> None:
    """Give the macro that runs in this thread our ``Ext`` functions, and leave it those it has.

    ``Ext.<command>(options)`` for each command, as ``Ext.denoise("quality=quick")``;
    ``Ext.metric(name, value)`` sets ``value`` to a number that the last result came with;
    ``Ext.note(text)`` sets ``text`` to what was said about it.

    Parameters
    ----------
    host : Host
        The running ImageJ.
    commands : mapping
        Label -> command.
    """
    from jpype import JArray, JInt, JProxy

    interpreter = jc.Interpreter.getInstance()
    if interpreter is None:
        messages.show_error(
            "Zero-Shot Extensions",
            f'This is for macros: run("{EXTENSIONS}"); makes the functions '
            "Ext.metric, Ext.note and one for each command known to a macro.",
        )
        return
    kinds = jc.MacroExtension
    text, number = kinds.ARG_STRING, kinds.ARG_NUMBER
    by_name = {command.name: command for command in commands.values()}
    arguments = {
        WORK: [],
        "metric": [text, number + kinds.ARG_OUTPUT],
        "figure": [text, number + kinds.ARG_OUTPUT],  # its name before; now it only says so
        "note": [text + kinds.ARG_OUTPUT],
        **{name: [text + kinds.ARG_OPTIONAL] for name in by_name},
    }

    def handle(name: str, given: Any) -> None:
        name = str(name)
        if name == WORK:
            do_noted_call(host)
            return
        try:
            if name == "figure":
                raise UserError("Ext.figure is called Ext.metric now. Change the macro.")
            if name == "metric":
                given[1][0] = _boxed(_metric(str(given[0])))
            elif name == "note":
                given[0][0] = " ".join(last_result().notes)
            else:
                image = jc.WindowManager.getCurrentImage()
                options = parse(str(given[0] or ""))
                keep(jobs.work(host, by_name[name], image, options))
        except BaseException as error:
            fail(f"Ext.{name}", error, jc.Interpreter.getInstance())
            # Here it is the user's macro itself that has to be left.
            raise jc.RuntimeException(jc.Macro.MACRO_CANCELED) from None

    functions = JArray(jc.ExtensionDescriptor)(len(arguments))
    proxy = JProxy(
        "ij.macro.MacroExtension",
        dict={"handleExtension": handle, "getExtensionFunctions": lambda: functions},
    )
    for place, (name, types) in enumerate(arguments.items()):
        functions[place] = jc.ExtensionDescriptor(name, JArray(JInt)(types), proxy)
    before = _registry(interpreter)
    jc.Functions.registerExtensions(proxy)
    after = _registry(interpreter)
    for name in before or ():
        after.putIfAbsent(name, before.get(name))


def _metric(name: str) -> float:
    metrics = last_result().metrics or {}
    if name not in metrics:
        known = ", ".join(metrics) or "none"
        raise UserError(f'The last result has no metric "{name}". It has: {known}.')
    return float(metrics[name])


def _boxed(value: float) -> Any:
    from jpype import JClass

    return JClass("java.lang.Double")(value)


def _registry(interpreter: Any) -> Any:
    """The table of ``Ext`` functions of a macro, None if it has none."""
    return private_field(private_field(interpreter, "pgm"), "extensionRegistry")
