"""Numbers with their nouns, and that no message has "1 channels" or "1 planes"."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import zsfiji
from zsfiji.errors import UserError
from zsfiji.images.metadata import require_finite
from zsfiji.services.over_parts import require_as_many
from zsfiji.words import counted, in_lines

_NOUNS = "channel|plane|slice|frame|stack|network|axis|axes|PSF|bead|capture|thread|core|step|value"
# Sizes ("512 x 512 pixels"), ranges and shares, which are never one.
_FINE = (
    " x ",
    "sizes",
    "of {planned",
    "of {total}",
    "of {self._parts}",
    "{name}",
    "values, too few for a radially",
    "means of",
)


def test_one_is_singular():
    assert counted(1, "channel") == "1 channel"
    assert counted(0, "channel") == "0 channels"
    assert counted(2, "axis", "axes") == "2 axes"


def test_each_sentence_has_a_line_of_its_own():
    text = "cells.tif: Noise 2.5 e. per pixel. The rest is 0.5 %. Use PSF Generator... for more."
    assert in_lines(text).splitlines() == [
        "cells.tif: Noise 2.5 e. per pixel.",
        "    The rest is 0.5 %.",
        "    Use PSF Generator... for more.",
    ]
    assert max(map(len, in_lines("One word more. " * 9 + "and more " * 30).splitlines())) <= 72


def test_a_message_about_one_channel_or_pixel_is_right():
    with pytest.raises(UserError, match="fitted to 1 channel and the image has 2"):
        require_as_many(1, 2, "channel")
    with pytest.raises(UserError, match="1 of the 4 pixels is NaN"):
        require_finite(xr.DataArray(np.array([[1.0, np.nan], [2, 3]], np.float32)))


def test_no_text_of_a_user_error_puts_a_plural_behind_a_bare_number():
    found = []
    pattern = re.compile(r"\{[^{}]+\} (?:[a-z]+ )?(?:" + _NOUNS + r")s\b")
    for path in Path(zsfiji.__file__).parent.rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            told = pattern.search(line) and "ValueError" not in line
            if told and not any(text in line for text in _FINE):
                found.append(f"{path.name}:{number}: {line.strip()}")
    assert found == []
