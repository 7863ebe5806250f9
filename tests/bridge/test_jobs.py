"""Jobs without windows: room for the results, and results for which there is none."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from zsfiji.bridge.ui import jobs
from zsfiji.errors import UserError
from zsfiji.images import tiff

pytestmark = pytest.mark.jvm


@pytest.fixture
def blurred(ij, closing):
    """Run the test command on an image; also with another declaration."""
    from blur import blur

    imp = ij.ij1.IJ.createImage("a/b cells.tif", "16-bit ramp", 32, 24, 1)
    imp.show()

    def call(**changes):
        return jobs.work(ij, dataclasses.replace(blur.command, **changes), imp, {})

    return call


def test_results_that_imagej_has_no_room_for_are_refused_before_the_work(blurred):
    def never(*_, **__):
        raise AssertionError("the work has begun")

    with pytest.raises(UserError, match="no memory left"):
        blurred(result_bytes=1e12, function=never)


def test_results_that_find_no_room_in_the_end_are_saved(blurred, monkeypatch):
    def full(_):
        raise UserError("ImageJ has no memory left.")

    expected = blurred().images[0]
    monkeypatch.setattr(jobs, "to_imageplus", full)
    with pytest.raises(UserError, match="not lost") as told:
        blurred()
    folder = Path(re.search(r"saved in (\S+)$", str(told.value)).group(1))
    (saved,) = folder.iterdir()
    np.testing.assert_array_equal(tiff.read(saved).data, expected.data)
