"""The Python process of a stock Fiji, spoken to as Fiji does, without any Java."""

from __future__ import annotations

import json
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
    assert task.updates == [("Doubling, 50 %", 500, 1000, None)]


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


def test_fiji_learns_how_long_a_command_takes_and_where_a_window_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path))
    sizes = {"t": 1, "pln": 1, "row": 512, "col": 512, "ch": 1}
    text = worker.duration("Zero-Shot Denoise...", sizes)["text"]
    assert text.startswith("Time on ")
    assert all(quality in text for quality in ("quick", "standard", "best"))
    assert worker.duration("Noise Calibration...", sizes) == {"text": ""}
    screen = [0, 0, 1600, 900]
    found = worker.place([300, 300], [100, 100, 300, 300], screen, [[408, 100, 300, 300]], [])
    assert found == {"x": 716, "y": 100}


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
