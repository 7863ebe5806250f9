"""What a running job tells, as far as it needs no window."""

from __future__ import annotations

import numpy as np
import pytest

from zsfiji import progress
from zsfiji.bridge.ui.curve import draw_curve, loss_limits, ticks
from zsfiji.bridge.ui.help import bounds, command_help, overview
from zsfiji.bridge.ui.progress_window import _to_bytes
from zsfiji.commands import table
from zsfiji.progress import Event, in_words
from zsfiji.words import time_span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7500, "2 h 5 min")],
)
def test_a_time_span_is_written_as_a_person_says_it(seconds, text):
    assert time_span(seconds) == text


def test_the_status_has_the_time_left_once_it_is_known():
    assert in_words(Event(0.43, "Training", 12.3)) == "Training, 43 %, 12 s left"
    assert in_words(Event(0.01, "Training")) == "Training, 1 %"
    assert in_words(Event(0, "Waiting", waiting=True)) == "Waiting"


def test_the_loss_curve_falls_from_the_left_to_the_right():
    points = [(n, 1 / (1 + n)) for n in range(50)]
    curve = draw_curve(points, 200, 80, loss_limits([loss for _, loss in points]))
    rows = [np.flatnonzero(column == 0x2060C0).mean() for column in curve.T[5:-5]]
    assert rows[0] < 15
    assert rows[-1] > 65
    assert np.all(np.diff(rows) >= -1)


def test_a_constant_loss_is_a_line_and_no_error():
    limits = loss_limits([2.0, 2.0])
    assert limits[1] > limits[0]
    assert (draw_curve([(1, 2.0), (2, 2.0)], 100, 50, limits) == 0x2060C0).any()


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (1, 700, ["200", "400", "600"]),
        (1, 3, ["1.0", "1.5", "2.0", "2.5", "3.0"]),
        (0.0123, 0.0181, ["0.013", "0.014", "0.015", "0.016", "0.017", "0.018"]),
        (0, 3e-7, ["0", "1e-07", "2e-07", "3e-07"]),
        (5, 5, ["5"]),
    ],
)
def test_the_axes_have_round_numbers(low, high, texts):
    assert [text for _, text in ticks(low, high, 3)] == texts


def test_the_time_that_a_job_waits_is_no_time_of_work(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    class Sink:
        def show(self, event):
            self.event = event

        def cancelled(self):
            return False

    sink = Sink()
    with progress.using(sink):
        for _ in range(3):
            progress.report(0, "Waiting", waiting=True)
            assert sink.event.waiting
            now[0] += 20
        with progress.part(0, 1):
            progress.report(0, "Working")
            now[0] += 10
            progress.report(0.5, "Working")
        assert progress.worked() == pytest.approx(10)
    assert not sink.event.waiting
    assert sink.event.seconds_left == pytest.approx(10)


def test_the_time_left_is_first_the_expected_one_and_later_that_of_the_course(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    class Sink:
        def show(self, event):
            self.left = event.seconds_left

        def cancelled(self):
            return False

    sink = Sink()
    with progress.using(sink):
        progress.report(0, "Starting")
        assert sink.left is None
        progress.expect(50)
        assert sink.left == pytest.approx(50)
        now[0] += 10
        progress.report(0.01, "Training")
        assert sink.left == pytest.approx(40)
        now[0] += 10
        # By its course it would take 200 seconds.
        progress.report(0.1, "Training")
        assert 50 < sink.left < 100
        now[0] += 40
        progress.report(0.3, "Training")
        assert sink.left == pytest.approx(140)
    with progress.using(sink):
        progress.expect(5)
        now[0] += 10
        # Longer than expected, and nothing known: no number rather than a wrong one.
        progress.report(0, "Measuring")
        assert sink.left is None
        progress.report(0.1, "Training")
        assert sink.left == pytest.approx(90)


def test_a_preview_is_small_grey_and_copes_with_anything():
    ramp = np.arange(600 * 900, dtype=np.float32).reshape(600, 900)
    picture = _to_bytes(ramp)
    assert max(picture.shape) <= 256
    assert picture[0, 0] == 0
    assert picture[-1, -1] == 0xFFFFFF
    assert _to_bytes(np.stack([ramp, ramp])).shape == picture.shape
    assert not _to_bytes(np.full((5, 5), np.nan, np.float32)).any()


def test_the_help_has_every_option_of_every_command():
    page = overview(table().values())
    for command in table().values():
        assert f"Ext.{command.name}(options)" in page
        for parameter in command.parameters:
            assert f"<code>{parameter.key}</code>" in command_help(command)
            assert f"<code>{parameter.key}</code>" in page


def test_a_range_is_told_in_words_unless_nobody_meets_it():
    parameters = {p.key: p for p in table()["Zero-Shot Denoise..."].parameters}
    assert bounds(parameters["noise_correlation"]) == "0 to 4"
    assert bounds(parameters["seed"]) == "at least 0"
    assert bounds(parameters["quality"]) == ""
