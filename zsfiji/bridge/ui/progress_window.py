"""The small window of a running job: time left, loss, preview, "Finish now" and "Cancel".

It never takes the keyboard from ImageJ, and closing it hides it: the job goes on.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from zsfiji.bridge.start.classes import jc
from zsfiji.bridge.ui import curve, messages, places, texts, windows
from zsfiji.progress import Event

_WIDTH, _CURVE_HEIGHT = 340, 170
"""Of the curve of the loss, in pixels: as wide as the longest text above it, half as high."""

_PREVIEW = 256
"""Longest side of the preview in pixels: structures can be judged, and a laptop has room for it."""

_FULL_HEIGHT = 600
"""Height of the window in pixels with the curve and a preview."""

_PREVIEW_SHARE = 0.05
"""A preview may cost this share of the computing time."""

_PREVIEW_INTERVAL = 2.0
"""Seconds between two previews at least; an eye does not compare pictures any faster."""

_MOST_POINTS = 2000
"""Losses that are kept: several for each column of the curve. Beyond it every second one goes."""

_frames: list[Any] = []
"""Those of the jobs that run; only for the event thread."""


class ProgressWindow:
    """The window of one job.

    Parameters
    ----------
    title : str
        Title of the window.
    cancel, finish : callable
        Called without arguments when a button is pressed.
    """

    def __init__(self, title: str, cancel: Callable[[], None], finish: Callable[[], None]) -> None:
        self._cancel, self._finish = cancel, finish
        self._losses: list[tuple[int, float]] = []
        self._next_preview = time.monotonic()
        self._open = True
        self._frame: Any = None
        _on_event_thread(lambda: self._build(title))

    def show(self, event: Event, text: str) -> None:
        """Show a report; called by the working thread."""
        if event.loss is not None and event.step is not None and np.isfinite(event.loss):
            if self._losses and event.step <= self._losses[-1][0]:
                # Of the next network, as each channel has one of its own.
                self._losses.clear()
            self._losses.append((event.step, float(event.loss)))
            if len(self._losses) > _MOST_POINTS:
                del self._losses[::2]
        if not self._open:
            return
        drawn = None
        if len(self._losses) > 1:
            drawn = curve.picture(self._losses, _WIDTH, _CURVE_HEIGHT)
        seen = self._preview(event)
        preview = None if seen is None else curve.to_image(seen)
        _on_event_thread(lambda: self._update(event, text, drawn, preview))

    def tell(self, text: str) -> None:
        """Change the text alone; on the event thread."""
        if self._frame is not None and self._open:
            self._text.setText(text)

    def close(self) -> None:
        """Close the window for good."""
        self._open = False
        _on_event_thread(self._dispose)

    def _preview(self, event: Event) -> np.ndarray | None:
        started = time.monotonic()
        if event.preview is None or started < self._next_preview:
            return None
        try:
            picture = _to_bytes(event.preview())
        except Exception as error:
            # A job does not end because it cannot be looked at.
            messages.log(f"No preview: {error}")
            self._next_preview = math.inf
            return None
        taken = time.monotonic() - started
        self._next_preview = started + max(_PREVIEW_INTERVAL, taken / _PREVIEW_SHARE)
        return picture

    # --- on the event thread ---

    def _dispose(self) -> None:
        if self._frame is not None:
            self._frame.dispose()
            _frames.remove(self._frame)

    def _build(self, title: str) -> None:
        from jpype import JProxy

        frame = jc.JFrame(title)
        # The keyboard stays with ImageJ, where Esc is looked for.
        frame.setAutoRequestFocus(False)
        frame.setDefaultCloseOperation(jc.JFrame.HIDE_ON_CLOSE)
        self._text = jc.JLabel(texts.STARTING)
        self._bar = jc.JProgressBar(0, 1000)
        self._curve = jc.JLabel()
        self._picture = jc.JLabel()
        self._curve.setVisible(False)
        self._picture.setVisible(False)
        self._curve.setToolTipText("Training loss: it falls fast, then levels off.")
        self._picture.setToolTipText("How the result looks now.")
        self._buttons = []
        row = jc.JPanel(jc.FlowLayout(jc.FlowLayout.RIGHT, 6, 0))
        for label, hint, action in (
            (texts.FINISH, texts.FINISH_HINT, self._on_finish),
            (texts.CANCEL, texts.CANCEL_HINT, self._on_cancel),
        ):
            button = jc.JButton(label)
            button.setToolTipText(hint)
            button.addActionListener(
                JProxy("java.awt.event.ActionListener", dict={"actionPerformed": action})
            )
            row.add(button)
            self._buttons.append(button)
        escape = JProxy("java.awt.event.ActionListener", dict={"actionPerformed": self._on_cancel})
        frame.getRootPane().registerKeyboardAction(
            escape,
            jc.KeyStroke.getKeyStroke("ESCAPE"),
            jc.JComponent.WHEN_IN_FOCUSED_WINDOW,
        )
        top = jc.JPanel(jc.BorderLayout(0, 6))
        top.add(self._text, jc.BorderLayout.NORTH)
        top.add(self._bar, jc.BorderLayout.SOUTH)
        middle = jc.JPanel(jc.BorderLayout(6, 6))
        middle.add(self._curve, jc.BorderLayout.NORTH)
        middle.add(self._picture, jc.BorderLayout.CENTER)
        panel = jc.JPanel(jc.BorderLayout(0, 8))
        panel.setBorder(jc.BorderFactory.createEmptyBorder(10, 12, 10, 12))
        # What appears later comes below the buttons: they must not move under the mouse.
        head = jc.JPanel(jc.BorderLayout(0, 8))
        head.add(top, jc.BorderLayout.NORTH)
        head.add(row, jc.BorderLayout.SOUTH)
        panel.add(head, jc.BorderLayout.NORTH)
        panel.add(middle, jc.BorderLayout.CENTER)
        self._bar.setPreferredSize(jc.Dimension(_WIDTH, 18))
        frame.setContentPane(panel)
        frame.pack()
        # At the right edge, away from where ImageJ opens images; further jobs beside one another.
        size = (int(frame.getWidth()), _FULL_HEIGHT)
        taken = [windows.box(f)._replace(height=_FULL_HEIGHT) for f in _frames if f.isVisible()]
        frame.setLocation(*places.column(size, windows.screen(), taken, places.MARGIN))
        self._frame = frame
        _frames.append(frame)
        frame.setVisible(self._open)

    def _update(self, event: Event, text: str, drawn: Any, preview: Any) -> None:
        if self._frame is None or not self._open:
            return
        if not self._frame.isVisible():
            # The user closed it.
            self._open = False
            return
        self._text.setText(text)
        self._bar.setValue(round(1000 * event.fraction))
        # A job that waits has nothing yet that could be kept.
        self._buttons[0].setVisible(not event.waiting)
        for label, picture in ((self._curve, drawn), (self._picture, preview)):
            if picture is None:
                continue
            label.setIcon(jc.ImageIcon(picture))
            if not label.isVisible():
                label.setVisible(True)
                self._frame.pack()

    @messages.guarded("zsfiji")
    def _on_finish(self, _event: Any) -> None:
        self._buttons[0].setEnabled(False)
        self._text.setText(texts.FINISHING)
        self._finish()

    @messages.guarded("zsfiji")
    def _on_cancel(self, _event: Any) -> None:
        for button in self._buttons:
            button.setEnabled(False)
        self._text.setText(texts.CANCELLING)
        self._cancel()


def _to_bytes(plane: Any) -> np.ndarray:
    """A plane (row, col), the first of a stack, as a small grey picture, 0xRRGGBB."""
    plane = np.asarray(plane)
    plane = plane.reshape(-1, *plane.shape[-2:])[0]
    step = max(1, -(-max(plane.shape) // _PREVIEW))
    small = plane[::step, ::step].astype(np.float32)
    finite = small[np.isfinite(small)]
    low, high = np.percentile(finite, (0.5, 99.5)) if finite.size else (0.0, 1.0)
    grey = np.clip((small - low) * (255 / max(high - low, 1e-12)), 0, 255)
    return np.nan_to_num(grey, nan=0).astype(np.uint32) * 0x010101


def _on_event_thread(function: Callable[[], Any]) -> None:
    from jpype import JProxy

    def run() -> None:
        try:
            function()
        except Exception:
            messages.log(traceback.format_exc())

    jc.EventQueue.invokeLater(JProxy("java.lang.Runnable", dict={"run": run}))
