"""Menu, dialog, recorder, progress and errors under real windows, with real clicks and keys."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from zsfiji.commands import find, table

pytestmark = [pytest.mark.jvm, pytest.mark.gui]

NAME = "Test Blur"
LABEL = "Test Blur..."


@pytest.fixture
def desk(windows, closing):
    """An ImageJ with our menu and the test command, and the hands to use it."""
    import desk
    from blur import blur, compare, paint

    from zsfiji.bridge import menu
    from zsfiji.bridge.ui import dialog, jobs

    menu.install(windows)
    tests = (blur.command, compare.command, paint.command)
    menu.install(windows, {command.label: command for command in tests})
    dialog.remember(blur.command, blur.command.validate({}))
    windows.ij1.IJ.log("\\Clear")
    yield desk
    jobs.stop_all()
    for title, window in desk.windows().items():
        if title != str(windows.ij1.IJ.getInstance().getTitle()):
            window.dispose()


def pixels(imp):
    return np.array(memoryview(imp.getProcessor().getPixels()))


def fresh(function):
    """Run in a thread that IJ.run has not marked, as a click does, and give the result."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def start(desk, imp, **values):
    """Choose the command, enter values of its advanced options, press OK."""

    def opened():
        # A window that has just opened may still be given the keyboard, and then comes in front.
        desk.jc.WindowManager.setCurrentWindow(imp.getWindow())
        desk.choose(LABEL)
        dialog = desk.window(NAME)
        if f"{imp.getTitle()}: " in desk.texts(dialog):
            return dialog
        desk.press(NAME, "Cancel")
        desk.gone(NAME)
        return None

    dialog = desk.wait(opened)
    if values:
        desk.press(NAME, "Advanced...")
        advanced = desk.window(f"{NAME}: Advanced")
        advanced.getNumericFields().get(0).setText(str(values["seconds"]))
        for box in advanced.getCheckboxes():
            box.setState(values.get("fail", False))
        desk.press(f"{NAME}: Advanced", "OK")
        desk.gone(f"{NAME}: Advanced")
    desk.click(desk.part(dialog, "OK"))
    desk.wait(lambda: not dialog.isShowing())


# --- menu ---------------------------------------------------------------------------------------


def test_every_command_is_in_the_menu_and_known_to_the_command_finder(desk, windows):
    menu = windows.ij1.Menus.getImageJMenu("Plugins>Zero-Shot")
    entries = [str(menu.getItem(i).getLabel()) for i in range(menu.getItemCount())]
    assert [e for e in entries if e in table()] == list(table())
    after = entries[entries.index("-") :]
    assert {"Zero-Shot Help...", "Zero-Shot Doctor...", "About zsfiji..."} <= set(after)
    assert set(table()) <= {str(k) for k in windows.ij1.Menus.getCommands().keySet()}


def test_the_menu_comes_back_when_imagej_makes_its_menus_anew(desk, windows):
    def entries():
        menu = windows.ij1.Menus.getImageJMenu("Plugins>Zero-Shot")
        return [] if menu is None else [str(item.getLabel()) for item in menu_items(menu)]

    def menu_items(menu):
        return [menu.getItem(i) for i in range(menu.getItemCount())]

    before = entries()
    old = windows.ij1.IJ.getInstance().getMenuBar()
    desk.choose("Refresh Menus")
    # ImageJ says that it is better to start it again.
    desk.window("Message")
    desk.press("Message", "OK")
    assert windows.ij1.IJ.getInstance().getMenuBar() != old
    desk.wait(lambda: sorted(entries()) == sorted(before))
    # Installing a plugin makes them anew as well, and is no command.
    installing = threading.Thread(target=windows.ij1.Menus.updateImageJMenus, daemon=True)
    installing.start()
    desk.window("Message")
    desk.press("Message", "OK")
    installing.join(10)
    assert entries() == []
    desk.show("cells")
    desk.choose(LABEL)
    desk.window(NAME)
    desk.press(NAME, "Cancel")
    assert sorted(entries()) == sorted(before)
    assert entries()[: len(table())] == before[: len(table())]
    known = {str(k) for k in windows.ij1.Menus.getCommands().keySet()}
    assert {*table(), LABEL} <= known


def test_a_click_is_answered_within_50_ms(desk, windows):
    desk.show("cells")

    def click():
        started = time.perf_counter()
        windows.ij1.Executer(LABEL).run()
        return time.perf_counter() - started

    times = []
    for _ in range(3):
        times.append(fresh(click))
        desk.press(NAME, "Cancel")
        desk.gone(NAME)
    # The computer may be busy with other things once or twice.
    assert min(times) < 0.05


