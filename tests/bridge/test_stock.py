"""A Fiji started as a Java program: Groovy there, Appose between, our Python process here.

The Java side is ImageJ, Groovy and Appose from Maven Central, without SciJava; what needs a real
Fiji is in test_fiji.py.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import zsfiji
from zsfiji.bridge.start import jars, java
from zsfiji.bridge.stock import install
from zsfiji.bridge.ui import tables
from zsfiji.commands.outcome import Table
from zsfiji.errors import UserError
from zsfiji.folders import cache_folder
from zsfiji.images import tiff

pytestmark = pytest.mark.jvm

_LIBRARIES = (
    "org.apache.groovy:groovy:4.0.33",
    "org.apache.groovy:groovy-json:4.0.33",
    "org.apposed:appose:0.9.0",
    "net.java.dev.jna:jna:5.14.0",
    "net.java.dev.jna:jna-platform:5.14.0",
)


def fetched():
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    context = MavenContext(repo_cache=cache_folder() / "test-java", local_repos=[])
    try:
        ours = jars.fetch()
        theirs = [
            context.create_dependency(Coordinate.parse(name)).artifact.resolve()
            for name in _LIBRARIES
        ]
    except (OSError, RuntimeError, UserError) as error:
        pytest.skip(f"Maven Central cannot be reached: {error}")
    return [str(path) for path in (*ours, *theirs)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what looks like a Fiji, our scripts in it, and an image."""
    folder = tmp_path_factory.mktemp("a folder é")
    fiji = folder / "Fiji.app"
    for name in ("jars/ij-1.54p.jar", "jars/imagej-legacy-2.0.2.jar"):
        (fiji / name).parent.mkdir(parents=True, exist_ok=True)
        (fiji / name).touch()
    install.install(fiji)
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:96, :96]
    clean = 60 + 200 * np.exp(-((x - 40) ** 2 + (y - 50) ** 2) / 200)
    lut = np.stack([np.arange(256), np.zeros(256), np.zeros(256)], axis=1).astype(np.uint8)
    image = xr.DataArray(
        rng.poisson(clean).astype(np.uint16),
        dims=("row", "col"),
        coords={"row": np.arange(96) * 0.25, "col": np.arange(96) * 0.25},
        attrs={"units": {"row": "nm", "col": "nm"}, "luts": [lut], "slice_labels": ["DAPI"]},
    )
    tiff.write(image, folder / "cells é.tif")
    return folder


def drive(folder, driver, *, windowed=False):
    """What a driver reports, step -> values."""
    chosen, _ = java.find(windowed=windowed)
    result = subprocess.run(
        [
            str(Path(chosen.home) / "bin" / "java"),
            f"-Djava.awt.headless={str(not windowed).lower()}",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "--add-opens=java.base/java.util=ALL-UNNAMED",
            f"-Duser.home={folder}",
            "-Dfile.encoding=UTF-8",
            "-cp",
            os.pathsep.join(fetched()),
            "groovy.ui.GroovyMain",
            str(Path(__file__).parent / driver),
            str(folder / "Fiji.app"),
            str(folder / "cells é.tif"),
            str(folder / "result é.tif"),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    lines = [x[5:] for x in result.stdout.splitlines() if x.startswith("STEP ")]
    assert result.returncode == 0, result.stdout + result.stderr
    return {step["step"]: step for step in map(json.loads, lines)}


@pytest.fixture(scope="module")
def steps(installed):
    """One Java and two Pythons for most tests."""
    found = drive(installed, "stock_driver.groovy")
    assert "moved" in found, found
    return found


@pytest.mark.gui
def test_quitting_in_the_middle_of_a_job_asks_and_is_quick(windows, installed):
    found = drive(installed, "stock_quit.groovy", windowed=True)
    # Return and Esc.
    for key in ("key 10", "key 27"):
        assert sorted(found[key]["labels"]) == ["Keep working", "Quit"]
        assert found[key]["job"], found
        assert found[key]["open"], found
    assert found["quit"]["seconds"] < 8
    assert not found["quit"]["job"]


@pytest.mark.gui
def test_a_table_opens_beside_its_image(windows, installed):
    rows = ((1, "good", 0.0123), (2, "weak", math.nan))
    table = Table("cells patterns", ("Angle", "Verdict", "Error"), rows)
    listed = tables.listing(table)
    (installed / "Fiji.app" / "zsfiji" / "listed.json").write_text(json.dumps(listed))
    seen = drive(installed, "stock_table.groovy", windowed=True)["table"]
    assert seen["columns"] == ["Angle", "Verdict", "Error"]
    assert seen["rows"] == [["1", "good", "0.012"], ["2", "weak", "-"]]
    assert seen["width"] == listed["width"]
    assert seen["beside"]


def test_the_result_is_a_native_image_with_all_that_the_source_knew(steps):
    seen = steps["region"]
    assert seen["told"] == ""
    assert seen["title"] == "cells é-denoised"
    assert (seen["width"], seen["height"], seen["depth"]) == (40, 48, 32)
    assert (seen["unit"], seen["green"], seen["label"]) == ("nm", 0, "DAPI")
    assert seen["pixel"] == pytest.approx(0.25)
    assert "quality=quick" in seen["command"]
    assert "seed=2" in seen["command"]


def test_the_version_is_told_and_the_dialog_says_what_will_be_processed(steps):
    assert f"zsfiji {zsfiji.__version__}" in steps["about"]["told"]
    assert (
        "cells é.tif: 96 x 96 pixels; all of it will be processed." in steps["about"]["described"]
    )


def test_the_source_is_neither_changed_nor_locked(steps):
    assert steps["region"]["source"] == {"changes": False, "locked": False}


def test_without_an_image_the_user_is_told(steps):
    assert "There are no images open" in steps["no image"]["told"]


def test_a_command_without_an_image_makes_one(steps):
    seen = steps["made"]
    assert seen["told"] == ""
    assert seen["title"] == "PSF wide-field NA 0.4 525 nm"
    assert seen["pixel"] == pytest.approx(0.25)


def test_an_option_can_name_an_open_image_and_both_results_are_shown(steps):
    seen = steps["two images"]
    assert seen["told"] == ""
    assert seen["title"] == "cells é-deconvolved"
    assert (seen["width"], seen["height"]) == (192, 192)
    assert "cells é-denoised" in seen["all"]
    assert "psf=[PSF wide-field NA 0.4 525 nm]" in seen["command"]


def test_scripts_of_another_version_are_told(steps):
    assert "are of another version" in steps["other version"]["told"]
    assert "zsfiji install" in steps["other version"]["told"]


def test_a_wrong_value_is_told_and_the_python_stays(steps):
    assert "choose one of quick, standard, best" in steps["mistake"]["told"]
    assert steps["mistake"]["same"]


def test_a_python_killed_at_work_fails_one_job_and_the_next_starts_another(steps):
    assert "has ended in the middle of the job" in steps["killed"]["told"]
    assert not steps["killed"]["alive"]
    assert steps["killed"]["active"] == "cells é.tif"
    assert steps["cancelled"]["fresh"]


def test_escape_cancels_and_shows_nothing(steps):
    assert steps["cancelled"]["told"] == ""
    assert steps["cancelled"]["active"] == "cells é.tif"


def test_a_file_is_restored_without_a_window(steps):
    assert steps["file"]["told"] == ""
    assert steps["file"]["written"] > 96 * 96 * 4


def test_a_python_that_has_moved_is_told(steps):
    assert "is not there any more" in steps["moved"]["told"]
    assert "zsfiji install" in steps["moved"]["told"]
