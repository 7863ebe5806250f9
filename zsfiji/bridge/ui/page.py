"""A window with a page of HTML: the help, the report of the doctor.

ImageJ's own one opens behind the dialog whose button was pressed, and an Esc that closes it would
cancel the jobs.
"""

from __future__ import annotations

from typing import Any

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.ui import messages, windows
from zsfiji.bridge.ui.places import beside

_STYLE = (
    "body{font-family:Verdana,sans-serif; font-size:11.5pt; margin:5px 10px 5px 10px;}",
    "h2{font-size:15pt;}",
)
"""As ImageJ's own window has it."""

_LARGEST = 0.8
"""Largest width and height, as a share of the screen."""


def show(title: str, html: str, owner: Any) -> None:
    """Show a page, or bring it to the front where it is open already.

    Parameters
    ----------
    title : str
        Title of the window.
    html : str
        The page, from ``<html>`` on.
    owner : java.awt.Frame or java.awt.Dialog
        The window that it belongs to: it stays above that one, and closes with it.
    """
    from jpype import JProxy

    @messages.guarded(title)
    def run() -> None:
        there = [w for w in owner.getOwnedWindows() if windows.title_of(w) == title]
        for window in there:
            if window.isShowing():
                window.toFront()
                return
        _open(title, html, owner)

    jc.EventQueue.invokeLater(JProxy("java.lang.Runnable", dict={"run": run}))


def _open(title: str, html: str, owner: Any) -> None:
    dialog = jc.JDialog(owner, title)
    dialog.setDefaultCloseOperation(jc.JFrame.DISPOSE_ON_CLOSE)
    # It can be read and closed while the dialog of the advanced options is open, too.
    dialog.setModalExclusionType(jc.ModalExclusionType.APPLICATION_EXCLUDE)
    text = _text(html)
    scrolled = jc.JScrollPane(text)
    dialog.getContentPane().add(scrolled)
    row = jc.JPanel()
    row.add(_closing_button(dialog))
    dialog.getContentPane().add(row, jc.BorderLayout.SOUTH)
    dialog.pack()
    screen = windows.screen()
    # With room for the vertical scroll bar; else there would be a horizontal one, too.
    wanted = int(dialog.getWidth() + scrolled.getVerticalScrollBar().getPreferredSize().width)
    width = min(wanted, round(_LARGEST * screen.width))
    height = min(int(dialog.getHeight()), round(_LARGEST * screen.height))
    dialog.setSize(width, height)
    if isinstance(owner, jc.Dialog):
        dialog.setLocation(*beside((width, height), windows.box(owner), screen, []))
    else:
        jc.GUI.centerOnImageJScreen(dialog)
    # Else it begins with the end of its text.
    text.setCaretPosition(0)
    dialog.setVisible(True)
    # An image that was active may lie above it.
    dialog.toFront()


def _text(html: str) -> Any:
    text = jc.JEditorPane()
    text.setEditorKit(jc.HTMLEditorKit())
    text.setEditable(False)
    # Those of the document: the kit's are one for all of Java.
    for rule in _STYLE:
        text.getDocument().getStyleSheet().addRule(rule)
    text.setText(html)
    # Enter presses the button.
    text.getInputMap().put(jc.KeyStroke.getKeyStroke("ENTER"), "none")
    return text


def _closing_button(dialog: Any) -> Any:
    """A button that closes a window, as Esc and Enter do."""
    from jpype import JProxy

    @messages.guarded("zsfiji")
    def close(_event: Any) -> None:
        dialog.dispose()

    listener = JProxy("java.awt.event.ActionListener", dict={"actionPerformed": close})
    button = jc.JButton("OK")
    button.addActionListener(listener)
    root = dialog.getRootPane()
    root.setDefaultButton(button)
    root.registerKeyboardAction(
        listener, jc.KeyStroke.getKeyStroke("ESCAPE"), jc.JComponent.WHEN_IN_FOCUSED_WINDOW
    )
    return button