def test_without_an_image_a_click_says_so(desk):
    desk.choose(LABEL)
    assert "There are no images open" in desk.texts(desk.window("No Image"))
    desk.press("No Image", "OK")


def test_help_and_about_tell_of_the_commands_and_the_version(desk):
    desk.choose("Zero-Shot Help...")
    page = desk.window("Zero-Shot Help")
    text = "".join(desk.texts(page).split())
    assert all("".join(label.rstrip(".").split()) in text for label in table())
    page.dispose()
    desk.choose("About zsfiji...")
    assert "ImageJ 1.54" in desk.texts(desk.window("About zsfiji"))
    desk.press("About zsfiji", "OK")


# --- dialog -------------------------------------------------------------------------------------


def test_the_dialog_says_what_will_be_processed_and_follows_the_selection(desk):
    imp = desk.show("cells", slices=3)
    desk.choose(LABEL)
    dialog = desk.window(NAME)
    assert "cells: 64 x 48 pixels, 3 slices" in desk.texts(dialog)
    assert "all of it will be processed" in desk.texts(dialog)
    imp.setRoi(4, 4, 20, 10)
    desk.wait(lambda: "selection of 20 x 10 pixels" in desk.texts(dialog))
    desk.press(NAME, "Cancel")
    desk.gone(NAME)
    assert desk.images() == ["cells"]


def test_the_dialog_tells_how_long_it_will_take_and_follows_options_and_selection(
    desk, tmp_path, monkeypatch
):
    from zsfiji.commands import duration

    importlib.import_module("torch")  # as the dialog does

    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path))
    monkeypatch.setattr(duration, "_probe", lambda device: duration._PROBE_ON_REFERENCE)
    imp = desk.show("cells", width=600, height=500)
    desk.choose("Zero-Shot Denoise...")
    dialog = desk.window("Zero-Shot Denoise")

    def told():
        found = re.search(r"(About|Less) [^.]* on \d+ CPU cores?\.", desk.texts(dialog))
        return found and found[0]

    first = desk.wait(told, 60)
    quality = dialog.getChoices().get(0)
    quality.select("best")
    event = desk.jc.ItemEvent
    dialog.itemStateChanged(event(quality, event.ITEM_STATE_CHANGED, "best", event.SELECTED))
    longer = desk.wait(lambda: told() != first and told())
    imp.setRoi(0, 0, 90, 80)
    desk.wait(lambda: told() != longer)
    desk.press("Zero-Shot Denoise", "Cancel")


def test_a_wrong_value_is_told_at_once_in_the_words_of_the_macro_and_cannot_be_confirmed(desk):
    desk.show("cells")
    desk.choose(LABEL)
    dialog = desk.window(NAME)
    assert "px, 0 to 50" in desk.texts(dialog)
    sigma = dialog.getNumericFields().get(0)
    sigma.setText("99")
    desk.wait(lambda: not desk.part(dialog, "OK").isEnabled())
    assert 'Sigma: give a number from 0 to 50 (px), not "99".' in re.sub(
        r"\s+", " ", desk.texts(dialog)
    )
    sigma.setText("3")
    desk.wait(lambda: desk.part(dialog, "OK").isEnabled())
    assert "give a number" not in desk.texts(dialog)
    desk.press(NAME, "Cancel")


def test_what_is_missing_is_told_with_labels_and_a_raw_sim_image_of_one_plane_is_refused(desk):
    def problem(dialog):
        return " ".join(desk.texts(dialog).split())

    desk.show("cells")
    desk.choose("Zero-Shot Deconvolve...")
    dialog = desk.window("Zero-Shot Deconvolve")
    assert "PSF: choose an open image or a file (PSF Generator... makes one)." in problem(dialog)
    assert 'With "Apply saved model" (Advanced) none is needed.' in problem(dialog)
    assert not desk.part(dialog, "OK").isEnabled()
    desk.press("Zero-Shot Deconvolve", "Cancel")
    desk.choose("Zero-Shot SIM...")
    dialog = desk.window("Zero-Shot SIM")
    assert "The image has 1 slice, 1 frame, 1 channel. Raw SIM images have" in problem(dialog)
    assert not desk.part(dialog, "OK").isEnabled()
    desk.press("Zero-Shot SIM", "Cancel")
    desk.gone("Zero-Shot SIM")
    desk.show("raw", slices=9)
    desk.choose("Zero-Shot SIM...")
    dialog = desk.window("Zero-Shot SIM")
    assert "Raw SIM images have" not in problem(dialog)
    assert desk.part(dialog, "OK").isEnabled()
    desk.press("Zero-Shot SIM", "Cancel")


