"""The command that simulates raw SIM images."""

from __future__ import annotations

import typing

import numpy as np
import pytest

import zsfiji
from zsfiji import cli
from zsfiji.commands import find
from zsfiji.commands.declared.sim_simulator import Structure
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images import tiff
from zsfiji.images.axes import pixel_size
from zsfiji.images.folding import unfold
from zsfiji.physics.specimens import KINDS

SIMULATOR = find("sim_simulator")
SMALL = {"width": 40, "height": 48}


def test_the_raw_image_is_the_active_one_and_both_are_calibrated():
    outcome = run(SIMULATOR, None, {**SMALL, "pixel_size": "60", "na": "1.4", "seed": "2"})
    truth, raw = outcome.images
    assert raw.sizes == {"ang": 3, "pha": 3, "row": 48, "col": 40}
    assert raw.dtype == np.uint16
    assert truth.sizes == {"row": 96, "col": 80}
    assert pixel_size(raw, "col") == pytest.approx(0.06)
    assert pixel_size(truth, "row") == pytest.approx(0.03)
    # The middle of the first four pixels of the truth is that of the first raw one.
    assert float(truth.row[:2].mean()) == pytest.approx(float(raw.row[0]), abs=1e-9)
    assert "seed=2" in raw.attrs["properties"]["zsfiji.command"]
    assert outcome.metrics["line_spacing"] == pytest.approx(525 / (2 * 1.4 * 0.9))
    assert "Line spacing 208.3 nm (0.9 of the cut-off)" in outcome.notes[0]


def test_it_is_a_raw_stack_after_saving(tmp_path, capsys):
    words = ["width=40", "height=48", "-o", str(tmp_path / "raw.tif")]
    assert cli.main(["run", "SIM Simulator", *words]) == 0
    raw = tiff.read(tmp_path / "raw.tif")
    assert unfold(raw).sizes == {"ang": 3, "pha": 3, "row": 48, "col": 40}
    assert tiff.read(tmp_path / "filaments truth.tif").sizes == {"row": 96, "col": 80}
    # The truth is not replaced either, although its name is known only when it is there.
    (tmp_path / "raw.tif").unlink()
    capsys.readouterr()
    assert cli.main(["run", "SIM Simulator", *words]) == 0
    printed = capsys.readouterr()
    names = ("filaments truth-2.tif", "raw.tif")
    assert printed.out.splitlines() == [str(tmp_path / name) for name in names]
    assert "filaments truth.tif exists already" in printed.err


def test_lines_closer_than_two_pixels_are_said():
    outcome = run(SIMULATOR, None, {**SMALL, "pixel_size": 110, "line_spacing": 200})
    assert "too large for lines of 200 nm" in outcome.notes[1]


def test_a_stack_with_its_truth():
    options = {"width": 32, "height": 36, "dimensions": "3d", "slices": 5, "na": 1.4}
    truth, raw = run(SIMULATOR, None, {**options, "beams": "three", "phases": 5}).images
    assert raw.sizes == {"ang": 3, "pha": 5, "pln": 5, "row": 36, "col": 32}
    assert truth.sizes == {"pln": 5, "row": 72, "col": 64}
    assert pixel_size(truth, "pln") == pixel_size(raw, "pln") == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beams": "three"}, "3 phases are too few"),
        ({"beams": "hexagonal", "phases": 7}, "1 angle"),
        ({"na": 1.6}, "below the refractive index of the immersion"),
        ({"true_aperture": 1.6}, "below the refractive index of the immersion"),
        ({"true_aperture": 0.2}, "200 pixels, and the field has .* Give a larger 'width'"),
        ({"dimensions": "3d", "haze": 1}, "haze=0 drift=0"),
        (
            {"dimensions": "3d", "beams": "hexagonal", "angles": 1, "phases": 7},
            "two or three beams",
        ),
        ({"dimensions": "3d", "width": 1024, "height": 1024, "slices": 64}, "million pixels"),
        ({"width": 5}, "Width: give a whole number from 32"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options, words):
    with pytest.raises(UserError, match=words):
        run(SIMULATOR, None, {**SMALL, **options})


def test_every_specimen_can_be_chosen():
    assert typing.get_args(typing.get_args(Structure)[0]) == KINDS
    truth, raw = zsfiji.sim_simulator(width=32, height=32, structure="spots", photons=20)
    assert truth.shape == (64, 64)
    assert raw.shape == (3, 3, 32, 32)
