"""The command line: what it prints where, what it writes, and its exit status."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tifffile
from bridge.blur import blur, paint

from zsfiji import cli
from zsfiji.cli import entry, run
from zsfiji.commands import table
from zsfiji.commands.outcome import Table
from zsfiji.images import tiff
from zsfiji.images.axes import as_image
from zsfiji.physics.optics import kernel
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.optics.pupil import from_optics
from zsfiji.terminal import Terminal


@pytest.fixture
def zsfiji(monkeypatch, capsys):
    """Run the command line in this process; gives status, standard output and error."""
    real, ours = run.find, {"blur": blur.command, "paint": paint.command}
    monkeypatch.setattr(run, "find", lambda label: ours.get(label) or real(label))

    def call(*words):
        status = cli.main([str(word) for word in words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def cells(path, seed=0, shape=(3, 20, 16)):
    pixels = (np.random.default_rng(seed).random(shape) * 900).astype(np.uint16)
    image = as_image(pixels, ("t", "row", "col"), {"units": {"t": "sec", "col": "micron"}})
    image.coords["t"] = np.arange(shape[0]) * 2.0
    tiff.write(image, path)
    return path


def spot(path):
    """A PSF on pixels of 50 nm."""
    tiff.write(kernel.as_image(from_optics(Optics("wide-field", 1.2, 600), (0.05, 0.05)), ""), path)
    return path


def apart(*words, **environment):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zsfiji.cli", *map(str, words)],
        env={**os.environ, "ZSFIJI_FIJI": "none", **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )


# --- Without an image ---


def test_help_is_there_at_once():
    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = apart("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "zsfiji demo" in done.stdout
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, for other tests may share the processor.
    assert min(seconds() for _ in range(3)) < 0.3


def test_the_commands_are_listed_and_explained(zsfiji, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = zsfiji("list")
    assert status == 0
    for command in table().values():
        assert command.label in out
        status, page, _ = zsfiji("help", command.label)
        assert status == 0
        assert f"zsfiji.{command.name}({'image' if command.takes_image else ''}" in page
        for parameter in command.parameters:
            assert re.search(rf"│ {parameter.key} +│", page)
            # On a line of its own: it does not run into the text.
            assert re.search(rf"│ {re.escape(parameter.label)}: +│\n", page)


def test_help_behind_a_command_explains_its_options(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "SIM Reconstruct", "--help"])
    assert end.value.code == 0
    assert "notch_width" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "SIM Reconstrukt", "-h"])
    assert end.value.code == 2
    assert "SIM Reconstruct" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "--help"])
    assert end.value.code == 0
    assert "zsfiji help" in capsys.readouterr().out


def test_the_version_is_printed(capsys):
    from zsfiji import __version__

    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["macro", "p.ijm", "--fiji", "none", "hello"], {"argument": "hello"}),
        (["macro", "p.ijm", "-v", "hello"], {"argument": "hello"}),
        (["macro", "-v", "p.ijm", "hello"], {"argument": "hello"}),
        (["script", "s.py", "a=1", "--fiji", "none", "b=2"], {"words": ["a=1", "b=2"]}),
        (["open", "a.tif", "--fiji", "none", "b.tif"], {"images": ["a.tif", "b.tif"]}),
        (["run", "blur", "a.tif", "-o", "b.tif", "c=1"], {"words": ["a.tif", "c=1"]}),
    ],
)
def test_options_stand_before_or_behind_other_words(monkeypatch, words, kept):
    called = []
    for action in ("_macro", "_script", "_open", "_run"):
        monkeypatch.setattr(entry, action, called.append)
    assert cli.main(words) == 0
    assert vars(called[0]).items() >= kept.items()


@pytest.mark.parametrize("words", [["macro", "p", "-v", "a", "b"], ["list", "-v", "a"]])
def test_words_that_nothing_takes_are_refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert f"unknown argument: {words[-1]}" in capsys.readouterr().err


# --- One image ---


def test_a_result_lies_next_to_its_image_and_its_path_is_printed(zsfiji, tmp_path):
    cells(tmp_path / "cells.tif")
    status, out, err = zsfiji("run", "blur", tmp_path / "cells.tif", "sigma=1.5")
    target = tmp_path / "cells-blurred.tif"
    assert (status, out) == (0, f"{target}\n")
    assert "Blurred by 1.5 px." in err
    result = tiff.read(target)
    assert result.dims == ("t", "row", "col")
    assert result.attrs["units"]["t"] == "sec"
    np.testing.assert_allclose(result.coords["t"], [0, 2, 4])
    assert "sigma=1.5" in result.attrs["properties"]["zsfiji.command"]


def test_options_and_images_stand_in_any_order(zsfiji, tmp_path):
    cells(tmp_path / "cells.tif")
    target = tmp_path / "new" / "out.tif"
    status, out, _ = zsfiji(
        "run", "blur", "sigma=0", "-o", target, tmp_path / "cells.tif", "negate=true"
    )
    assert (status, out) == (0, f"{target}\n")
    pixels = tiff.read(tmp_path / "cells.tif").data
    np.testing.assert_array_equal(tiff.read(target).data, -pixels.astype(np.float32))


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(zsfiji, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells(tmp_path / "dose=3.tif")
    status, out, _ = zsfiji("run", "blur", "dose=3.tif")
    assert (status, out) == (0, "dose=3-blurred.tif\n")


def test_a_png_serves_as_input(zsfiji, tmp_path):
    from PIL import Image

    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "a.png")
    status, out, _ = zsfiji("run", "blur", tmp_path / "a.png")
    assert (status, out) == (0, f"{tmp_path / 'a-blurred.tif'}\n")


def test_results_are_replaced_only_when_asked(zsfiji, tmp_path):
    path = cells(tmp_path / "cells.tif")
    assert zsfiji("run", "blur", path)[0] == 0
    before = (tmp_path / "cells-blurred.tif").read_bytes()
    status, out, err = zsfiji("run", "blur", path, "sigma=9")
    assert (status, out) == (2, "")
    assert "--overwrite" in err
    assert (tmp_path / "cells-blurred.tif").read_bytes() == before
    assert zsfiji("run", "blur", path, "sigma=9", "--overwrite")[0] == 0
    assert (tmp_path / "cells-blurred.tif").read_bytes() != before


def test_a_result_has_the_name_of_what_it_is_and_a_line_that_serves_elsewhere(
    zsfiji, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = cells(tmp_path / "cells.tif", shape=(2, 40, 36))
    psf = spot(tmp_path / "psf.tif")
    words = ["run", "deconvolve", path, "psf=psf.tif", "pixel_size=100", "steps=1"]
    (tmp_path / "cells-deconvolved.tif").touch()
    status, out, err = zsfiji(*words, "results=denoised")
    assert (status, out) == (0, f"{tmp_path / 'cells-denoised.tif'}\n"), err
    line = tiff.read(tmp_path / "cells-denoised.tif").attrs["properties"]["zsfiji.command"]
    assert f"psf={psf.as_posix()}" in line
    status, _, err = zsfiji(*words, "results=denoised")
    assert status == 2
    assert "cells-denoised.tif exists already" in err


def test_a_result_whose_name_is_known_too_late_is_not_lost(zsfiji, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert zsfiji("run", "paint")[1] == "painted.tif\n"
    status, out, err = zsfiji("run", "paint", "size=20")
    assert (status, out) == (0, "painted-2.tif\n")
    assert "painted.tif exists already" in err
    assert zsfiji("run", "paint")[1] == "painted-3.tif\n"
    assert tiff.read(tmp_path / "painted-2.tif").shape == (20, 20)
    assert zsfiji("run", "paint", "--overwrite")[1] == "painted.tif\n"
    (tmp_path / "truth.tif").mkdir()
    small = ["run", "sim_simulator", "width=32", "height=32"]
    status, out, _ = zsfiji(*small, "-o", "filaments truth.tif", "--overwrite")
    assert (status, out) == (0, "filaments truth.tif\nfilaments truth-2.tif\n")


LONG = f"{'x' * 300}.tif"
WRONG = {
    "no such command": (["run", "bluur", "cells.tif"], "There is no command"),
    "no image": (["run", "blur"], "needs an image"),
    "missing image": (["run", "blur", "cels.tif"], "No such file"),
    "unknown option": (["run", "blur", "cells.tif", "sgma=2"], "It has: sigma, border"),
    "out of range": (["run", "blur", "cells.tif", "sigma=-1"], "from 0 to 50 (px)"),
    "no number": (["run", "blur", "cells.tif", "sigma=two"], 'not "two"'),
    "misspelt choice": (["run", "blur", "cells.tif", "border=wrong"], "one of nearest, wrap"),
    "given twice": (["run", "blur", "cells.tif", "sigma=1", "sigma=2"], "given twice"),
    "no image file": (["run", "blur", "text.tif"], "cannot be read as an image"),
    "constant": (["run", "blur", "flat.tif"], "constant"),
    "onto itself": (["run", "blur", "cells.tif", "-o", "cells.tif", "--overwrite"], "is an input"),
    "no TIFF": (["run", "blur", "cells.tif", "-o", "out.png"], "name out.tif"),
    "one file for two": (["run", "blur", "cells.tif", "flat.tif", "-o", "x.tif"], "Name a folder"),
    "an option without a value": (
        ["run", "blur", "cells.tif", "wrap", "-o", "x.tif"],
        "There is no file wrap. Options are written key=value",
    ),
    "empty folder": (["run", "blur", "empty"], "no image in the folder"),
    "model of two": (["run", "fm2s", "cells.tif", "flat.tif", "save_model=m"], "one file"),
    "parameters of two": (
        ["run", "SIM Parameters", "cells.tif", "flat.tif", "save_parameters=p"],
        "save_parameters names one file",
    ),
    "an input of another image": (
        ["run", "deconvolve", "cells.tif", "cells-denoised.tif", "psf=psf.tif", "--overwrite"],
        "cells-denoised.tif is an input",
    ),
    "the PSF": (
        ["run", "deconvolve", "cells.tif", "psf=psf.tif", "-o", "psf.tif", "--overwrite"],
        "psf.tif is an input",
    ),
    "two results in a file": (
        ["run", "deconvolve", "cells.tif", "psf=psf.tif", "-o", "new/cells-denoised.tif"],
        "Two results would have the name",
    ),
    "a model onto the input": (
        ["run", "denoise", "cells.tif", "save_model=link.tif"],
        "save_model: ",
    ),
    "a model onto a result": (
        ["run", "denoise", "cells.tif", "save_model=cells-denoised.tif"],
        "save_model and a result both name",
    ),
    "two files in one": (
        ["run", "SIMFormer Train", "save_model=m.pt", "training_state=./m.pt"],
        "save_model and training_state both name",
    ),
    "nobody's home": (["run", "denoise", "cells.tif", "dark=~nosuch/d.tif"], "no home folder"),
    "a model there": (["run", "denoise", "cells.tif", "save_model=~nosuch/m"], "no home folder"),
    "more images there": (
        ["run", "deconvolve", "flat.tif", "psf=psf.tif", "more_images=~nosuch"],
        "no home folder",
    ),
    "a name too long": (["run", "blur", LONG], "cannot be read"),
    "a long name of a PSF": (
        ["run", "deconvolve", "flat.tif", f"psf={LONG}"],
        "there is no file",
    ),
    "a long name of a model": (["run", "fm2s", "flat.tif", f"apply_model={LONG}"], "no model file"),
    "a long name to open": ([LONG], "neither a file nor a command"),
    "a long name of a macro": (["macro", LONG], "There is no macro"),
    "a result too long": (["run", "blur", "cells.tif", "-o", LONG], "cannot be"),
    "a folder too long": (["run", "blur", "cells.tif", "-o", f"{LONG}/new/"], "cannot be made"),
    "a closed folder": (["run", "blur", "closed/cells.tif"], "Permission denied"),
    "no macro": (["macro", "nothing.ijm"], "There is no macro"),
    "no script": (["script", "nothing.py"], "cannot be read"),
    "no Python": (["script", "text.tif"], "no Python script"),
    "neither file nor command": (["bluur"], "neither a file nor a command"),
}


def closed(path):
    """Make a folder that nobody may look into, not even the superuser."""
    path.mkdir()
    path.chmod(0)
    real = os.stat

    def stat(place, *more, **options):
        if str(place).startswith(f"{path.name}/"):
            raise PermissionError(errno.EACCES, "Permission denied", place)
        return real(place, *more, **options)

    return stat


@pytest.mark.parametrize("words", [w for w, _ in WRONG.values()], ids=list(WRONG))
def test_what_a_user_can_mend_is_one_sentence_and_status_2(
    zsfiji, tmp_path, monkeypatch, words, request
):
    monkeypatch.chdir(tmp_path)
    cells(tmp_path / "cells.tif")
    tifffile.imwrite("flat.tif", np.ones((8, 8), np.uint16))
    (tmp_path / "text.tif").write_text("This is no image.")
    (tmp_path / "empty").mkdir()
    cells(tmp_path / "cells-denoised.tif")
    spot(tmp_path / "psf.tif")
    (tmp_path / "link.tif").symlink_to("cells.tif")
    monkeypatch.setattr(os, "stat", closed(tmp_path / "closed"))
    before = sorted(tmp_path.rglob("*"))
    status, out, err = zsfiji(*words)
    assert (status, out) == (2, "")
    assert WRONG[request.node.callspec.id][1] in err
    assert err.startswith("zsfiji: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unwritable_place_is_refused_before_the_work(zsfiji, tmp_path):
    path = cells(tmp_path / "cells.tif")
    (tmp_path / "file").write_text("")
    started = time.monotonic()
    status, _, err = zsfiji("run", "blur", path, "-o", tmp_path / "file" / "a.tif", "seconds=50")
    assert status == 2
    assert "cannot be" in err
    assert time.monotonic() - started < 10


def test_a_folder_is_made_for_a_result_and_not_for_input_that_is_refused(zsfiji, tmp_path):
    flat = tmp_path / "flat.tif"
    tiff.write(as_image(np.ones((3, 20, 16), np.uint16), ("t", "row", "col"), {}), flat)
    place = tmp_path / "results" / "today"
    for words in ((flat,), (flat, flat.with_name("none.tif"))):
        status, _, err = zsfiji("run", "blur", *words, "-o", place)
        assert status == 2
        assert "constant" in err
        assert not place.parent.exists()
    status, out, _ = zsfiji("run", "blur", cells(tmp_path / "cells.tif"), "-o", place)
    assert (status, out.strip()) == (0, str(place / "cells-blurred.tif"))


def test_the_search_for_a_folder_ends_where_a_drive_is_missing(zsfiji, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells(tmp_path / "cells.tif")
    asked = iter([False] * 9)
    monkeypatch.setattr(os.path, "lexists", lambda _: next(asked))
    status, out, _ = zsfiji("run", "blur", "cells.tif", "-o", "new/today/blurred.tif")
    assert (status, out) == (0, "new/today/blurred.tif\n")


def test_a_bug_shows_its_traceback_and_asks_for_a_report(zsfiji, tmp_path):
    path = cells(tmp_path / "cells.tif")
    status, out, err = zsfiji("run", "blur", path, "fail=true")
    assert (status, out) == (1, "")
    assert "ZeroDivisionError" in err
    assert "Please report it" in err
    assert not (tmp_path / "cells-blurred.tif").exists()


def test_ctrl_c_stops_the_job_and_keeps_nothing(zsfiji, tmp_path):
    path = cells(tmp_path / "cells.tif")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    status, out, err = zsfiji("run", "blur", path, "seconds=30")
    assert (status, out) == (130, "")
    assert "stopped" in err
    assert time.monotonic() - started < 10
    assert [p.name for p in tmp_path.iterdir()] == ["cells.tif"]


# --- Several images ---


def test_a_folder_is_worked_through_and_failures_do_not_stop_it(zsfiji, tmp_path):
    for number in range(3):
        cells(tmp_path / f"{number}.tif", number)
    (tmp_path / "1.tif").write_bytes(b"II*\x00 broken")
    (tmp_path / "notes.txt").write_text("no image")
    status, out, err = zsfiji("run", "blur", tmp_path, "-o", tmp_path / "results")
    assert status == 2
    assert out.split() == [str(tmp_path / "results" / f"{n}-blurred.tif") for n in (0, 2)]
    assert "1.tif: " in err
    assert "failed" in err
    assert err.count("Blurred by 2 px.") >= 2


def test_results_in_a_folder_are_not_taken_for_images(zsfiji, tmp_path):
    cells(tmp_path / "a.tif")
    cells(tmp_path / "b.tif")
    assert zsfiji("run", "blur", tmp_path)[0] == 0
    status, out, _ = zsfiji("run", "blur", tmp_path, "--overwrite")
    assert status == 0
    assert len(out.split()) == 2
    assert len(list(tmp_path.iterdir())) == 4


def test_the_bar_names_the_image_that_is_worked_on(zsfiji, tmp_path, monkeypatch):
    real, seen = Terminal.show, []

    def show(terminal, event):
        real(terminal, event)
        seen.append(terminal._bar.tasks[0].description)

    monkeypatch.setattr(Terminal, "show", show)
    one, two = (cells(tmp_path / name) for name in ("a.tif", "b.tif"))
    assert zsfiji("run", "blur", one, two, "seconds=0.1")[0] == 0
    assert set(seen) == {"1/2 a.tif: Blurring", "2/2 b.tif: Blurring"}
    seen.clear()
    assert zsfiji("run", "blur", one, "seconds=0.1", "--overwrite")[0] == 0
    assert set(seen) == {"a.tif: Blurring"}


def test_a_bug_in_one_image_does_not_stop_the_others(zsfiji, tmp_path, monkeypatch):
    paths = [cells(tmp_path / name) for name in ("a.tif", "b.tif")]
    real = tiff.read

    def failing(path):
        if path.name == "a.tif":
            raise ZeroDivisionError
        return real(path)

    monkeypatch.setattr(tiff, "read", failing)
    status, out, err = zsfiji("run", "blur", *paths)
    assert status == 1
    assert out == f"{tmp_path / 'b-blurred.tif'}\n"
    assert "Traceback" in err


def test_images_of_the_same_name_do_not_overwrite_each_others_results(zsfiji, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        cells(tmp_path / folder / "a.tif")
    status, _, err = zsfiji(
        "run", "blur", tmp_path / "x", tmp_path / "y", "-o", tmp_path / "results"
    )
    assert status == 2
    assert "same name" in err
    assert not (tmp_path / "results").exists()


def test_a_table_in_a_file_has_all_digits(capsys):
    names = [f"Modulation of wave {number}" for number in range(12)]
    run._print_table(Table("patterns", names, [[0.000123456 + n for n in range(12)]]))
    printed = capsys.readouterr().err
    assert all(name in printed for name in names)
    assert "0.0001235" in printed


def test_a_note_is_printed_once_with_its_image(zsfiji, tmp_path):
    said = "The patterns and the background"
    simulated = tmp_path / "raw.tif"
    zsfiji("run", "SIM Simulator", "width=64", "height=64", "-o", simulated)
    lens = ("na=1.49", "emission=525")
    zsfiji("run", "SIM Parameters", simulated, *lens, f"save_parameters={tmp_path / 'p.json'}")
    words = (*lens, f"use_parameters={tmp_path / 'p.json'}", "-o", tmp_path / "sim.tif")
    status, _, err = zsfiji("run", "SIM Reconstruct", simulated, *words)
    assert status == 0
    assert [line.startswith("raw.tif: ") for line in err.splitlines() if said in line] == [True]


# --- With ImageJ, in a process of its own ---


@pytest.mark.jvm
def test_a_macro_prints_to_standard_output_and_takes_an_argument(tmp_path):
    macro = tmp_path / "hello.ijm"
    macro.write_text(
        'newImage("Untitled", "8-bit ramp", 20, 10, 1);\n'
        'print("Hello " + getArgument() + ", " + getWidth());\n'
        'run("Zero-Shot Denoise...", "quality=fast");\n'
        'print("never");\n'
    )
    done = apart("macro", macro, "Zoë")
    assert done.returncode == 2
    assert done.stdout == "Hello Zoë, 20\n"
    assert "choose one of quick, standard, best" in done.stderr
    assert "Traceback" not in done.stderr
    macro.write_text('getDirectory("Folder of the images");')
    done = apart("macro", macro)
    assert done.returncode == 2
    assert "give it as the argument of the macro" in done.stderr


@pytest.mark.jvm
@pytest.mark.slow
def test_the_script_of_a_command_runs_on_a_file(tmp_path):
    from zsfiji.bridge import scripts
    from zsfiji.commands import find

    command = find("denoise")
    path = tmp_path / scripts.file_name(command)
    path.write_text(scripts.source(command))
    cells(tmp_path / "a.tif")
    target = tmp_path / "b.tif"
    words = ["script", path, f"input={tmp_path / 'a.tif'}", f"output={target}"]
    done = apart(*words, "quality=quick", "seed=4")
    assert (done.returncode, done.stdout) == (0, f"{target}\n"), done.stderr
    result = tiff.read(target)
    assert result.dims == ("t", "row", "col")
    assert "quality=quick" in result.attrs["properties"]["zsfiji.command"]
    assert result.attrs["properties"]["zsfiji.seed"] == "4"
