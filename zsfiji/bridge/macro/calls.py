"""Our commands in ImageJ's macros, as ``run("...", "...")``.

ImageJ calls command listeners under a lock that every command takes, so nothing long may be done
in one. A macro call must not return before the result is there, either. Therefore the table entry
of each of our commands is a macro of one line: the listener notes the call (:func:`prepare`) and
lets ImageJ go on; ImageJ runs the line, free of the lock and in the same thread; and the ``Ext``
function in it does the work (:func:`do_noted_call`). That line is a macro of its own with a table
of ``Ext`` functions of its own: the functions that the user's macro has registered stay.
"""

from __future__ import annotations

from zsfiji.bridge.macro.interpreter import fail, interpreter_of_this_thread
from zsfiji.bridge.macro.state import Call, keep, of_this_thread
from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host
from zsfiji.bridge.ui import dialog, jobs, messages, texts
from zsfiji.commands import Command, parse
from zsfiji.commands.outcome import Outcome
from zsfiji.errors import Cancelled, UserError

EXTENSIONS = "Zero-Shot Extensions"
"""Name of the command with which a macro makes our ``Ext`` functions known."""

WORK = "zeroShotWork"
ENTRY = f'macro:run("{EXTENSIONS}");Ext.{WORK}();'
"""What ImageJ's table of commands holds for each of our commands."""


def prepare(command: Command) -> bool:
    """Note a macro call; called by the listener, in the thread of the call.

    Returns
    -------
    bool
        Whether ImageJ may go on to :data:`ENTRY`.
    """
    options = jc.Macro.getOptions()
    image = jc.WindowManager.getCurrentImage()
    interpreter = interpreter_of_this_thread()
    if image is not None and jc.Prefs.nonBlockingFilterDialogs and image.isLockedByAnotherThread():
        # With this preference ImageJ would pass over us, with a word in the status bar alone.
        fail(messages.name_of(command.label), jobs.locked(image), interpreter)
        return False
    text = None if options is None else str(options)
    of_this_thread().call = Call(command, text, image, interpreter)
    return True


def call_directly(host: Host, command: Command) -> None:
    """Answer a call of ``IJ.run`` that no macro makes, in the listener itself.

    Without windows ImageJ has no way to end such a call with an error later, but what is raised
    here reaches the Python code that called. The lock stops only other calls of ``IJ.run``.
    """
    options = jc.Macro.getOptions()
    image = jc.WindowManager.getCurrentImage()
    keep(jobs.work(host, command, image, parse(str(options or ""))))


def in_macro() -> bool:
    """Whether a macro has called what this thread does, and not Python or a plugin."""
    return interpreter_of_this_thread() is not None


def do_noted_call(host: Host) -> None:
    """Do what the call that was noted in this thread wants."""
    here = of_this_thread()
    call, here.call = here.call, None
    if call is None:
        messages.show_error("Zero-Shot", f"Ext.{WORK} is not for macros: call run(...).")
        return
    try:
        keep(_result(host, call))
    except BaseException as error:
        fail(messages.name_of(call.command.label), error, call.interpreter)


def _result(host: Host, call: Call) -> Outcome:
    if call.options is not None or not messages.has_windows():
        return jobs.work(host, call.command, call.image, parse(call.options or ""))
    # As everywhere in ImageJ, a call without options opens the dialog.
    if call.image is None and call.command.takes_image:
        raise UserError(texts.NO_IMAGE)
    answer = dialog.ask(host, call.command, call.image)
    if answer is None:
        raise Cancelled
    return jobs.work(host, call.command, answer.image, answer.values)
