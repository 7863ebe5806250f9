"""The Python call: arrays in, arrays out, no Java, and an import that costs next to nothing."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from zsfiji.commands import find

README = Path(__file__).parents[1] / "README.md"

IMPORT = """
import sys
import zsfiji
heavy = {"torch", "xarray", "numpy", "jpype", "scyjava", "imagej", "pydantic"} & set(sys.modules)
assert not heavy, heavy
"""

CALL = """
import numpy as np, xarray as xr, zsfiji, jpype
rng = np.random.default_rng(0)
pixels = rng.poisson(30, (40, 36)).astype(np.uint16)
labelled = xr.DataArray(pixels, dims=("row", "col"), attrs={"title": "a.tif"})
bare = zsfiji.denoise(pixels, quality="quick", seed=3)
assert type(bare) is np.ndarray and bare.shape == pixels.shape and bare.dtype == np.float32
assert bare.std() < pixels.std()
named = zsfiji.fm2s(labelled, quality="quick", seed=3)
assert isinstance(named, xr.DataArray) and named.dims == ("row", "col")
assert "seed=3" in named.attrs["properties"]["zsfiji.command"]
assert float(named.std()) < pixels.std()
for function in (zsfiji.denoise, zsfiji.fm2s):
    try:
        function(pixels, sede=1)
    except zsfiji.UserError as error:
        assert "It has:" in str(error)
    else:
        raise AssertionError("an unknown argument was taken")
assert not jpype.isJVMStarted()
"""


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=250)


def test_the_import_is_light_and_quick():
    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = python(IMPORT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_do_not_wait_long_in_a_busy_loop(monkeypatch, given, expected):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    done = python("import os, zsfiji; print(os.environ.get('GOMP_SPINCOUNT'))")
    assert done.stdout.strip() == expected


@pytest.mark.slow
def test_arrays_and_labelled_images_come_back_as_what_they_were_without_java():
    done = python(CALL)
    assert done.returncode == 0, done.stderr


def test_the_lines_of_the_readme_take_as_many_results_as_there_are():
    (block,) = re.findall(r"```python\n(import zsfiji\n.*?)```", README.read_text(), re.DOTALL)
    lines = [line for line in ast.parse(block).body if isinstance(line, ast.Assign)]
    assert len(lines) > 4
    for line in lines:
        command = find(line.value.func.attr)
        options = {word.arg: ast.literal_eval(word.value) for word in line.value.keywords}
        names = line.targets[0].elts if isinstance(line.targets[0], ast.Tuple) else line.targets
        assert len(names) == len(command.results(command.validate(options))), ast.unparse(line)
