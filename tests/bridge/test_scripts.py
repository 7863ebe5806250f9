"""The scripts for Fiji are up to date, SciJava reads them, and they run without a window."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from zsfiji.bridge import scripts
from zsfiji.bridge.scripts import runner
from zsfiji.commands import table
from zsfiji.errors import Cancelled, UserError
from zsfiji.images import tiff
from zsfiji.images.axes import as_image

FOLDER = Path(__file__).parents[2] / "fiji-scripts"
COMMANDS = list(table().values())
BOTH = pytest.mark.parametrize("command", COMMANDS, ids=[c.name for c in COMMANDS])
TYPES = {
    "boolean": "java.lang.Boolean",
    "integer": "java.lang.Integer",
    "number": "java.lang.Double",
    "choice": "java.lang.String",
    "image": "java.lang.String",
}


def test_the_scripts_in_the_folder_are_those_of_the_table(tmp_path):
    fresh = {path.name: path.read_text() for path in scripts.write(tmp_path)}
    kept = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert kept == fresh, "run: python -m zsfiji.bridge.scripts"


@BOTH
def test_a_script_is_what_fiji_wants(command):
    name, text = scripts.file_name(command), scripts.source(command)
    # Without an underscore it is in no menu; printing fails; one key for all would mix up values.
    assert "_" in name
    assert name.endswith(".py")
    assert "print" not in text.partition("\n\n")[2]
    keys = re.findall(r'persistKey="([^"]+)"', text)
    assert len(set(keys)) == len(keys) == sum(p.default is not None for p in command.parameters)
    assert all(key.startswith(f"zsfiji.{command.name}.") for key in keys)
    compile(text, name, "exec")


@pytest.mark.jvm
@BOTH
def test_scijava_reads_every_parameter_as_the_table_has_it(ij, command):
    path = FOLDER / scripts.file_name(command)
    inputs = runner.read_inputs(ij, path, path.read_text())
    if command.takes_image:
        image = inputs.pop(0)
        assert (image.name, image.type) == ("input", "ij.ImagePlus")
    assert [entry.name for entry in inputs] == [p.key for p in command.parameters]
    for entry, parameter in zip(inputs, command.parameters, strict=True):
        assert entry.choices == parameter.choices
        assert entry.required == (not parameter.may_be_empty)
        if parameter.kind in ("integer", "number") and parameter.may_be_empty:
            # The only field of SciJava's that can be left empty.
            assert entry.type == "java.lang.String"
            continue
        assert entry.type == TYPES.get(parameter.kind, "java.io.File")
        assert (entry.minimum, entry.maximum) == (parameter.minimum, parameter.maximum)
        if parameter.kind in ("integer", "number"):
            assert float(entry.default) == parameter.default
        elif parameter.kind == "boolean":
            assert entry.default.lower() == parameter.text(parameter.default)
        elif parameter.default is not None:
            assert entry.default == parameter.text(parameter.default)


@pytest.fixture
def run(ij, closing, monkeypatch, tmp_path):
    """Run a script in this process."""
    monkeypatch.setattr(runner.host, "start", lambda **_: ij)

    def call(text, *words):
        path = tmp_path / "A_Script.py"
        path.write_text(text)
        runner.run_script(str(path), [str(word) for word in words])

    return call


BLUR = """\
#@ ImagePlus (label="Image") input
#@ Double (min=0, max=50, value=2) sigma
#@ Integer (value=1) times
#@ Long (min=0, max=255, value=0) level
#@ Boolean (value=false) invert
#@ String (choices={"a", "b"}, value="a") mode
#@ File (required=false) place
from zsfiji.bridge.start.classes import jc
assert isinstance(times, int) and isinstance(invert, bool) and mode in "ab" and place is None
copy = input.duplicate()
for _ in range(times):
    jc.IJ.run(copy, "Gaussian Blur...", f"sigma={sigma}")