def test_a_field_explains_itself_when_it_gets_the_keyboard(desk):
    desk.show("cells")
    desk.choose(LABEL)
    dialog = desk.window(NAME)
    assert "Width of the Gaussian." in desk.texts(dialog)
    desk.click(dialog.getCheckboxes().get(0))
    desk.wait(lambda: "Turn bright into dark." in desk.texts(dialog))
    desk.press(NAME, "Cancel")


def test_the_advanced_dialog_misses_files_and_shows_what_is_changed(desk, tmp_path):
    desk.show("cells")
    desk.choose(LABEL)
    dialog = desk.window(NAME)
    assert "Working time" not in desk.texts(dialog)
    desk.press(NAME, "Advanced...")
    advanced = desk.window(f"{NAME}: Advanced")
    weights, notes = advanced.getStringFields()
    weights.setText(str(tmp_path / "none.pt"))
    desk.wait(lambda: "there is no file" in desk.texts(advanced))
    weights.setText("")
    notes.setText(str(tmp_path / "none" / "a.txt"))
    desk.wait(lambda: "there is no folder" in desk.texts(advanced))
    notes.setText("~nosuch/a.txt")
    desk.wait(lambda: "there is no home folder" in desk.texts(advanced))
    notes.setText("")
    advanced.getNumericFields().get(0).setText("0.5")
    desk.press(f"{NAME}: Advanced", "OK")
    desk.wait(lambda: "seconds=0.5" in desk.texts(dialog))
    desk.press(NAME, "Cancel")


def test_values_are_offered_again_and_macros_do_not_see_them(desk, windows):
    desk.show("cells")
    desk.choose(LABEL)
    desk.window(NAME).getNumericFields().get(0).setText("5")
    desk.press(NAME, "OK")
    desk.wait(lambda: "cells-blurred" in desk.images())
    desk.choose(LABEL)
    assert str(desk.window(NAME).getNumericFields().get(0).getText()) == "5"
    desk.press(NAME, "Cancel")
    line = windows.ij1.IJ.runMacro(f'run("{LABEL}", "negate"); return getInfo("image.title");')
    assert str(line) == "cells-blurred-blurred"
    result = windows.ij1.IJ.getImage()
    assert "sigma=2 " in str(result.getProp("zsfiji.command"))


# --- recorder -----------------------------------------------------------------------------------


def test_a_click_is_recorded_once_and_the_line_gives_the_same_pixels(desk, windows):
    source = desk.show("cells")
    with desk.recorder() as recorded:
        start(desk, source, seconds=0.3)
        desk.wait(lambda: "cells-blurred" in desk.images())
        time.sleep(0.3)
        text = recorded()
    line = 'run("Test Blur...", "sigma=2 border=nearest negate=false seconds=0.3");'
    assert text.strip().splitlines() == [line]
    clicked = windows.ij1.WindowManager.getImage("cells-blurred")
    assert str(clicked.getProp("zsfiji.command")) == line
    windows.ij1.WindowManager.setCurrentWindow(source.getWindow())
    windows.ij1.IJ.runMacro(line)
    replayed = windows.ij1.IJ.getImage()
    assert str(replayed.getTitle()) == "cells-blurred-1"
    assert np.array_equal(pixels(clicked), pixels(replayed))


def test_the_recorder_writes_the_language_that_it_is_set_to(desk):
    source = desk.show("cells")
    with desk.recorder() as recorded:
        choice = next(c for c in desk.parts(desk.window("Recorder")) if hasattr(c, "getItemCount"))
        choice.select("JavaScript")
        for listener in choice.getItemListeners():
            listener.itemStateChanged(None)
        before = recorded()
        start(desk, source)
        desk.wait(lambda: "cells-blurred" in desk.images())
        added = recorded()[len(before) :]
        choice.select("Macro")
        for listener in choice.getItemListeners():
            listener.itemStateChanged(None)
    assert 'IJ.run("Test Blur...", "sigma=2 border=nearest negate=false");' in added


# --- commands with two images, with none, with several results ----------------------------------


def choices(desk, dialog, number):
    return dialog.getChoices().get(number)


