"""The dialog of a command, made from its declaration.

It does not block ImageJ: a selection can be drawn while it is open. What is entered is checked at
every keystroke, with the same words as in a macro. The last values are offered again, also after
a restart; macro calls never see them.
"""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.start.host import Host
from zsfiji.bridge.ui import messages, page, windows
from zsfiji.bridge.ui.help import bounds, command_help
from zsfiji.bridge.ui.jobs import in_thread
from zsfiji.bridge.ui.open_images import needs_image_by_name, newest_psf, suggested, to_process
from zsfiji.bridge.ui.progress import forget_escape
from zsfiji.commands import Command, Parameter
from zsfiji.commands.duration import estimate
from zsfiji.errors import UserError
from zsfiji.images.files import user_path
from zsfiji.parameters.declare import FILES, Value

_COLUMNS = 66
"""Characters a line of text, about the width that the fields have."""

_PATH_COLUMNS = 28
"""Characters of a field for a file: with its label and button it is as wide as the texts."""

_RED, _GREY = 0xB00000, 0x505050
"""Of problems and of explanations; both have a contrast of more than 5:1 on ImageJ's grey."""

_HELP_BUTTON = 3
"""Its place among the buttons of ImageJ's dialogs."""

_FROM_FILE, _NONE = "From a file...", "none"
_OF_SESSION = (*FILES, "image")
"""What a session remembers and the preferences do not: they would name what is gone."""

_last_paths: dict[str, Any] = {}


@dataclass
class _Field:
    """A parameter and the component that shows it."""

    parameter: Parameter
    component: Any

    def value(self) -> Any:
        """What is entered, as the macro has it."""
        if self.parameter.kind == "choice":
            return str(self.component.getSelectedItem())
        if self.parameter.kind == "image":
            if self.parameter.may_be_empty and int(self.component.getSelectedIndex()) == 0:
                return ""
            chosen = str(self.component.getSelectedItem()).strip()
            return "" if chosen == _FROM_FILE else chosen
        if self.parameter.kind == "boolean":
            return bool(self.component.getState())
        return str(self.component.getText()).strip()


@dataclass(frozen=True)
class Answer:
    """What the user wants.

    Attributes
    ----------
    image : ij.ImagePlus or None
        The image to process.
    values : dict
        Key -> validated value.
    """

    image: Any
    values: dict[str, Any]


def ask(host: Host, command: Command, image: Any) -> Answer | None:
    """Show the dialog of a command and wait until it is closed.

    Parameters
    ----------
    host : Host
        The running ImageJ, with windows.
    command : Command
        The command.
    image : ij.ImagePlus or None
        The image that will be processed, or for a command that takes none the active one, which
        may suggest values.

    Returns
    -------
    Answer or None
        None if the user cancelled.
    """
    facts = None if image is None else windows.facts(image)
    values = {**remembered(command), **suggested(command, facts)}
    dialog = jc.NonBlockingGenericDialog(messages.name_of(command.label))
    dialog.addMessage(messages.wrapped(command.summary, _COLUMNS), _font(bold=True))
    subject = _Subject(dialog, command, image)
    fields = _add_fields(
        dialog, [p for p in command.parameters if not p.advanced], values, subject.image
    )
    advanced = [p for p in command.parameters if p.advanced]
    hidden = {p.key: values[p.key] for p in advanced}
    # The first dialog is checked with the values of the second, and the other way round.
    check = _Check(dialog, command, fields, hidden, subject)
    time_needed = _Duration(command)

    def tell_time() -> None:
        time_needed.tell(subject.image, check.entered())

    subject.told, check.told = check.changed, tell_time
    if advanced:

        def show_advanced(_event: Any) -> None:
            in_thread(opened, "Advanced")

        @messages.guarded("Advanced")
        def opened() -> None:
            entered = _ask_advanced(command, advanced, check.entered())
            if entered is not None:
                hidden.update(entered)
                summary.setText(_advanced_summary(command, hidden))
                check.changed()

        summary = jc.Label(_advanced_summary(command, hidden))
        summary.setForeground(jc.Color(_GREY))
        button = jc.Button("Advanced...")
        button.addActionListener(_listener("ActionListener", actionPerformed=show_advanced))
        # As all buttons of the dialog: Esc closes it.
        button.addKeyListener(dialog)
        row = jc.Panel(jc.FlowLayout(jc.FlowLayout.LEFT, 8, 0))
        row.add(button)
        row.add(summary)
        dialog.addPanel(row)
    time_needed.add_line(dialog)
    check.add_lines()
    _add_help(dialog, command)
    with subject.followed():
        dialog.showDialog()
    if not dialog.wasOKed():
        return None
    forget_escape()
    chosen = command.validate(check.entered())
    remember(command, chosen)
    return Answer(subject.image, chosen)


