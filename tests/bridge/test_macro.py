"""Macros without a display: calls, options, errors, Ext functions, and what a macro prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.jvm

NEW = 'close("*"); newImage("cells", "8-bit ramp", 64, 48, 1);'

MACROS = {
    "result": NEW + 'run("Test Blur...", "sigma=3"); return getTitle() + " " + bitDepth();',
    "batch": NEW + 'setBatchMode(true); run("Test Blur...", "sigma=3"); return getTitle();',
    "twice": NEW
    + 'id = getImageID(); run("Test Blur...", ""); selectImage(id); run("Test Blur...", ""); '
    "return getTitle();",
    "defaults": NEW + 'run("Test Blur..."); s = Property.get("zsfiji.command"); return s;',
    "two images": NEW + 'run("Duplicate...", "title=[the other]"); selectImage("cells"); '
    'run("Test Compare...", "other=[the other] offset=2"); '
    's = getTitle() + " " + getValue("Max"); selectImage("cells-sum"); '
    'return s + " " + getValue("Min") + " " + nImages;',
    "no image needed": 'close("*"); run("Test Paint...", "size=20"); '
    'return getTitle() + " " + getWidth();',
    "other missing": NEW + 'run("Test Compare...", "other=nowhere.tif"); print("NEVER");',
    "other not given": NEW + 'run("Test Compare...", ""); print("NEVER");',
    "region": NEW + 'makeRectangle(5, 6, 20, 10); run("Test Blur...", "sigma=1"); '
    'return "" + getWidth() + " " + getHeight() + " " + Property.get("zsfiji.region");',
    "paths": NEW + 'run("Test Blur...", "notes_to=[/a folder/sigma=3 x.txt] sigma=1"); '
    's = Property.get("zsfiji.command"); return s;',
    "unknown option": NEW + 'run("Test Blur...", "sigm=3"); print("NEVER");',
    "out of range": NEW + 'run("Test Blur...", "sigma=99"); print("NEVER");',
    "third line": NEW + '\n\nrun("Test Blur...", "sigma=99");\n\nprint("NEVER");',
    "no image": 'close("*"); run("Test Blur...", "sigma=3"); print("NEVER");',
    "constant image": 'newImage("flat", "8-bit black", 9, 9, 1); '
    'run("Test Blur...", "sigma=3"); print("NEVER");',
    "fault": NEW + 'run("Test Blur...", "fail"); print("NEVER");',
    "in a called macro": NEW + 'return runMacro("INNER");',
    "ext": NEW
    + 'run("Zero-Shot Extensions"); Ext.blur("sigma=4"); s = 0; Ext.metric("sigma", s); t = ""; '
    'Ext.note(t); return "" + s + " " + t + " " + getTitle();',
    "ext wrong option": NEW + 'run("Zero-Shot Extensions"); Ext.blur("sigma=99"); print("NEVER");',
    "ext old name": NEW
    + 'run("Zero-Shot Extensions"); run("Test Blur...", ""); x = 0; Ext.figure("sigma", x); '
    'print("NEVER");',
    "ext unknown metric": NEW
    + 'run("Zero-Shot Extensions"); run("Test Blur...", ""); x = 0; Ext.metric("psnr", x); '
    'print("NEVER");',
    "ext before a result": 'run("Zero-Shot Extensions"); t = ""; Ext.note(t); print("NEVER");',
    "ext of others": NEW + 'run("Other Extensions"); run("Test Blur...", ""); x = Ext.other(); '
    'run("Zero-Shot Extensions"); return x + Ext.other();',
    "syntax error": 'print("started");\nfoo bar',
    "error in line 3": 'x = 1;\n\nx = nothing(x);\nprint("NEVER");',
    "unknown command": 'run("No Such Command"); print("NEVER");',
    "missing file": 'open("/no/such/file.tif"); print("NEVER");',
    "own error": 'exit("nothing to do");',
    "own end": 'exit; print("NEVER");',
    "argument": "return getArgument();",
}

RUN = """
import json, sys
sys.path.insert(0, {tests!r})
import scyjava
scyjava.config.add_option("-Duser.home=" + {home!r})
from jpype import JArray, JInt, JProxy
from zsfiji.bridge import macro, menu
from zsfiji.bridge.start import host
from blur import blur, compare, paint
running = host.start(headless=True, fiji="none")
menu.install(running, {{c.command.label: c.command for c in (blur, compare, paint)}})
j = running.ij1
others = JArray(j.ExtensionDescriptor)(1)
other = JProxy("ij.macro.MacroExtension", dict={{
    "handleExtension": lambda name, given: "other",
    "getExtensionFunctions": lambda: others}})
others[0] = j.ExtensionDescriptor("other", JArray(JInt)([]), other)
def listen(name):
    if str(name) == "Other Extensions":
        j.Functions.registerExtensions(other)
        return None
    return name
j.Executer.addCommandListener(JProxy("ij.CommandListener", dict={{"commandExecuting": listen}}))
found = {{}}
for name, text in json.loads(sys.argv[1]).items():
    print(f"[{{name}}]", flush=True)
    try:
        found[name] = ["", macro.run_macro(running, text, "an argument")]
    except Exception as error:
        found[name] = [type(error).__name__, str(error)]
try:
    j.IJ.run(j.IJ.createImage("a", "8-bit ramp", 9, 9, 1), "Test Blur...", "sigma=-1")
except Exception as error:
    found["from Python"] = [type(error).__name__, str(error)]