def test_who_has_just_made_a_psf_still_restores_the_image_and_the_macro_says_so(desk, windows):
    desk.show("cells")
    psf = desk.show("PSF of the day")
    psf.setProp("zsfiji.command", 'run("PSF Generator...", "na=1.4");')
    with desk.recorder() as recorded:
        desk.jc.WindowManager.setCurrentWindow(psf.getWindow())
        before = len(recorded())
        desk.choose("Test Compare...")
        dialog = desk.window("Test Compare")
        assert str(choices(desk, dialog, 0).getSelectedItem()) == "cells"
        assert str(choices(desk, dialog, 1).getSelectedItem()) == "PSF of the day"
        assert "cells: 64 x 48 pixels" in desk.texts(dialog)
        desk.click(desk.part(dialog, "OK"))
        desk.wait(lambda: "cells-difference" in desk.images())
        time.sleep(0.5)
        lines = recorded()[before:].strip().splitlines()
    assert lines == [
        'selectImage("cells");',
        'run("Test Compare...", "other=[PSF of the day]");',
    ]
    assert {"cells-sum", "cells-difference", "cells rows"} <= set(desk.images())
    assert str(windows.ij1.IJ.getImage().getTitle()) == "cells-difference"


def test_the_other_image_can_be_a_file_and_nothing_is_a_choice_where_it_may_be(
    desk, tmp_path, request
):
    import jpype

    from zsfiji.images import tiff
    from zsfiji.images.axes import as_image

    # Java's own file dialog, and not that of the desktop, which a test cannot see.
    desk.jc.Prefs.useJFileChooser = True
    request.addfinalizer(lambda: setattr(desk.jc.Prefs, "useJFileChooser", False))
    path = tmp_path / "a file.tif"
    tiff.write(as_image(np.zeros((48, 64), np.float32)), path)
    desk.show("cells")
    desk.choose("Test Compare...")
    dialog = desk.window("Test Compare")
    other, third = (choices(desk, dialog, n) for n in (1, 2))
    assert str(third.getSelectedItem()) == "none"
    assert "Other image: " in desk.texts(dialog)
    assert not desk.part(dialog, "OK").isEnabled()
    other.select("From a file...")
    event = desk.jc.ItemEvent
    other.dispatchEvent(event(other, event.ITEM_STATE_CHANGED, "From a file...", event.SELECTED))
    chooser = next(c for c in desk.parts(desk.window("Other image")) if "FileChooser" in str(c))
    chooser.setSelectedFile(jpype.JClass("java.io.File")(str(path)))
    chooser.approveSelection()
    desk.wait(lambda: str(other.getSelectedItem()) == path.as_posix())
    desk.wait(lambda: desk.part(dialog, "OK").isEnabled())
    desk.click(desk.part(dialog, "OK"))
    desk.wait(lambda: "cells-difference" in desk.images())
    result = desk.jc.WindowManager.getImage("cells-difference")
    assert path.as_posix() in str(result.getProp("zsfiji.command"))


def test_a_command_without_an_image_takes_hints_from_the_active_one(desk):
    source = desk.show("cells")
    source.getCalibration().pixelWidth = 0.0625
    source.getCalibration().setUnit("micron")
    desk.choose("Test Paint...")
    dialog = desk.window("Test Paint")
    # 62.5 nm are no whole number, which the dialog says at once.
    assert str(dialog.getNumericFields().get(0).getText()) == "62.5"
    assert not desk.part(dialog, "OK").isEnabled()
    source.getCalibration().pixelWidth = 0.062
    desk.press("Test Paint", "Cancel")
    desk.choose("Test Paint...")
    dialog = desk.window("Test Paint")
    desk.click(desk.part(dialog, "OK"))
    desk.wait(lambda: "painted" in desk.images())
    assert desk.jc.WindowManager.getImage("painted").getWidth() == 62


# --- jobs ---------------------------------------------------------------------------------------


def test_imagej_stays_usable_and_the_image_can_be_closed_while_a_job_runs(desk, windows):
    source = desk.show("cells.tif")
    source.getCalibration().pixelWidth = 0.5
    source.getCalibration().setUnit("micron")
    source.setDisplayRange(100, 900)
    start(desk, source, seconds=2.5)
    progress = desk.window(f"{NAME}: cells.tif")
    desk.wait(lambda: re.search(r"Blurring, \d+ %, \d+ s left", desk.texts(progress)))
    assert "Blurring" in str(windows.ij1.IJ.getInstance().getStatusBar().getComponent(0).getText())
    assert not source.isLocked()
    other = windows.ij1.IJ.createImage("other", "8-bit ramp", 9, 9, 1)
    started = time.perf_counter()
    fresh(lambda: windows.ij1.IJ.run(other, "Invert", ""))
    assert time.perf_counter() - started < 1
    assert int(other.getProcessor().get(0, 0)) == 255
    source.changes = False
    source.close()
    desk.wait(lambda: desk.images() == ["cells-blurred"])
    result = windows.ij1.IJ.getImage()
    assert result.getCalibration().pixelWidth == 0.5
    assert str(result.getCalibration().getUnit()) in ("micron", "µm")
    assert (result.getDisplayRangeMin(), result.getDisplayRangeMax()) == (100, 900)
    assert result.changes
    desk.gone(f"{NAME}: cells.tif")
    assert "cells.tif: Blurred by 2 px." in desk.log()