class _Subject:
    """The image that will be processed, shown with its selection.

    A command that needs a second image (a PSF) lets the user choose the first one too: whoever has
    just made the PSF has that as the active image.
    """

    def __init__(self, dialog: Any, command: Command, active: Any) -> None:
        self.image = active
        self.told: Callable[[], object] = _nothing
        self._line: Any = None
        if not command.takes_image:
            return
        if needs_image_by_name(command):
            self._add_choice(dialog, command)
        dialog.addMessage(_room(windows.facts(self.image).described(), 2))
        self._line = dialog.getMessage()

    def _add_choice(self, dialog: Any, command: Command) -> None:
        images = windows.images()
        facts = [windows.facts(imp) for imp in images]
        active = [int(imp.getID()) for imp in images].index(int(self.image.getID()))
        place = to_process(command, facts, active)
        self.image = images[place]
        dialog.addChoice("Image:", [fact.title for fact in facts], None)
        field = dialog.getChoices().lastElement()
        field.select(place)

        def chosen(_event: Any) -> None:
            self.image = images[int(field.getSelectedIndex())]
            self._show()

        field.addItemListener(_listener("ItemListener", itemStateChanged=chosen))

    def _show(self) -> None:
        if self.image.getWidth():
            self._line.setText(_room(windows.facts(self.image).described(), 2))
            self.told()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Keep what is said about the image right while selections are drawn."""

        def modified(changed: Any, _what: int) -> None:
            if changed is not None and changed.getID() == self.image.getID():
                self._show()

        if self._line is None:
            yield
            return
        listener = _listener("ij.gui.RoiListener", roiModified=modified)
        jc.Roi.addRoiListener(listener)
        try:
            yield
        finally:
            jc.Roi.removeRoiListener(listener)


def _add_help(dialog: Any, command: Command) -> None:
    """Add the button of the help, whose page stays above the dialog."""
    html = command_help(command)

    def pressed(_event: Any) -> None:
        page.show(f"{dialog.getTitle()} Help", html, dialog)

    def opened(_event: Any) -> None:
        button = dialog.getButtons()[_HELP_BUTTON]
        for listener in button.getActionListeners():
            button.removeActionListener(listener)
        button.addActionListener(_listener("ActionListener", actionPerformed=pressed))

    # ImageJ makes the button, and only when it shows the dialog.
    dialog.addHelp(html)
    names = ("Closing", "Closed", "Iconified", "Deiconified", "Activated", "Deactivated")
    dialog.addWindowListener(
        _listener("WindowListener", windowOpened=opened, **_quiet("window", names))
    )


def _ask_advanced(
    command: Command, parameters: list[Parameter], values: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The second dialog; gives what was entered in it."""
    dialog = jc.GenericDialog(f"{messages.name_of(command.label)}: Advanced")
    fields = _add_fields(dialog, parameters, values)
    others = {
        key: value for key, value in values.items() if command.parameter(key).advanced is False
    }
    check = _Check(dialog, command, fields, others)
    check.add_lines()
    _add_help(dialog, command)
    dialog.showDialog()
    return {f.parameter.key: f.value() for f in fields} if dialog.wasOKed() else None


