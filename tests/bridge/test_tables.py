"""Tables of an outcome as windows of ImageJ."""

from __future__ import annotations

import math

import pytest

from zsfiji.bridge.ui.tables import listing
from zsfiji.commands.outcome import Table

TABLE = Table(
    "cell.tif patterns",
    ("Angle", "Verdict", "Spacing (nm)", "Error"),
    ((1, "good", 195.43219, 0.0123), (2, "not found", math.nan, math.inf)),
)


def test_a_table_is_plain_values_with_a_dash_for_what_is_no_number():
    listed = listing(TABLE)
    assert listed["title"] == "cell.tif patterns"
    assert listed["columns"] == ["Angle", "Verdict", "Spacing (nm)", "Error"]
    assert listed["rows"] == [[1, "good", 195.43219, 0.0123], [2, "not found", "-", "-"]]
    assert listed["width"] > 2 * 100


@pytest.mark.jvm
@pytest.mark.gui
def test_a_table_opens_as_a_results_table(windows):
    from zsfiji.bridge.start.classes import jc
    from zsfiji.bridge.ui import tables

    window = tables.show(TABLE)
    try:
        shown = jc.ResultsTable.getResultsTable("cell.tif patterns")
        assert shown.size() == 2
        assert [str(name) for name in shown.getHeadings()] == list(TABLE.columns)
        rows = [str(shown.getRowAsString(n)).split("\t") for n in range(2)]
        assert rows == [["1", "good", "195.432", "0.012"], ["2", "not found", "-", "-"]]
        assert float(shown.getValue("Spacing (nm)", 0)) == pytest.approx(195.43219)
        assert window.isShowing()
        assert window.getWidth() == listing(TABLE)["width"]
    finally:
        window.close()