def test_esc_cancels_within_a_second_and_leaves_nothing(desk, windows):
    source = desk.show("cells")
    start(desk, source, seconds=20)
    desk.window(f"{NAME}: cells")
    source.getWindow().toFront()
    desk.click(source.getCanvas())
    pressed = time.perf_counter()
    desk.key("ESCAPE")
    desk.gone(f"{NAME}: cells")
    assert time.perf_counter() - pressed < 1
    status = windows.ij1.IJ.getInstance().getStatusBar().getComponent(0)
    desk.wait(lambda: "cancelled" in str(status.getText()))
    assert desk.images() == ["cells"]


def test_esc_at_once_cancels_too(desk, windows):
    from zsfiji.bridge.ui import jobs

    source = desk.show("cells")
    start(desk, source, seconds=20)
    windows.ij1.IJ.setKeyDown(27)
    desk.wait(lambda: not jobs.running(), 2)
    windows.ij1.IJ.resetEscape()
    assert desk.images() == ["cells"]


def test_esc_that_closes_another_dialog_does_not_cancel_the_job(desk):
    from zsfiji.bridge.ui import jobs

    source = desk.show("cells")
    start(desk, source, seconds=2)
    desk.choose(LABEL)
    desk.click(desk.window(NAME).getNumericFields().get(0))
    desk.key("ESCAPE")
    desk.gone(NAME)
    assert jobs.running()
    desk.wait(lambda: "cells-blurred" in desk.images())


def test_esc_in_a_help_window_or_before_the_click_does_not_cancel_the_job(desk, windows):
    from blur import blur

    from zsfiji.bridge.ui import dialog

    desk.show("cells")
    dialog.remember(blur.command, blur.command.validate({"seconds": 1}))
    desk.choose(LABEL)
    desk.press(NAME, "Help")
    desk.click(desk.window(f"{NAME} Help").getContentPane())
    desk.key("ESCAPE")
    desk.gone(f"{NAME} Help")
    assert not windows.ij1.IJ.escapePressed()
    # As another window may leave it.
    windows.ij1.IJ.setKeyDown(27)
    desk.press(NAME, "OK")
    desk.wait(lambda: "cells-blurred" in desk.images())


def test_esc_before_a_click_still_stops_the_job_that_it_was_meant_for(desk, windows):
    from zsfiji.bridge.ui import jobs
    from zsfiji.bridge.ui.progress import forget_escape

    start(desk, desk.show("cells"), seconds=20)
    desk.window(f"{NAME}: cells")
    windows.ij1.IJ.setKeyDown(27)
    fresh(forget_escape)
    assert not windows.ij1.IJ.escapePressed()
    desk.wait(lambda: not jobs.running(), 2)
    assert desk.images() == ["cells"]


def test_the_help_of_a_dialog_is_its_child_beside_it_without_a_horizontal_scroll_bar(desk):
    desk.show("cells")
    desk.choose(LABEL)
    dialog = desk.window(NAME)
    desk.press(NAME, "Help")
    page = desk.window(f"{NAME} Help")
    assert page.getOwner() == dialog
    assert not page.getBounds().intersects(dialog.getBounds())
    bars = [part for part in desk.parts(page) if hasattr(part, "getVisibleAmount")]
    assert [bar.isVisible() for bar in bars if bar.getOrientation() == bar.HORIZONTAL] == [False]
    # A second click brings the same window to the front.
    desk.press(NAME, "Help")
    assert [w.isShowing() for w in dialog.getOwnedWindows()].count(True) == 1
    desk.press(NAME, "Advanced...")
    desk.press(f"{NAME}: Advanced", "Help")
    desk.press(f"{NAME}: Advanced Help", "OK")
    desk.gone(f"{NAME}: Advanced Help")
    desk.press(f"{NAME}: Advanced", "Cancel")
    desk.press(NAME, "Cancel")
    desk.gone(f"{NAME} Help")