copy.show()
"""


@pytest.fixture
def picture(tmp_path):
    pixels = (np.random.default_rng(0).random((12, 10)) * 200).astype(np.float32)
    image = as_image(pixels, attrs={"units": {"row": "micron", "col": "micron"}})
    tiff.write(image, tmp_path / "a.tif")
    return tmp_path / "a.tif"


@pytest.mark.jvm
def test_any_script_runs_on_files_and_its_active_image_is_saved(run, picture, tmp_path, capsys):
    run(BLUR, f"input={picture}", f"output={tmp_path / 'b.tif'}", "sigma=1", "times=2")
    before, after = tiff.read(picture), tiff.read(tmp_path / "b.tif")
    assert after.attrs["units"] == before.attrs["units"]
    assert float(after.std()) < 0.5 * float(before.std())
    assert capsys.readouterr().out == f"{tmp_path / 'b.tif'}\n"


@pytest.mark.jvm
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs input="),
        (["input=nothing.tif"], "cannot be read"),
        (["input={}", "sgma=1"], r"It has: input, invert, level, mode, place, sigma, times"),
        (["input={}", "sigma=-1"], "at least 0"),
        (["input={}", "sigma=51"], "at most 50"),
        (["input={}", "sigma=nan"], "a finite number, not nan"),
        (["input={}", "sigma=two"], 'a number, not "two"'),
        (["input={}", "times=1.5"], "a whole number"),
        (["input={}", "times=" + 400 * "9"], "times: give a number of at most 2147483647"),
        (["input={}", "times=-2147483649"], "at least -2147483648"),
        (["input={}", "sigma=" + 400 * "9"], "a finite number"),
        (["input={}", "level=" + 400 * "9"], "level: give a number of at most 255"),
        (["input={}", "invert=maybe"], "true or false"),
        (["input={}", "mode=c"], "one of a, b"),
        (["input={}", "input={}"], "given twice"),
        (["sigma"], "write key=value"),
        (["input={}", "output=/nowhere/b.tif"], "cannot be written"),
        (["input={}", "output={}"], "is the image itself"),
        (["input={}", "place={}.txt", "output={}.txt"], "is the image itself"),
    ],
)
def test_wrong_parameters_are_refused_before_the_script_runs(run, picture, words, message):
    Path(f"{picture}.txt").touch()
    with pytest.raises(UserError, match=message):
        run("raise SystemExit\n" + BLUR, *(word.format(picture) for word in words))


@pytest.mark.jvm
def test_a_byte_order_mark_hides_no_parameter(run, picture, tmp_path):
    run(f"\ufeff{BLUR}", f"input={picture}", f"output={tmp_path / 'b.tif'}")
    assert (tmp_path / "b.tif").exists()


@pytest.mark.jvm
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nx = = 2\n", "A_Script.py, line 2: invalid syntax"),
        (
            "def half(x):\n    return x / 0\n\nhalf(1)\n",
            r"(?s)A_Script.py has an error in line 2:.*line 4, in <module>.*ZeroDivisionError: div",
        ),
        ("import numpy as np\nnp.reshape([1], 2)\n", r"(?s)in line 2:.*ValueError: cannot reshape"),
    ],
)
def test_an_error_of_a_script_is_told_as_one_of_its_own(run, text, message):
    with pytest.raises(UserError, match=message):
        run(text)


@pytest.mark.jvm
def test_a_fault_of_ours_in_a_script_comes_through_as_what_it_is(run, monkeypatch):
    from zsfiji.bridge.ui import jobs

    monkeypatch.setattr(jobs, "work", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("from zsfiji.bridge import scripts\nscripts.call('denoise', None, {})\n")


OUTPUTS = """\
#@ ImagePlus input
#@output Dataset output
#@OUTPUT ImagePlus (label="Twice") twice
#@output Double mean
#@output String said
#@output never
import numpy as np
from zsfiji.bridge.start.classes import jc
pixels = np.array(input.getProcessor().getFloatArray()).T
output, mean, said = pixels + 1, 2.5, jc.System.getProperty("file.separator")
twice = input.duplicate()
jc.IJ.run(twice, "Multiply...", "value=2")
"""


@pytest.mark.jvm
def test_the_outputs_of_a_script_are_saved_and_printed(run, picture, tmp_path, capsys):
    one, two = tmp_path / "one.tif", tmp_path / "two.tif"
    run(OUTPUTS, f"input={picture}", f"output={one}", f"twice={two}")
    before = tiff.read(picture).data
    np.testing.assert_allclose(tiff.read(one).data, before + 1)
    np.testing.assert_allclose(tiff.read(two).data, before * 2)
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["mean = 2.5", "said = /", str(one), str(two)]


@pytest.mark.jvm
def test_output_saves_the_only_image_that_a_script_declares(run, tmp_path, monkeypatch):
    from zsfiji.bridge.convert import datasets

    # As in a Fiji: what only it has, made by the script.
    monkeypatch.setattr(datasets, "is_dataset", lambda value: value == "a Dataset")
    monkeypatch.setattr(datasets, "from_dataset", lambda _: as_image(np.eye(8, dtype=np.float32)))
    run("#@output Dataset clean\nclean = 'a Dataset'", f"output={tmp_path / 'b.tif'}")
    assert tiff.read(tmp_path / "b.tif").data.sum() == 8


@pytest.mark.jvm
@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("#@output ImagePlus clean\n", "clean=b.tif", "has not set its output clean"),
        ("#@output ImagePlus clean\nclean = 3\n", "clean=b.tif", "is no image to save: 3"),
        (
            "#@output a\n#@output b\nimport numpy\na = b = numpy.eye(9)\n",
            "output=b.tif",
            "several images as outputs: a, b",
        ),
    ],
)
def test_an_output_that_cannot_be_saved_is_told(run, tmp_path, monkeypatch, text, word, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        run(text, word)
    assert not (tmp_path / "b.tif").exists()


@pytest.mark.jvm
def test_what_a_script_needs_and_only_fiji_has_is_named(run):
    with pytest.raises(UserError, match=r"parameter ij .* is a ImageJ, which needs Fiji"):
        run("#@ ImageJ ij\n#@ Double (value=1) x\n")
    with pytest.raises(UserError, match="left no image"):
        run("a = 1\n", "output=b.tif")


@pytest.mark.jvm
def test_errors_of_a_script_in_fiji_are_shown_and_those_of_the_shell_are_raised(ij, monkeypatch):
    from zsfiji.bridge.start import host
    from zsfiji.bridge.ui import jobs, messages, texts

    shown = []
    monkeypatch.setattr(host, "start", lambda **_: ij)
    monkeypatch.setattr(messages, "show_error", lambda title, text: shown.append((title, text)))
    monkeypatch.setattr(messages, "show_bug", lambda title, error: shown.append((title, error)))
    scripts.call("Zero-Shot Denoise...", None, {"seed": 1})
    assert shown == [("Zero-Shot Denoise", texts.NO_IMAGE)]
    with scripts.raising(), pytest.raises(UserError, match="no images"):
        scripts.call("Zero-Shot Denoise...", None, {})

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "work", broken)
    scripts.call("Zero-Shot Denoise...", None, {})
    assert isinstance(shown[-1][1], ZeroDivisionError)

    def cancelled(*_):
        raise Cancelled

    monkeypatch.setattr(jobs, "work", cancelled)
    scripts.call("Zero-Shot Denoise...", None, {})
    assert len(shown) == 2
