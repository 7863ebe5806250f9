"""The Python process of a stock Fiji, spoken to as Fiji does, without any Java."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from zsfiji import progress
from zsfiji.bridge.stock import worker
from zsfiji.commands.outcome import Outcome
from zsfiji.images import tiff
from zsfiji.images.metadata import carry


class Task:
    cancel_requested = False

    def __init__(self):
        self.updates = []

    def update(self, message, current, maximum, info=None):
        self.updates.append((message, current, maximum, info))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cells é.tif"
    image = xr.DataArray(
        np.arange(20 * 24, dtype=np.uint16).reshape(20, 24),
        dims=("row", "col"),
        attrs={"units": {"row": "nm", "col": "nm"}, "spacing": {}},
    )
    tiff.write(image, path)
    return path


@pytest.fixture
def doubling(monkeypatch):
    """Zero-Shot Denoise... that doubles the pixels, to see what goes in and comes out."""
    from zsfiji.commands import find

    command = find("denoise")

    def double(image, **values):
        progress.report(0.5, "Doubling")
        result = carry(image, image.data * 2.0, title=image.attrs["title"])
        return Outcome((result,), ("A note.",))

    # A frozen dataclass: for the length of a test it has to hold still.
    original = command.function
    object.__setattr__(command, "function", double)
    yield
    object.__setattr__(command, "function", original)


def test_a_job_reads_the_image_and_writes_the_result(picture, tmp_path, doubling):
    folder = tmp_path / "results"
    folder.mkdir()
    task = Task()
    answer = worker.work(
        task, "Zero-Shot Denoise...", "seed=3", str(picture), str(folder), "my cells"
    )
    [result] = answer["images"]
    assert answer["notes"] == ["A note."]
    image = tiff.read(result["path"])
    assert result["title"] == "my cells"
    assert np.array_equal(image.data, tiff.read(picture).data * 2.0)
    assert "seed=3" in image.attrs["properties"]["zsfiji.command"]
    # The expected time comes at once; what follows within a fifth of a second is left out.
    message, *rest = task.updates[0]
    assert re.fullmatch(r"Starting, 0 %, .+ left", message)
    assert rest == [0, 1000, None]


def test_a_result_for_a_window_is_as_bright_as_its_source(tmp_path, doubling):
    path, given = tmp_path / "cells.tif", {"display_ranges": [(3.0, 90.0)]}
    pixels = np.arange(480, dtype=np.uint16).reshape(20, 24)
    tiff.write(xr.DataArray(pixels, dims=("row", "col"), attrs=given), path)
    for title, same in (("cells", True), (None, False)):
        worker.work(Task(), "denoise", {}, str(path), str(tmp_path / "out.tif"), title)
        found = tiff.read(tmp_path / "out.tif").attrs["display_ranges"]
        assert (found == [(3.0, 90.0)]) is same, found


def test_the_selection_of_the_window_is_the_region(picture, tmp_path, doubling):
    worker.work(
        Task(), "denoise", {}, str(picture), str(tmp_path / "out.tif"), "cells", [2, 3, 8, 6]
    )
    assert tiff.read(tmp_path / "out.tif").shape == (6, 8)


@pytest.mark.parametrize(
    ("options", "target", "said"),
    [
        ("qality=quick", "out.tif", 'no option "qality"'),
        ({"seed": "-1"}, "out.tif", "Seed"),
        ("", "out.jpg", "has to end in .tif"),
    ],
)
def test_a_users_mistake_is_told_and_no_fault(picture, tmp_path, doubling, options, target, said):
    answer = worker.work(Task(), "denoise", options, str(picture), str(tmp_path / target))
    assert said in answer["problem"]
    assert not (tmp_path / target).exists()


@pytest.mark.parametrize(
    ("target", "said"),
    [("no folder/out.tif", "cannot be written"), ("cells é.tif", "is the image itself")],
)
def test_a_place_that_takes_no_result_is_refused_before_any_work(
    picture, tmp_path, monkeypatch, target, said
):
    monkeypatch.setattr("zsfiji.commands.run.run", None)
    before = picture.read_bytes()
    answer = worker.work(Task(), "denoise", "", str(picture), str(tmp_path / target))
    assert said in answer["problem"]
    assert picture.read_bytes() == before


def test_a_job_that_fiji_cancels_ends_and_writes_nothing(picture, tmp_path, doubling):
    task = Task()
    task.cancel_requested = True
    answer = worker.work(task, "denoise", "", str(picture), str(tmp_path / "out.tif"))
    assert answer == {"cancelled": True}
    assert not (tmp_path / "out.tif").exists()


def test_fiji_is_told_that_a_job_waits():
    task = Task()
    worker.TaskProgress(task).show(progress.Event(0, "Waiting", waiting=True))
    assert task.updates == [("Waiting", 0, 1000, {"waiting": True})]


def test_fiji_learns_what_a_dialog_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path))
    cells = {"title": "cells.tif", "width": 640, "height": 512, "slices": 7}
    cells |= {"x_unit": "micron", "pixel_width": 0.065, "z_unit": "mm", "pixel_depth": 2e-4}
    psf = {"title": "PSF", "width": 65, "height": 65, "made_by": 'run("PSF Generator...", "")'}
    told = worker.dialog("Zero-Shot Denoise...", [{**cells, "selection": [600, 0, 80, 50]}], 0)
    assert "cells.tif: 640 x 512 pixels, 7 slices; the selection of 40 x 50" in told["subject"]
    assert "<p>Time on " in told["subject"]
    assert told["values"] == {}
    told = worker.dialog("Noise Calibration...", [cells], 0)
    assert "all of it will be processed." in told["subject"]
    assert "Time" not in told["subject"]
    # Whoever has just made the PSF has that in front.
    told = worker.dialog("ZS-DeconvNet Predict...", [cells, psf], 1)
    assert told["active"] == 1
    told = worker.dialog("PSF from Beads...", [cells], 0)
    told = worker.dialog("PSF Generator...", [cells], 0)
    assert told["values"] == {"pixel_size": 65.0, "slice_spacing": 200.0, "dimensions": "3d"}
    assert "<p>" not in told["subject"]
    assert worker.dialog("PSF Generator...", [], None)["values"] == {}


def test_fiji_learns_which_image_and_which_psf_a_deconvolution_means(tmp_path, monkeypatch):
    monkeypatch.setattr("zsfiji.commands.duration.estimates", lambda *_: "")
    cells = {"title": "cells & co.tif", "width": 64, "height": 64, "x_unit": None}
    psf = {"title": "PSF", "width": 65, "height": 65, "made_by": 'run("PSF Generator...", "")'}
    for label in ("Zero-Shot Deconvolve...", "ZS-DeconvNet Restore..."):
        told = worker.dialog(label, [cells, psf], 1)
        assert told["active"] == 0
        assert told["values"]["psf"] == "PSF"
        assert "cells &amp; co.tif" in told["subject"]
    assert worker.dialog("ZS-DeconvNet Restore...", [psf], 0)["active"] == 0


def test_fiji_learns_where_windows_go():
    screen = [0, 0, 1600, 900]
    found = worker.place([300, 300], [100, 100, 300, 300], screen, [[408, 100, 300, 300]], [])
    assert found == {"x": 716, "y": 100}
    first = worker.place_small([340, 100], screen, [])
    assert first == {"x": 1236, "y": 225}
    second = worker.place_small([340, 100], screen, [[1236, 225, 340, 100]])
    assert (second["x"], second["y"]) == (888, 225)


def test_a_script_on_files_has_to_name_both_before_any_work(picture):
    answer = worker.work(Task(), "denoise", "", str(picture), None)
    assert "Name the output file" in answer["problem"]
    answer = worker.work(Task(), "denoise", "", None, "out.tif")
    assert "Name the input file" in answer["problem"]


def test_fiji_can_ask_for_an_examination(tmp_path):
    assert "zsfiji" in worker.doctor(str(tmp_path))["text"]


def test_a_file_in_the_exchange_folder_asks_for_the_best_so_far(tmp_path):
    sink = worker.TaskProgress(Task(), str(tmp_path))
    assert not sink.finish_now()
    (tmp_path / "finish").touch()
    assert sink.finish_now()
    assert not worker.TaskProgress(Task()).finish_now()


def test_a_python_without_torch_is_a_problem_that_names_the_environment(
    picture, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = worker.work(Task(), "denoise", "", str(picture), str(tmp_path / "out.tif"))
    assert "cannot load torch" in answer["problem"]
    assert sys.prefix in answer["problem"]


def test_the_process_speaks_apposes_protocol_and_ends_with_its_input(tmp_path):
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    call = (
        "from zsfiji.bridge.stock import worker\n"
        "worker.work(task, label, '', source, target, exchange=place)"
    )
    request = {
        "task": "1",
        "requestType": "EXECUTE",
        "script": call,
        "inputs": {
            "label": "Zero-Shot Denoise...",
            "source": str(tmp_path / "none.tif"),
            "target": str(tmp_path / "out.tif"),
            "place": str(exchange),
        },
    }
    process = subprocess.run(
        [sys.executable, "-E", "-m", "zsfiji.bridge.stock.worker"],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert [a["responseType"] for a in answers] == ["LAUNCH", "COMPLETION"]
    assert "none.tif cannot be read" in answers[-1]["outputs"]["problem"]
    assert process.returncode == 0
    # Fiji, which made it, may have ended before it could remove it.
    assert not exchange.exists()