def test_finish_now_keeps_what_there_is(desk):
    start(desk, desk.show("cells"), seconds=30)
    desk.press(f"{NAME}: cells", "Finish now")
    desk.wait(lambda: "cells-blurred" in desk.images(), 2)


def test_cancel_in_the_window_stops_that_job_only_and_two_jobs_wait_for_one_another(desk):
    from zsfiji.bridge.ui import jobs

    def work_on_both():
        start(desk, one, seconds=40)
        first = desk.window(f"{NAME}: one")
        # The first job of a process has much to load.
        desk.wait(lambda: "Blurring" in desk.texts(first), 20)
        start(desk, two, seconds=1)
        desk.wait(lambda: jobs.running() == [f"{NAME} of one", f"{NAME} of two"])
        waiting = desk.window(f"{NAME}: two")
        desk.wait(lambda: "Waiting for the job before it" in desk.texts(waiting))
        desk.wait(lambda: not desk.part(waiting, "Finish now").isVisible())
        assert desk.part(waiting, "Cancel").isVisible()
        assert not first.getBounds().intersects(waiting.getBounds())
        return first

    one, two = desk.show("one"), desk.show("two")
    # Not by the mouse: the window grows when the first picture comes.
    desk.part(work_on_both(), "Finish now").doClick()
    desk.wait(lambda: {"one-blurred", "two-blurred"} <= set(desk.images()))
    desk.part(work_on_both(), "Cancel").doClick()
    second = desk.window(f"{NAME}: two")
    desk.wait(lambda: desk.part(second, "Finish now").isVisible())
    desk.wait(lambda: "two-blurred-1" in desk.images())
    assert "one-blurred-1" not in desk.images()


def test_the_progress_window_can_be_hidden_and_the_job_goes_on(desk):
    start(desk, desk.show("cells"), seconds=2)
    desk.window(f"{NAME}: cells").setVisible(False)
    desk.wait(lambda: "cells-blurred" in desk.images())


def test_a_silent_job_tells_the_time_left_within_two_seconds_and_counts_it_down(
    desk, windows, monkeypatch
):
    import dataclasses

    from blur import blur

    from zsfiji import progress
    from zsfiji.bridge.ui import jobs
    from zsfiji.commands import duration

    importlib.import_module("torch")  # as the dialog does

    def silent(image, **_):
        ended.wait(20)
        progress.report(0.9, "Blurring")
        return blur.command.call(image, blur.command.validate({}))

    monkeypatch.setattr(duration, "_pace", lambda *_: 1.0)
    ended = threading.Event()
    command = dataclasses.replace(blur.command, function=silent, duration=lambda *_: 40.0)
    work = threading.Thread(
        target=lambda: jobs.work(windows, command, desk.show("cells"), {}), daemon=True
    )

    def left():
        found = re.search(r"Starting, 0 %, (\d+) s left", desk.texts(shown))
        return None if found is None else int(found[1])

    started = time.monotonic()
    work.start()
    shown = desk.window(f"{NAME}: cells")
    first = desk.wait(left)
    assert time.monotonic() - started < 2
    assert 35 <= first <= 40
    desk.wait(lambda: left() <= first - 2, 6)
    ended.set()
    work.join(10)
    desk.gone(f"{NAME}: cells")


def test_results_lie_beside_their_source_and_cover_neither_it_nor_one_another(desk, windows):
    source = desk.show("cells", width=300, height=200)
    other = desk.show("other", width=300, height=200)
    other.getWindow().setLocation(*(source.getWindow().getX() + n for n in (5, 230)))
    windows.ij1.WindowManager.setCurrentWindow(source.getWindow())
    log = windows.ij1.WindowManager.getWindow("Log")
    if log is not None:
        log.close()
    for _ in range(3):
        fresh(lambda: windows.ij1.IJ.run(source, LABEL, "sigma=1"))
    frames = [imp.getWindow() for imp in map(windows.ij1.WindowManager.getImage, desk.images())]
    frames.append(desk.window("Log"))
    time.sleep(0.3)
    for number, frame in enumerate(frames):
        for earlier in frames[:number]:
            assert not frame.getBounds().intersects(earlier.getBounds()), (number, frames)


# --- errors -------------------------------------------------------------------------------------


