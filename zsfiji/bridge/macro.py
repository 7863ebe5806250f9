"""Our commands in ImageJ's macros: ``run("...", "...")``, ``Ext`` functions, whole macros.

ImageJ calls command listeners under a lock that every command takes, so nothing long may be done
in one. A macro call must not return before the result is there, either. Therefore the table entry
of each of our commands is a macro of one line: the listener notes the call (:func:`prepare`) and
lets ImageJ go on; ImageJ runs the line, free of the lock and in the same thread; and the ``Ext``
function in it does the work (:func:`_work`). That line is a macro of its own with a table of
``Ext`` functions of its own: the functions that the user's macro has registered stay.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsfiji import signals
from zsfiji.bridge import jobs, messages
from zsfiji.bridge.classes import jc
from zsfiji.bridge.dialog import Answer
from zsfiji.bridge.host import Host
from zsfiji.commands import Command, parse
from zsfiji.commands._outcome import Outcome
from zsfiji.errors import Cancelled, UserError

EXTENSIONS = "Zero-Shot Extensions"
"""Name of the command with which a macro makes our ``Ext`` functions known."""

_PROXIES = "org.jpype.proxy."
_WORK = "zeroShotWork"
ENTRY = f'macro:run("{EXTENSIONS}");Ext.{_WORK}();'
"""What ImageJ's table of commands holds for each of our commands."""

Ask = Callable[[Host, Command, Any], Answer | None]


@dataclass
class _Call:
    """A ``run`` of one of our commands, noted by the listener."""

    command: Command
    options: str | None
    image: Any
    interpreter: Any


@dataclass
class _OfThread:
    """What belongs to the macro that runs in a thread."""

    call: _Call | None = None
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] | None = None
    collected: list[BaseException] | None = None
    """Where problems go while :func:`run_macro` is at work, which raises them itself."""


_threads: dict[int, _OfThread] = {}
_MOST_THREADS = 64


def _here() -> _OfThread:
    # By Java's thread: Python forgets a thread of Java's, and what is local to it, between calls.
    number = int(jc.Thread.currentThread().getId())
    if number not in _threads:
        while len(_threads) >= _MOST_THREADS:
            _threads.pop(next(iter(_threads)), None)
        _threads[number] = _OfThread()
    return _threads[number]


# --- run("...", "...") --------------------------------------------------------------------------


def prepare(command: Command) -> bool:
    """Note a macro call; called by the listener, in the thread of the call.

    Returns
    -------
    bool
        Whether ImageJ may go on to :data:`ENTRY`.
    """
    options = jc.Macro.getOptions()
    image = jc.WindowManager.getCurrentImage()
    interpreter = _interpreter()
    if image is not None and jc.Prefs.nonBlockingFilterDialogs and image.isLockedByAnotherThread():
        # With this preference ImageJ would pass over us, with a word in the status bar alone.
        _fail(messages.name_of(command.label), jobs.locked(image), interpreter)
        return False
    text = None if options is None else str(options)
    _here().call = _Call(command, text, image, interpreter)
    return True


def call_directly(host: Host, command: Command) -> None:
    """Answer a call of ``IJ.run`` that no macro makes, in the listener itself.

    Without windows ImageJ has no way to end such a call with an error later, but what is raised
    here reaches the Python code that called. The lock stops only other calls of ``IJ.run``.
    """
    options = jc.Macro.getOptions()
    image = jc.WindowManager.getCurrentImage()
    _keep(jobs.work(host, command, image, parse(str(options or ""))))


def in_macro() -> bool:
    """Whether a macro has called what this thread does, and not Python or a plugin."""
    return _interpreter() is not None


def _interpreter() -> Any:
    """The macro interpreter that this thread works for, or None."""
    # ImageJ knows only the one that was started last, which may be at work in another thread.
    for frame in jc.Thread.currentThread().getStackTrace():
        if str(frame.getClassName()) == "ij.macro.Interpreter":
            return jc.Interpreter.getInstance()
    return None


def _work(host: Host, ask: Ask) -> None:
    """Do what the call that was noted in this thread wants."""
    here = _here()
    call, here.call = here.call, None
    if call is None:
        messages.show_error("Zero-Shot", f"Ext.{_WORK} is not for macros: call run(...).")
        return
    try:
        _keep(_result(host, call, ask))
    except BaseException as error:
        _fail(messages.name_of(call.command.label), error, call.interpreter)