class _Check:
    """Looks at what is entered, after every change, and says what is wrong."""

    def __init__(
        self,
        dialog: Any,
        command: Command,
        fields: list[_Field],
        others: Mapping[str, Any],
        subject: _Subject | None = None,
    ) -> None:
        self._dialog, self._command, self._fields = dialog, command, fields
        self._others, self._subject = others, subject
        # What is wrong with an image takes more words.
        self._problem_rows = 2 if command.fits is None else 3
        self.told: Callable[[], None] = _nothing

    def add_lines(self) -> None:
        """Add the line with what is wrong and the lines with the help of a field."""
        # Room for the longest text: a dialog does not grow once it is open.
        most = max((len(_lines(f.parameter.help)) for f in self._fields), default=1)
        self._dialog.addMessage(_room("", self._problem_rows), _font(bold=True), jc.Color(_RED))
        self._problem_line = self._dialog.getMessage()
        self._dialog.addMessage(_room("", most), None, jc.Color(_GREY))
        self._help_line = self._dialog.getMessage()
        self._help_rows = most
        for field in self._fields:
            self._explain_on_focus(field)
        if self._fields:
            self._help_line.setText(_room(self._fields[0].parameter.help, most))
        listener = _listener("ij.gui.DialogListener", dialogItemChanged=self._item_changed)
        self._dialog.addDialogListener(listener)
        self.changed()

    def entered(self) -> dict[str, Any]:
        """Key -> what stands in the dialogs."""
        return {**self._others, **{f.parameter.key: f.value() for f in self._fields}}

    def changed(self) -> bool:
        """Look again; whether all is right."""
        problem = self._problem()
        self._problem_line.setText(_room(problem, self._problem_rows))
        buttons = self._dialog.getButtons()
        if buttons is not None and buttons[0] is not None:
            buttons[0].setEnabled(not problem)
        if not problem:
            self.told()
        return not problem

    def _problem(self) -> str:
        try:
            values = self._command.validate(self.entered())
            for parameter in self._command.parameters:
                _require_place(parameter, values[parameter.key])
            self._require_fitting(values)
        except UserError as error:
            return error.in_dialog
        return ""

    def _require_fitting(self, values: Mapping[str, Any]) -> None:
        """See that the image can serve; it may have been closed meanwhile."""
        image = None if self._subject is None else self._subject.image
        if self._command.fits is not None and image is not None and int(image.getWidth()):
            self._command.fits(windows.facts(image).lengths(), values)

    def _item_changed(self, _dialog: Any, _event: Any) -> bool:
        try:
            return self.changed()
        except Exception as error:
            messages.show_bug(messages.name_of(self._command.label), error)
            return False

    def _explain_on_focus(self, field: _Field) -> None:
        text = _room(field.parameter.help, self._help_rows)

        def explain(_event: Any) -> None:
            self._help_line.setText(text)

        field.component.addFocusListener(
            _listener("FocusListener", focusGained=explain, **_quiet("focus", ["Lost"]))
        )
        names = ("Clicked", "Pressed", "Released", "Exited")
        field.component.addMouseListener(
            _listener("MouseListener", mouseEntered=explain, **_quiet("mouse", names))
        )


def _require_place(parameter: Parameter, value: Value) -> None:
    """See that a file or folder is there, or the folder of a file that will be written."""
    if not isinstance(value, Path):
        return
    path, label = user_path(value), parameter.label
    if parameter.kind == "open" and not os.path.isfile(path):
        raise UserError(f"{label}: there is no file {value}.")
    if parameter.kind == "folder" and not os.path.isdir(path):
        raise UserError(f"{label}: there is no folder {value}.")
    if parameter.kind == "save" and not os.path.isdir(path.absolute().parent):
        raise UserError(f"{label}: there is no folder {value.parent}.")


def _nothing() -> None:
    return


