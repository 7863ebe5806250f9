"""A walk through a Fiji with windows, in a process of its own; test_fiji.py tells what it saw.

Called with the folder of the Fiji, a folder for files, and a file for the report: JSON, step ->
traceback, empty where all was well.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

import desk
import numpy as np
import pytest
import xarray as xr
from blur import blur
from desk import jc

NAME, LABEL = "Test Blur", "Test Blur..."
SCRIPT = f"""#@ {{kind}} input
from zsfiji.bridge.scripts import call
call("{LABEL}", input, {{{{"sigma": 1.5}}}})
"""


def steps():
    """Name -> function, of all steps, in the order in which they are written."""
    return {name: step for name, step in globals().items() if name.startswith("step_")}


def started():
    """The image to work on, and a job on it that lasts."""
    source = desk.show("cells")
    # In a thread of Java, as a macro that the user starts.
    jc.MacroRunner(f'run("{LABEL}", "seconds=40");')
    desk.window(f"{NAME}: cells")
    return source


def search(text):
    """Type into the search bar."""
    bar = next(c for c in desk.parts(jc.IJ.getInstance()) if "SearchBar" in str(type(c)))
    desk.click(bar)
    desk.wait(bar.isFocusOwner)
    for letter in text.upper():
        desk.key("SPACE" if letter == " " else letter)
    return desk.window("Quick Search")


def hits(window):
    """Names of the commands that the search bar has found."""
    lists = [c for c in desk.parts(window) if "JList" in str(type(c))]
    found = [
        found.getModel().getElementAt(n)
        for found in lists
        for n in range(found.getModel().getSize())
    ]
    return [str(hit.name()) for hit in found if hasattr(hit, "name")]


# --- the steps ----------------------------------------------------------------------------------


def step_a_click_is_recorded_and_its_line_gives_the_same_pixels(host, folder):
    source = desk.show("cells")
    with desk.recorder() as recorded:
        desk.choose(LABEL)
        desk.press(NAME, "OK")
        desk.wait(lambda: "cells-blurred" in desk.images())
        time.sleep(0.5)
        line = recorded().strip()
    assert line == f'run("{LABEL}", "sigma=2 border=nearest negate=false");', line
    clicked = jc.WindowManager.getImage("cells-blurred")
    jc.WindowManager.setCurrentWindow(source.getWindow())
    jc.IJ.runMacro(line)
    replayed = jc.IJ.getImage()
    assert str(replayed.getTitle()) == "cells-blurred-1"
    assert list(replayed.getProcessor().getPixels()) == list(clicked.getProcessor().getPixels())


def step_the_search_bar_finds_a_command_and_runs_it_as_a_click(host, folder):
    desk.show("cells")
    with desk.recorder() as recorded:
        window = search("test blur")
        desk.wait(lambda: LABEL in hits(window))
        desk.key("ENTER")
        desk.press(NAME, "OK")
        desk.wait(lambda: "cells-blurred" in desk.images())
        time.sleep(0.5)
        line = recorded().strip()
    assert line == f'run("{LABEL}", "sigma=2 border=nearest negate=false");', line


def step_the_task_bar_shows_a_job_and_cancels_it(host, folder):
    from zsfiji.bridge.ui import jobs

    started()
    bar = [c for c in desk.parts(jc.IJ.getInstance()) if "JProgressBar" in str(type(c))][-1]
    desk.click(bar)
    tasks = desk.window("Tasks")
    try:
        table = next(c for c in desk.parts(tasks) if "JTable" in str(type(c)))
        desk.wait(lambda: table.getRowCount() == 1 and table.getValueAt(0, 0))
        task = table.getValueAt(0, 0)
        assert str(task.getName()) == f"{NAME}: cells"
        desk.wait(lambda: str(task.getStatusMessage()) == "Blurring")
        desk.wait(lambda: 0 < task.getProgressValue() < task.getProgressMaximum())
        place, cell = table.getLocationOnScreen(), table.getCellRect(0, 1, False)
        desk.click_at(place.x + cell.x + cell.width // 2, place.y + cell.y + cell.height // 2)
        desk.press(f"Canceling {NAME}: cells", "Yes")
        desk.wait(lambda: not jobs.running(), 3)
        desk.gone(f"{NAME}: cells")
        assert desk.images() == ["cells"]
        assert task.isDone()
        desk.wait(lambda: table.getRowCount() == 0)
    finally:
        tasks.dispose()


def step_a_macro_works_in_batch_over_a_folder(host, folder):
    inputs, outputs = folder / "in", folder / "out"
    inputs.mkdir()
    outputs.mkdir()
    for name in ("a", "b"):
        jc.IJ.saveAsTiff(jc.IJ.createImage(name, "16-bit ramp", 30, 20, 1), str(inputs / name))
    # With a blank at the end; the one without is in Process > Math.
    desk.choose("Macro... ")
    dialog = desk.window("Batch Process")
    # Input and output are panels of their own, before the fields of the dialog.
    fields = [c for c in desk.parts(dialog) if type(c).__name__.endswith(".TextField")]
    for field, place in zip(fields[:2], (inputs, outputs), strict=True):
        field.setText(f"{place}/")
    dialog.getTextArea1().setText(f'run("{LABEL}", "sigma=3");')
    desk.press("Batch Process", "Process")
    desk.wait(lambda: (outputs / "b.tif").exists(), 20)
    from zsfiji.images import tiff

    time.sleep(0.5)
    for name in ("a", "b"):
        line = tiff.read(outputs / f"{name}.tif").attrs["properties"]["zsfiji.command"]
        assert line == f'run("{LABEL}", "sigma=3 border=nearest negate=false");', line


def step_the_ext_functions_work_in_a_macro(host, folder):
    desk.show("cells")
    macro = (
        'run("Zero-Shot Extensions"); Ext.blur("sigma=3"); Ext.metric("sigma", s); Ext.note(n);'
        'return getTitle() + " " + s + " " + n;'
    )
    assert str(jc.IJ.runMacro(macro)) == "cells-blurred 3 Blurred by 3 px."


def step_the_script_editor_runs_a_macro(host, folder):
    desk.show("cells")
    script = folder / "my macro.ijm"
    script.write_text(f'run("{LABEL}", "sigma=3"); print("title " + getTitle());')
    editor = edited(script)
    try:
        desk.click(desk.part(editor.getTab(), "Run"))
        desk.wait(lambda: "title cells-blurred" in desk.log())
    finally:
        editor.dispose()


def step_the_script_editor_runs_python_on_each_kind_of_image(host, folder):
    for number, kind in enumerate(("ImagePlus", "Dataset", "ImgPlus")):
        source = desk.show("cells", slices=2)
        script = folder / f"script_{kind}.py"
        script.write_text(SCRIPT.format(kind=kind))
        editor = edited(script)
        try:
            # In a Fiji that has Jython, .py is Jython unless one chooses.
            menu_item(editor, "Python (pyimagej)").doClick()
            desk.click(desk.part(editor.getTab(), "Run"))
            desk.wait(lambda: "cells-blurred" in desk.images())
        finally:
            editor.dispose()
        result = jc.WindowManager.getImage("cells-blurred")
        assert list(result.getDimensions())[2:] == [1, 2, 1], (number, kind)
        close_images()
        assert source.getWindow() is None


def step_a_command_of_imagej2_leaves_a_window_that_we_take(host, folder):
    source = desk.show("cells")
    from zsfiji.bridge.convert.datasets import from_dataset, is_dataset

    dataset = host.gateway.imageDisplay().getActiveDataset()
    assert is_dataset(dataset)
    image = from_dataset(dataset)
    assert image.shape == (48, 64)
    pixels = np.array(source.getProcessor().getPixels(), np.int16).view(np.uint16)
    assert np.array_equal(image.data.ravel(), pixels)


def step_an_image_goes_to_imagej2_and_comes_back_the_same(host, folder):
    from zsfiji.bridge.convert.datasets import from_dataset, to_dataset

    numbers = np.random.default_rng(1)
    calibrated = ("t", "pln", "row", "col")
    for shape, dtype in (
        ({"row": 5, "col": 7}, "uint8"),
        ({"pln": 3, "row": 5, "col": 7}, "uint16"),
        ({"row": 5, "col": 7, "ch": 2}, "float32"),
        ({"t": 4, "row": 5, "col": 7}, "uint16"),
        ({"t": 4, "pln": 3, "row": 5, "col": 7, "ch": 2}, "uint16"),
        ({"t": 2, "ang": 3, "pha": 4, "pln": 5, "row": 5, "col": 7, "ch": 2}, "uint16"),
    ):
        pixels = numbers.uniform(0, 255, tuple(shape.values())).astype(dtype)
        pixels.flat[:2] = np.finfo(dtype).max if dtype == "float32" else np.iinfo(dtype).max, 0
        image = xr.DataArray(
            pixels,
            dims=tuple(shape),
            coords={d: np.arange(n) * 0.25 + 1 for d, n in shape.items() if d in calibrated},
            attrs={
                "title": "cells é",
                "units": {d: "sec" if d == "t" else "micron" for d in shape if d in calibrated},
                "display_ranges": [(3.0, 200.0)] * shape.get("ch", 1),
            },
        )
        dataset = to_dataset(image)
        types = [str(dataset.axis(n).type().getLabel()) for n in range(dataset.numDimensions())]
        known = {"X": "col", "Y": "row", "Channel": "ch", "Z": "pln"}
        known |= {"Phase": "pha", "Angle": "ang", "Time": "t"}
        assert types == [name for name, d in known.items() if d in shape]
        for given in (dataset, dataset.getImgPlus()):
            back = from_dataset(given)
            luts = back.attrs.pop("luts", [])
            assert len(luts) in (0, shape.get("ch", 1))
            xr.testing.assert_identical(back, image)


def step_a_dataset_of_python_may_have_any_order_and_type(host, folder):
    from zsfiji.bridge.convert.datasets import from_dataset
    from zsfiji.errors import UserError

    pixels = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    for dtype, expected in ((np.int32, "float32"), (np.float64, "float32"), (np.uint8, "uint8")):
        array = xr.DataArray(pixels.astype(dtype), dims=("ch", "pln", "row", "col"), name="cells")
        image = from_dataset(host.gateway.py.to_dataset(array))
        assert image.dims == ("pln", "row", "col", "ch"), image.dims
        assert image.dtype == expected
        assert np.array_equal(image.data, np.moveaxis(pixels, 0, -1))
    odd = xr.DataArray(pixels.astype("uint8"), dims=("Lifetime", "pln", "row", "col"), name="cells")
    with pytest.raises(UserError, match="Lifetime"):
        from_dataset(host.gateway.py.to_dataset(odd))


def step_quitting_while_a_job_runs_asks_and_then_ends(host, folder):
    from zsfiji.bridge.ui import jobs

    source = started()
    source.changes = False
    desk.choose("Quit")
    assert f"{NAME} of cells" in desk.texts(desk.window("Quit ImageJ"))
    desk.press("Quit ImageJ", "Keep working")
    desk.gone("Quit ImageJ")
    assert jobs.running()
    desk.choose("Quit")
    desk.press("Quit ImageJ", "Quit")
    desk.wait(lambda: not host.running)
    assert not jobs.running()


# --- what they share ----------------------------------------------------------------------------


def menu_item(frame, label):
    """The entry of a Swing window's menu."""
    bar = frame.getJMenuBar()
    menus = [bar.getMenu(n) for n in range(bar.getMenuCount())]
    items = [menu.getItem(n) for menu in menus for n in range(menu.getItemCount())]
    return next(item for item in items if item is not None and str(item.getText()) == label)