with open({out!r}, "w") as file:
    json.dump(found, file)
"""


@pytest.fixture(scope="module")
def headless(tmp_path_factory):
    """What each macro has returned, or the name and text of what was raised, and all it printed."""
    folder = tmp_path_factory.mktemp("macros")
    inner = folder / "inner.ijm"
    inner.write_text('run("Test Blur...", "sigma=99");')
    macros = {name: text.replace("INNER", inner.as_posix()) for name, text in MACROS.items()}
    script = RUN.format(
        tests=str(Path(__file__).parent), home=str(folder), out=str(folder / "found.json")
    )
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(macros)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "found.json").read_text())
    return found, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("result", "cells-blurred 32"),
        ("batch", "cells-blurred"),
        ("twice", "cells-blurred-1"),
        ("defaults", 'run("Test Blur...", "sigma=2 border=nearest negate=false");'),
        ("region", "20 10 makeRectangle(5, 6, 20, 10);"),
        (
            "paths",
            'run("Test Blur...", "sigma=1 border=nearest negate=false '
            'notes_to=[/a folder/sigma=3 x.txt]");',
        ),
        ("two images", "cells-difference 0 2 4"),
        ("no image needed", "painted 20"),
        ("ext", "4 Blurred by 4 px. cells-blurred"),
        ("ext of others", "otherother"),
        ("own end", ""),
        ("argument", "an argument"),
    ],
)
def test_the_result_is_the_active_image_of_the_macro(headless, name, value):
    assert headless[0][name] == ["", value]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (
            "unknown option",
            'the macro, line 1: Test Blur... has no option "sigm". It has: sigma, border',
        ),
        ("out of range", 'Sigma: give a number from 0 to 50 (px), not "99".'),
        ("third line", "the macro, line 3: Test Blur: Sigma: give a number"),
        ("no image", "There are no images open"),
        ("constant image", "The image is constant"),
        ("in a called macro", "from 0 to 50"),
        ("other missing", 'no open image and no file "nowhere.tif"'),
        ("other not given", "Other image: give the title of an open image or the path"),
        ("ext wrong option", "from 0 to 50"),
        ("ext unknown metric", 'no metric "psnr". It has: sigma.'),
        ("ext old name", "Ext.metric now"),
        ("ext before a result", "There is no result of a Zero-Shot command"),
        ("syntax error", "line 2: Undefined variable"),
        ("error in line 3", "line 3: Undefined identifier"),
        ("unknown command", 'Unrecognized command: "No Such Command"'),
        ("missing file", "not found"),
        ("own error", "ended itself"),
        ("from Python", "Sigma: give a number from 0 to 50"),
    ],
)
def test_what_a_user_can_mend_ends_the_macro_with_a_reason(headless, name, part):
    kind, text = headless[0][name]
    assert kind == "UserError"
    assert part in text


def test_a_fault_of_ours_comes_through_as_what_it_is(headless):
    assert headless[0]["fault"] == ["ZeroDivisionError", "division by zero"]


def test_no_macro_goes_on_after_an_error(headless):
    assert "NEVER" not in headless[1]


def test_standard_output_is_what_macros_print_and_nothing_of_ours(headless):
    _, printed, notes = headless
    assert "[syntax error]\nstarted\n" in printed
    assert "[own error]\nnothing to do\n" in printed
    assert "Blurred by" not in printed
    assert "cells: Blurred by 3 px." in notes
    rest = [x for x in printed.splitlines() if x not in [f"[{n}]" for n in MACROS]]
    assert rest == [
        "started",
        "File not found: ",
        "/no/such/file.tif",
        "nothing to do",
    ]


def test_a_byte_order_mark_is_no_part_of_a_macro(tmp_path):
    from zsfiji.bridge.macro.run import _text_of

    path = tmp_path / "marked.ijm"
    path.write_text('\ufeffprint("é");', encoding="utf-8")
    assert _text_of(path) == 'print("é");'


def test_a_macro_file_that_is_missing_is_told(ij, tmp_path):
    from zsfiji.bridge.macro import run_macro
    from zsfiji.errors import UserError

    with pytest.raises(UserError, match=r"none\.ijm cannot be read"):
        run_macro(ij, tmp_path / "none.ijm")


LOOP = "start = getTime(); while (getTime() - start < 20000) wait(1);"


@pytest.mark.parametrize(("inside", "times"), [(False, 200), (True, 20)])
def test_a_macro_is_stopped_at_any_moment(ij, tmp_path, monkeypatch, inside, times):
    from zsfiji import signals
    from zsfiji.bridge.macro import run_macro
    from zsfiji.errors import Cancelled

    loop = tmp_path / "loop.ijm"
    loop.write_text(LOOP)
    monkeypatch.setattr(signals, "received", lambda: 1)

    def stop_after(seconds):
        while not signals._gentle:
            time.sleep(0.0002)
        time.sleep(seconds)
        for stop in list(signals._gentle):
            stop()

    # From before its first statement to the middle of any: 1 in 300 ran on, or recursed without
    # end, where the interpreter was ended from another thread.
    for number in range(times):
        started = time.monotonic()
        stopper = threading.Thread(target=stop_after, args=(number % 25 * 0.0004,))
        stopper.start()
        with pytest.raises(Cancelled):
            run_macro(ij, f'runMacro("{loop}");' if inside else LOOP)
        stopper.join()
        assert time.monotonic() - started < 10