def test_a_locked_image_is_refused_with_a_reason(desk):
    source = desk.show("cells")
    source.lock()
    try:
        start(desk, source)
        assert 'The image "cells" is locked' in desk.texts(desk.window(NAME))
        desk.press(NAME, "OK")
    finally:
        source.unlock()
    assert desk.images() == ["cells"]


def test_an_image_that_the_command_refuses_is_told(desk):
    start(desk, desk.show("flat", "8-bit black"))
    assert "The image is constant" in desk.texts(desk.window(NAME))
    desk.press(NAME, "OK")
    assert desk.images() == ["flat"]


def test_an_image_closed_while_its_dialog_is_open_is_told(desk):
    source = desk.show("cells")
    desk.choose(LABEL)
    dialog = desk.window(NAME)
    source.close()
    desk.click(desk.part(dialog, "OK"))
    desk.wait(lambda: "was closed" in desk.texts(desk.window(NAME)))
    desk.press(NAME, "OK")


def test_a_fault_of_ours_is_shown_as_one(desk):
    start(desk, desk.show("cells"), seconds=0, fail=True)
    assert "because of a bug in zsfiji" in desk.texts(desk.window(NAME))
    desk.press(NAME, "OK")
    assert "Traceback" in desk.log()
    assert "ZeroDivisionError: division by zero" in desk.log()


# --- macros under windows -----------------------------------------------------------------------


def test_a_wrong_option_stops_the_macro_with_the_known_ones(desk, windows):
    desk.show("cells")
    windows.ij1.IJ.log("before")
    runner = threading.Thread(
        target=windows.ij1.IJ.runMacro, args=(f'run("{LABEL}", "sigm=3"); print("after");',)
    )
    runner.start()
    error = desk.window("Macro Error")
    text = re.sub(r"\s+", " ", desk.texts(error))
    assert 'has no option "sigm". It has: sigma, border, negate' in text
    assert "in line 1" in text
    desk.press("Macro Error", "OK")
    runner.join(10)
    assert "after" not in desk.log()
    assert desk.images() == ["cells"]


@pytest.mark.parametrize("passed_over", [False, True])
def test_a_locked_image_stops_the_macro_whatever_imagej_prefers(desk, windows, passed_over):
    source = desk.show("cells")
    source.lock()
    before = windows.ij1.Prefs.nonBlockingFilterDialogs
    windows.ij1.Prefs.nonBlockingFilterDialogs = passed_over
    windows.ij1.IJ.log("before")
    macro = f'run("{LABEL}", "sigma=3"); print("after");'
    runner = threading.Thread(target=windows.ij1.IJ.runMacro, args=(macro,))
    try:
        runner.start()
        assert 'The image "cells" is locked' in desk.texts(desk.window("Macro Error"))
        desk.press("Macro Error", "OK")
        runner.join(10)
    finally:
        windows.ij1.Prefs.nonBlockingFilterDialogs = before
        source.unlock()
    assert "after" not in desk.log()


def test_a_click_shows_its_error_while_a_batch_macro_runs_elsewhere(desk, windows):
    flat = desk.show("flat", "8-bit black")
    macro = "setBatchMode(true); for (i = 0; i < 40; i++) wait(100);"
    runner = threading.Thread(target=windows.ij1.IJ.runMacro, args=(macro,))
    runner.start()
    desk.wait(windows.ij1.Interpreter.isBatchMode)
    start(desk, flat)
    assert "The image is constant" in desk.texts(desk.window(NAME))
    assert runner.is_alive()
    desk.press(NAME, "OK")
    windows.ij1.Interpreter.abort()
    runner.join(10)


def test_a_macro_call_without_options_opens_the_dialog(desk, windows):
    desk.show("cells")
    macro = f'run("{LABEL}"); print("active: " + getTitle());'
    runner = threading.Thread(target=windows.ij1.IJ.runMacro, args=(macro,))
    runner.start()
    desk.press(NAME, "OK")
    runner.join(10)
    assert "active: cells-blurred" in desk.log()


def test_esc_stops_the_macro_that_has_called(desk, windows):
    source = desk.show("cells")
    macro = f'run("{LABEL}", "seconds=20"); print("after");'
    windows.ij1.IJ.log("before")
    # As Plugins > Macros > Run does.
    runner = windows.ij1.MacroRunner(macro)
    desk.window(f"{NAME}: cells")
    desk.click(source.getCanvas())
    desk.key("ESCAPE")
    desk.gone(f"{NAME}: cells", 2)
    desk.wait(lambda: not runner.getThread().isAlive())
    assert desk.images() == ["cells"]
    assert "after" not in desk.log()