def editors():
    return [w for title, w in desk.windows().items() if title.startswith("New_")]


def edited(script):
    """The Script Editor with a script in it."""
    from jpype import JClass, JProxy

    desk.choose("Script...")
    editor = desk.wait(lambda: next(iter(editors()), None))
    time.sleep(0.5)
    # Swing wants it on its own thread.
    opening = JProxy("java.lang.Runnable", dict={"run": lambda: editor.open(file)})
    file = JClass("java.io.File")(str(script))
    jc.EventQueue.invokeAndWait(opening)
    desk.wait(lambda: str(editor.getTitle()) == script.name)
    return editor


def close_images():
    for number in list(jc.WindowManager.getIDList() or ()):
        image = jc.WindowManager.getImage(number)
        image.changes = False
        image.close()


def tidy():
    """Close what a step has left open, and Fiji's own greetings."""
    from zsfiji.bridge.ui import jobs

    jobs.stop_all()
    close_images()
    own = jc.IJ.getInstance()
    for window in desk.windows().values():
        if own is None or not window.equals(own):
            window.dispose()
    jc.IJ.log("\\Clear")


def main(fiji, folder, report):
    global _host
    import scyjava

    from zsfiji.bridge import menu, scripts
    from zsfiji.bridge.start import host

    scyjava.config.add_option(f"-Duser.home={folder}")
    _host = host.start(headless=False, fiji=fiji)
    menu.install(_host)
    menu.install(_host, {LABEL: blur.command})
    scripts.find = {LABEL: blur.command}.__getitem__
    # Fiji's greetings come late.
    time.sleep(3)
    found = {}
    for name, step in steps().items():
        if _host.running:
            tidy()
        folder_of_step = Path(folder) / name[:20]
        folder_of_step.mkdir(exist_ok=True)
        try:
            step(_host, folder_of_step)
            found[name] = ""
        except BaseException:
            found[name] = traceback.format_exc()
        Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
