"""In a real Fiji, which ``ZSFIJI_FIJI`` has to name; a copy is used, and it is not changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fiji_tour
import pytest
import python_mode

from zsfiji.bridge.start import display, java
from zsfiji.bridge.start.fiji import is_fiji
from zsfiji.bridge.stock import install
from zsfiji.images import tiff
from zsfiji.samples import __file__ as samples

# Read before the fixtures of other tests point it to "none".
FIJI = os.environ.get("ZSFIJI_FIJI", "")

pytestmark = [
    pytest.mark.fiji,
    pytest.mark.slow,
    pytest.mark.skipif(
        not FIJI or not is_fiji(Path(FIJI)), reason="needs a Fiji: let ZSFIJI_FIJI name its folder"
    ),
]
IMAGE = Path(samples).parent / "nuclei.tif"
MACRO = """
open("{image}");
makeRectangle(10, 20, 96, 80);
run("Zero-Shot Denoise...", "quality=quick seed=3");
if (bitDepth() != 32 || getWidth() != 96) exit("the result is not active");
getPixelSize(unit, width, height);
// As a number: ImageJ reads macros as Latin-1.
saveAs("Tiff", "{folder}/result " + fromCharCode(233) + ".tif");
print("REACHED " + unit);
run("Zero-Shot Denoise...", "qality=quick");
print("NOT STOPPED");
"""


@pytest.fixture(scope="module")
def fiji(tmp_path_factory):
    """A Fiji with our entries, whose name has blanks and letters beyond ASCII."""
    folder = tmp_path_factory.mktemp("fiji") / "Fiji é ü.app"
    folder.mkdir()
    for part in ("jars", "plugins", "luts", "macros", "config", "lib", "scripts"):
        if (Path(FIJI) / part).is_dir():
            # SciJava takes for its Fiji the folder in which the jars really lie.
            shutil.copytree(Path(FIJI) / part, folder / part)
    install.install(folder)
    return folder


def started(fiji, home, *words):
    chosen, _ = java.find(windowed=False, fiji=fiji)
    separator = os.pathsep
    result = subprocess.run(
        [
            str(Path(chosen.home) / "bin" / "java"),
            # As Fiji's launcher does for --headless; where there is a display, it would not end.
            "-Djava.awt.headless=true",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "--add-opens=java.base/java.util=ALL-UNNAMED",
            f"-Duser.home={home}",
            f"-Dplugins.dir={fiji}",
            f"-Dimagej.dir={fiji}",
            "-cp",
            f"{fiji}/jars/*{separator}{fiji}/jars/bio-formats/*",
            "net.imagej.Main",
            "--headless",
            *words,
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=280,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return result.returncode, result.stdout + result.stderr


def test_a_stock_fiji_replays_a_macro_and_stops_at_a_mistake(fiji, tmp_path):
    result = tmp_path / "result é.tif"
    macro = tmp_path / "macro.ijm"
    macro.write_text(MACRO.format(image=IMAGE.as_posix(), folder=tmp_path.as_posix()))
    status, said = started(fiji, tmp_path, "-macro", str(macro))
    assert status == 2, said
    assert "REACHED micron" in said, said
    assert 'no option "qality"' in said
    assert "NOT STOPPED" not in said
    image = tiff.read(result)
    assert image.shape == (80, 96)
    assert "quality=quick" in image.attrs["properties"]["zsfiji.command"]


def test_a_stock_fiji_runs_a_script_with_parameters(fiji, tmp_path):
    result = tmp_path / "out put.tif"
    script = fiji / install.FOLDER / "FM2S_Denoise.groovy"
    status, said = started(
        fiji,
        tmp_path,
        "--run",
        str(script),
        f'input="{IMAGE.as_posix()}",output="{result.as_posix()}",quality="quick",seed=4',
    )
    assert status == 0, said
    assert result.exists(), said
    line = tiff.read(result).attrs["properties"]["zsfiji.command"]
    assert "seed=4" in line


def test_pyimagej_runs_the_same_macro_in_process(fiji, tmp_path):
    result = tmp_path / "result é.tif"
    macro = tmp_path / "macro.ijm"
    macro.write_text(MACRO.format(image=IMAGE.as_posix(), folder=tmp_path.as_posix()))
    words = [sys.executable, "-m", "zsfiji.cli", "macro", str(macro), "--fiji", str(fiji)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "REACHED micron" in said
    assert 'no option "qality"' in said
    assert "NOT STOPPED" not in said
    assert tiff.read(result).shape == (80, 96)


@pytest.fixture(scope="module")
def tour(tmp_path_factory, window_manager):
    """What a walk through a Fiji with windows has seen: step -> traceback."""
    if display.why_not():
        pytest.skip(display.why_not())
    folder = tmp_path_factory.mktemp("tour")
    report = folder / "report.json"
    words = [sys.executable, fiji_tour.__file__, FIJI, str(folder), str(report)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(report.read_text())


@pytest.mark.gui
@pytest.mark.parametrize("step", list(fiji_tour.steps()))
def test_in_a_fiji_with_windows(tour, step):
    assert not tour[step], tour[step]


@pytest.mark.gui
def test_a_fiji_in_python_mode_is_joined_and_ends_with_a_job(tmp_path, window_manager):
    if display.why_not():
        pytest.skip(display.why_not())
    if not (Path(FIJI) / "config" / "jaunch" / "fiji.py").is_file():
        pytest.skip("this Fiji has no Python mode")
    chosen, _ = java.find(windowed=True, fiji=Path(FIJI))
    library = chosen.home / "lib" / "server" / "libjvm.so"
    words = [sys.executable, python_mode.__file__, FIJI, str(library), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=150)
    said = done.stdout + done.stderr
    assert "ATTACHED Fiji" in said, said
    assert done.returncode == 0, said