def test_other_commands_proceed_while_a_macro_waits_for_us(desk, windows):
    desk.show("cells")
    runner = threading.Thread(
        target=windows.ij1.IJ.runMacro, args=(f'run("{LABEL}", "seconds=2");',)
    )
    runner.start()
    desk.window(f"{NAME}: cells")
    other = windows.ij1.IJ.createImage("other", "8-bit ramp", 9, 9, 1)
    started = time.perf_counter()
    fresh(lambda: windows.ij1.IJ.run(other, "Invert", ""))
    assert time.perf_counter() - started < 1
    assert runner.is_alive()
    runner.join(10)
    assert "cells-blurred" in desk.images()


def test_a_job_in_a_thread_of_java_is_stopped_too(desk, windows):
    from zsfiji.bridge.ui import jobs

    desk.show("cells")
    windows.ij1.MacroRunner(f'run("{LABEL}", "seconds=20");')
    desk.window(f"{NAME}: cells")
    assert jobs.stop_all()
    assert not jobs.running()
    desk.gone(f"{NAME}: cells")
    assert desk.images() == ["cells"]


def test_batch_macros_get_our_result_and_no_window_opens(desk, windows):
    imp = windows.ij1.IJ.createImage("cells", "16-bit ramp", 20, 20, 1)
    result = windows.ij1.Interpreter().runBatchMacro(f'run("{LABEL}", "seconds=1");', imp)
    assert str(result.getTitle()) == "cells-blurred"
    assert f"{NAME}: cells" not in desk.windows()
    assert desk.images() == []


def test_the_file_of_a_model_to_save_is_asked_for_anew(desk):
    """The next training would replace the model."""
    from zsfiji.bridge.ui import dialog

    command = find("denoise")
    dialog.remember(command, command.validate({"save_model": "/data/m.zsfiji", "seed": 3}))
    remembered = dialog.remembered(command)
    assert (remembered["save_model"], remembered["seed"]) == (None, 3)
    dialog.remember(command, command.validate({}))


# --- quitting -----------------------------------------------------------------------------------

QUIT = """
import sys, threading, time
sys.path.insert(0, {tests!r})
import scyjava
scyjava.config.add_option("-Duser.home=" + {home!r})
from zsfiji.bridge import menu
from zsfiji.bridge.start import host
from zsfiji.bridge.ui import jobs
from blur import blur
import desk
running = host.start(headless=False, fiji="none")
menu.install(running, {{blur.command.label: blur.command}})
imp = desk.show("cells")
imp.changes = False
work = jobs.in_thread(lambda: jobs.work(running, blur.command, imp, {{"seconds": 50}}), "job")
desk.window("Test Blur: cells")
desk.choose("Quit")
assert "Test Blur of cells" in desk.texts(desk.window("Quit ImageJ"))
desk.press("Quit ImageJ", "Keep working")
desk.gone("Quit ImageJ")
for name in ("ENTER", "ESCAPE"):
    desk.choose("Quit")
    desk.window("Quit ImageJ")
    desk.key(name)
    desk.gone("Quit ImageJ")
    time.sleep(0.3)
    assert jobs.running() and running.running, name
desk.choose("Quit")
desk.choose("Quit")
desk.press("Quit ImageJ", "Quit")
running.wait()
print("quit", jobs.running(), work.is_alive())
"""


def test_what_is_lost_is_told_of_one_job_and_of_several():
    from zsfiji.bridge.menu import what_is_lost

    assert "A of a.tif\nWhat has been done so far" in what_is_lost(["A of a.tif"])
    assert "\n    A\n    B\nWhat has been done so far" in what_is_lost(["A", "B"])


def test_quitting_while_a_job_runs_asks_and_then_ends_the_process(desk, tmp_path):
    script = QUIT.format(tests=str(Path(__file__).parent), home=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip().endswith("quit [] False"), done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


OPEN_DIALOG = """
import sys
sys.path.insert(0, {tests!r})
import scyjava
scyjava.config.add_option("-Duser.home=" + {home!r})
from zsfiji.bridge import menu
from zsfiji.bridge.start import host
from blur import blur
import desk
menu.install(host.start(headless=False, fiji="none"), {{blur.command.label: blur.command}})
desk.show("cells")
desk.choose("Test Blur...")
desk.click(desk.window("Test Blur").getNumericFields().get(0))
print("open")
"""


def test_python_ends_while_a_dialog_is_open(desk, tmp_path):
    script = OPEN_DIALOG.format(tests=str(Path(__file__).parent), home=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "open", done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