class _Duration:
    """The line with the time that the command will take."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._line: Any = None
        self._turn = threading.Lock()
        self._latest: tuple[dict[str, int], dict[str, Any]] | None = None

    def add_line(self, dialog: Any) -> None:
        """Add it, where the command tells how long it takes."""
        if self._command.duration is not None:
            dialog.addMessage(_room("", 1))
            self._line = dialog.getMessage()

    def tell(self, image: Any, entered: Mapping[str, Any]) -> None:
        """Estimate again, in a thread of its own: the first time torch has to be loaded."""
        if self._line is None or not int(image.getWidth()):
            return
        self._latest = windows.facts(image).lengths(), dict(entered)
        wanted = self._latest

        @messages.guarded("Duration")
        def work() -> None:
            # Not before the dialog is there to be looked at.
            time.sleep(0 if "torch" in sys.modules else 0.5)
            with self._turn:
                if wanted is not self._latest:
                    return
                sizes, values = wanted
                text = estimate(self._command, sizes, self._command.validate(values))
                self._line.setText(_room(f"{text}." if text else "", 1))

        in_thread(work, "Duration")


def _add_fields(
    dialog: Any, parameters: Iterable[Parameter], values: Mapping[str, Any], image: Any = None
) -> list[_Field]:
    return [
        _Field(p, _add_field(dialog, p, p.text(values.get(p.key, p.default)), image))
        for p in parameters
    ]


def _add_image_field(dialog: Any, parameter: Parameter, text: str, image: Any) -> Any:
    """A choice of the open images, the file that was taken last, and any other file."""
    there = [windows.facts(imp) for imp in windows.images()]
    titles = [fact.title for fact in there]
    items = [*dict.fromkeys(titles)]
    if text and text not in items and os.path.isfile(os.path.expanduser(text)):
        items.append(text)
    # What is to be restored is no PSF.
    if not text or text not in items or (image is not None and text == str(image.getTitle())):
        # What we have made as one is a good guess.
        psf = newest_psf(there) if parameter.needed else None
        text = psf or (_NONE if parameter.may_be_empty else _FROM_FILE)
    first = [_NONE] if parameter.may_be_empty else []
    dialog.addChoice(f"{parameter.label}:", [*first, *items, _FROM_FILE], text)
    field = dialog.getChoices().lastElement()

    @messages.guarded("Open")
    def browse() -> None:
        chooser = jc.OpenDialog(parameter.label)
        if chooser.getFileName() is not None:
            path = Path(str(chooser.getPath())).as_posix()
            field.insert(path, field.getItemCount() - 1)
            field.select(path)
            # What is chosen by a program tells no listener.
            event = jc.ItemEvent
            dialog.itemStateChanged(event(field, event.ITEM_STATE_CHANGED, path, event.SELECTED))

    def chosen(event: Any) -> None:
        if str(event.getItem()) == _FROM_FILE:
            in_thread(browse, "Open")

    field.addItemListener(_listener("ItemListener", itemStateChanged=chosen))
    return field


def _add_field(dialog: Any, parameter: Parameter, text: str, image: Any) -> Any:
    label = f"{parameter.label}:"
    if parameter.kind == "choice":
        dialog.addChoice(label, list(parameter.choices), text)
        return dialog.getChoices().lastElement()
    if parameter.kind == "image":
        return _add_image_field(dialog, parameter, text, image)
    if parameter.kind == "boolean":
        dialog.addCheckbox(parameter.label, text == "true")
        return dialog.getCheckboxes().lastElement()
    if parameter.kind in ("integer", "number"):
        unit = ", ".join(part for part in (parameter.unit, bounds(parameter)) if part)
        dialog.addNumericField(label, 0, 0, 9, unit)
        field = dialog.getNumericFields().lastElement()
        field.setText(text)
        return field
    if parameter.kind == "text":
        dialog.addStringField(label, text, _PATH_COLUMNS)
        return dialog.getStringFields().lastElement()
    if parameter.kind == "folder":
        dialog.addDirectoryField(label, text, _PATH_COLUMNS)
        return dialog.getStringFields().lastElement()
    dialog.addFileField(label, text, _PATH_COLUMNS)
    field = dialog.getStringFields().lastElement()
    if parameter.kind == "save":
        # ImageJ's button only finds files that are there already.
        button = field.getParent().getComponent(1)
        for listener in button.getActionListeners():
            button.removeActionListener(listener)
        button.addActionListener(
            _listener("ActionListener", actionPerformed=_browse(parameter, field))
        )
    return field


def _browse(parameter: Parameter, field: Any) -> Callable[[Any], None]:
    @messages.guarded("Browse")
    def choose() -> None:
        old = str(field.getText()).strip()
        chooser = jc.SaveDialog(parameter.label, Path(old).name if old else "model", ".zsfiji")
        if chooser.getFileName() is not None:
            field.setText(os.path.join(str(chooser.getDirectory()), str(chooser.getFileName())))

    def pressed(_event: Any) -> None:
        in_thread(choose, "Browse")

    return pressed


# --- the texts in it ----------------------------------------------------------------------------


def _advanced_summary(command: Command, values: Mapping[str, Any]) -> str:
    changed = []
    for key, value in values.items():
        parameter = command.parameter(key)
        text = parameter.text(value)
        if text != parameter.text(parameter.default):
            shown = Path(text).name if parameter.kind in FILES else text
            changed.append(f"{key}={shown}")
    text = ", ".join(changed) or "Advanced options are at their defaults."
    return textwrap.shorten(text, 40, placeholder="...").ljust(40)


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS) or [""]


def _room(text: str, rows: int) -> str:
    """`text` in exactly so many lines, the first of full width."""
    lines = [line for part in text.split("\n") for line in _lines(part)][:rows]
    # Not empty: ImageJ counts no empty lines at the end when it makes room.
    lines += [" "] * (rows - len(lines))
    # A Label with one line and a MultiLineLabel with several are told apart by a line end.
    return "\n".join([lines[0].ljust(_COLUMNS), *lines[1:]]) + ("\n" if rows == 1 else "")


def _font(*, bold: bool) -> Any:
    return jc.Font("SansSerif", jc.Font.BOLD if bold else jc.Font.PLAIN, 12)


def _listener(interface: str, **methods: Callable[..., Any]) -> Any:
    from jpype import JProxy

    name = interface if "." in interface else f"java.awt.event.{interface}"
    guarded = {
        key: method if key == "dialogItemChanged" else messages.guarded("zsfiji")(method)
        for key, method in methods.items()
    }
    return JProxy(name, dict=guarded)


def _quiet(prefix: str, names: Iterable[str]) -> dict[str, Callable[[Any], None]]:
    """Methods of a listener that do nothing."""

    def ignore(_event: Any) -> None:
        return

    return {f"{prefix}{name}": ignore for name in names}


# --- the last values ----------------------------------------------------------------------------


def remembered(command: Command) -> dict[str, Any]:
    """The values of the last time, and defaults where there are none that still serve."""
    values = command.defaults
    for parameter in command.parameters:
        if parameter.kind in _OF_SESSION:
            old = _last_paths.get(f"{command.name}.{parameter.key}", "")
        else:
            old = str(jc.Prefs.get(_preference(command, parameter), ""))
        if not old:
            continue
        try:
            values[parameter.key] = command.valid(parameter.key, old)
        except UserError:
            # Kept by another version of zsfiji.
            continue
    return values


def remember(command: Command, values: Mapping[str, Any]) -> None:
    """Keep the values for the next time: files within the session, the others beyond it.

    A file to save is not kept: the next job would replace it.
    """
    for parameter in command.parameters:
        if parameter.kind == "save":
            continue
        text = parameter.text(values[parameter.key])
        if parameter.kind in _OF_SESSION:
            _last_paths[f"{command.name}.{parameter.key}"] = text
        else:
            jc.Prefs.set(_preference(command, parameter), text)


def _preference(command: Command, parameter: Parameter) -> str:
    return f"zsfiji.{command.name}.{parameter.key}"
