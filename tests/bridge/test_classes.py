"""The table of Java classes."""

from __future__ import annotations

import re
from pathlib import Path

from zsfiji.bridge.start import classes

ROOT = Path(__file__).parents[2]


def test_each_class_of_the_table_is_used():
    files = [p for folder in ("zsfiji", "tests") for p in (ROOT / folder).rglob("*.py")]
    code = "\n".join(p.read_text() for p in files if p != Path(classes.__file__))
    # jc.ImagePlus, ij.ij1.ImagePlus, and names that are looked up.
    used = set(re.findall(r'(?:\bjc|\bij1|kinds)\.(\w+)|"(\w+)"', code))
    names = {name for pair in used for name in pair}
    assert sorted(classes._FULL_NAMES.keys() - names) == []