def _result(host: Host, call: _Call, ask: Ask) -> Outcome:
    if call.options is not None or not messages.has_windows():
        return jobs.work(host, call.command, call.image, parse(call.options or ""))
    # As everywhere in ImageJ, a call without options opens the dialog.
    if call.image is None and call.command.takes_image:
        raise UserError(jobs.NO_IMAGE)
    answer = ask(host, call.command, call.image)
    if answer is None:
        raise Cancelled
    return jobs.work(host, call.command, answer.image, answer.values)


def _fail(name: str, error: BaseException, interpreter: Any) -> None:
    """Tell what went wrong, and stop the macro."""
    notice: str | None = None
    collected = _here().collected
    if collected is not None:
        collected.append(UserError(_said(name, error)) if isinstance(error, UserError) else error)
    elif isinstance(error, UserError):
        notice = _said(name, error)
    elif isinstance(error, Cancelled):
        pass
    else:
        messages.show_fault(name, error)
    if interpreter is not None:
        _end(interpreter, notice)
        return
    if notice is not None and isinstance(error, UserError):
        messages.show_error(name, str(error))
    # From here it would only raise an exception into the one-line macro. From a thread that runs
    # no macro it is left as a mark, and ends the call that waits for us.
    aborting = threading.Thread(target=jc.Macro.abort)
    aborting.start()
    aborting.join()


def _said(name: str, error: UserError) -> str:
    text = str(error)
    return text if text.startswith(name) else f"{name}: {text}"


def _end(interpreter: Any, notice: str | None) -> None:
    """End a macro, as an error in it does."""
    import jpype

    try:
        interpreter.abort(messages.wrapped(notice) if notice else None)
    except jpype.JException:
        # How ImageJ leaves a macro. It would only leave our one-line macro from here; the outer
        # one is marked as done already.
        return


# --- Ext functions ------------------------------------------------------------------------------


def register_extensions(host: Host, commands: Mapping[str, Command], ask: Ask) -> None:
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
    ask : callable
        Opens the dialog of a command.
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
        _WORK: [],
        "metric": [text, number + kinds.ARG_OUTPUT],
        "figure": [text, number + kinds.ARG_OUTPUT],  # its name before; now it only says so
        "note": [text + kinds.ARG_OUTPUT],
        **{name: [text + kinds.ARG_OPTIONAL] for name in by_name},
    }

    def handle(name: str, given: Any) -> None:
        name = str(name)
        if name == _WORK:
            _work(host, ask)
            return
        try:
            if name == "figure":
                raise UserError("Ext.figure is called Ext.metric now. Change the macro.")
            if name == "metric":
                given[1][0] = _boxed(_metric(str(given[0])))
            elif name == "note":
                given[0][0] = " ".join(_last().notes)
            else:
                image = jc.WindowManager.getCurrentImage()
                options = parse(str(given[0] or ""))
                _keep(jobs.work(host, by_name[name], image, options))
        except BaseException as error:
            _fail(f"Ext.{name}", error, jc.Interpreter.getInstance())
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


def _registry(interpreter: Any) -> Any:
    """The table of ``Ext`` functions of a macro, None if it has none."""
    return _field(_field(interpreter, "pgm"), "extensionRegistry")


def _field(owner: Any, name: str) -> Any:
    """A field of a Java object that is not public."""
    field = owner.getClass().getDeclaredField(name)
    field.setAccessible(True)
    return field.get(owner)


def _keep(outcome: Outcome) -> None:
    # Without the images: nobody would know when to let go of them.
    here = _here()
    here.notes, here.metrics = outcome.notes, outcome.metrics


def _last() -> _OfThread:
    here = _here()
    if here.metrics is None:
        raise UserError("There is no result of a Zero-Shot command in this macro yet.")
    return here


def _metric(name: str) -> float:
    metrics = _last().metrics or {}
    if name not in metrics:
        known = ", ".join(metrics) or "none"
        raise UserError(f'The last result has no metric "{name}". It has: {known}.')
    return float(metrics[name])


def _boxed(value: float) -> Any:
    from jpype import JClass

    return JClass("java.lang.Double")(value)


# --- whole macros -------------------------------------------------------------------------------


def run_macro(host: Host, macro: str | Path, argument: str = "") -> str:
    """Run a macro in this thread, to its end.

    Parameters
    ----------
    host : Host
        The running ImageJ, with our menu installed. Without windows the macro is in batch mode.
    macro : str or Path
        The macro's text, or the path of its file.
    argument : str
        What ``getArgument()`` gives in it.

    Returns
    -------
    str
        What the macro returns, empty when nothing.

    Raises
    ------
    UserError
        If the file cannot be read, the macro has an error, or a command of ours refuses
        something in it.
    Cancelled
        If a job in it was cancelled, or a signal has stopped the macro.
    Exception
        What else one of our commands has raised, which is a fault of zsfiji.
    """
    import jpype

    name = macro.name if isinstance(macro, Path) else "the macro"
    text = _text_of(macro) if isinstance(macro, Path) else macro
    # What Java prints does not wait in Python's buffer.
    sys.stdout.flush()
    interpreter = jc.Interpreter()
    here = _here()
    outer, here.collected = here.collected, []
    here.notes, here.metrics = (), None
    # What ImageJ has reported before is not this macro's.
    jc.IJ.getErrorMessage()
    try:
        value, failure = None, None
        try:
            with _named_as_macro(host), _stoppable(interpreter):
                value = interpreter.run(text, argument)
        except jpype.JException as error:
            failure = error
        if signals.received():
            raise Cancelled
        if here.collected:
            _raise_ours(interpreter, here.collected[0], name)
        _raise_for(interpreter, failure, name)
        return str(value or "")
    finally:
        here.collected = outer


@contextmanager
def _stoppable(interpreter: Any) -> Iterator[None]:
    """Let a signal end a macro, which may be in Java for long."""
    thread = jc.Thread.currentThread()
    ended, guard = False, threading.Lock()

    def stop() -> None:
        _end(interpreter, None)
        # A wait and a filter end when they see this. One of our jobs, back in Python, would fail.
        frames = thread.getStackTrace()
        with guard:
            if not (ended or any(str(f.getClassName()).startswith(_PROXIES) for f in frames)):
                thread.interrupt()

    with signals.gently(stop):
        try:
            yield
        finally:
            with guard:
                ended = True
            jc.Thread.interrupted()


@contextmanager
def _named_as_macro(host: Host) -> Iterator[None]:
    """Make ImageJ's own commands end the macro with an error, which depends on the thread's name.

    Only without windows: with them, ImageJ may kill a thread of that name when Esc is pressed.
    """
    thread = jc.Thread.currentThread()
    name = str(thread.getName())
    if host.headless:
        thread.setName("Run$_Macro$")
    try:
        yield
    finally:
        # ImageJ marks a thread once, and would not do so again.
        thread.setName(name if name.startswith("Run$_") else f"Run$_{name}")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"The macro {path} cannot be read: {reason}.") from error


def _raise_ours(interpreter: Any, error: BaseException, name: str) -> None:
    """Raise what one of our commands has ended a macro with, and say where."""
    if isinstance(error, UserError):
        raise UserError(f"{name}, line {int(interpreter.getLineNumber())}: {error}") from error
    raise error


def _raise_for(interpreter: Any, failure: Any, name: str) -> None:
    """Raise what a macro has ended with, if that was an error of its own or of ImageJ."""
    message = interpreter.getErrorMessage()
    line = int(_field(interpreter, "lineNumber"))
    where = f"{name}, line {line}" if line else name
    if message is not None:
        raise UserError(f"{where}: {message}")
    if failure is None:
        return
    if str(failure.getMessage()) != str(jc.Macro.MACRO_CANCELED):
        raise UserError(f"{where}: {failure}") from failure
    if any(str(frame.getMethodName()) == "exit" for frame in failure.getStackTrace()):
        if _exit_had_message(interpreter):
            raise UserError(f"{name} has ended itself with the message above.")
        return
    reason = jc.IJ.getErrorMessage()
    raise UserError(f"{where}: {reason or 'a command has stopped it.'}")


def _exit_had_message(interpreter: Any) -> bool:
    """Whether a macro was left by ``exit("...")``, and not by ``exit`` or ``exit()``."""
    place = int(_field(interpreter, "pc"))
    code = _field(_field(interpreter, "pgm"), "code")
    closing, opening = (int(code[place - back]) & 0xFF for back in (0, 1))
    return closing == ord(")") and opening != ord("(")
