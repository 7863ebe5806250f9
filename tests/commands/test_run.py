"""Running a command: selection, memory, provenance, bit depth, models, one job at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import psutil
import pytest
import xarray as xr
from bridge.blur import blur

from zsfiji import folders, progress
from zsfiji.commands import find, parse
from zsfiji.commands import run as running
from zsfiji.commands.device_lock import device_lock
from zsfiji.commands.outcome import result_title
from zsfiji.commands.run import run, run_on_array
from zsfiji.errors import Cancelled, UserError
from zsfiji.images.axes import as_image

BLUR = blur.command


def image(shape=(20, 24), dims=("row", "col"), dtype="u2", **attrs):
    pixels = (np.random.default_rng(1).random(shape) * 200).astype(dtype)
    return as_image(pixels, dims, {"title": "cells.tif", **attrs})


def test_a_result_carries_the_line_that_makes_it_again():
    outcome = run(BLUR, image(properties={"mine": "kept"}), {"sigma": "1.5", "negate": "true"})
    kept = outcome.images[0].attrs["properties"]
    assert kept["mine"] == "kept"
    assert kept["zsfiji.version"]
    assert kept["zsfiji.notes"] == "Blurred by 1.5 px."
    line = kept["zsfiji.command"]
    assert line == 'run("Test Blur...", "sigma=1.5 border=nearest negate=true");'
    options = parse(line.split('", "')[1].removesuffix('");'))
    again = run(BLUR, image(), options)
    np.testing.assert_array_equal(again.images[0].data, outcome.images[0].data)


def test_a_rectangle_means_this_region_and_is_written_down():
    whole = image()
    outcome = run(BLUR, image(roi=(3, 2, 10, 8)), {"sigma": 0})
    result = outcome.images[0]
    np.testing.assert_array_equal(result.data, whole.data[2:10, 3:13].astype(np.float32))
    assert result.attrs["properties"]["zsfiji.region"] == "makeRectangle(3, 2, 10, 8);"


def test_a_result_of_a_result_tells_only_of_the_last_step():
    first = run(BLUR, image(roi=(3, 2, 10, 8)), {"sigma": 1}).images[0]
    second = run(BLUR, first, {"sigma": 2}).images[0].attrs["properties"]
    assert "sigma=2 " in second["zsfiji.command"]
    assert "zsfiji.region" not in second


def test_a_rectangle_outside_the_image_is_refused():
    with pytest.raises(UserError, match="outside the image"):
        run(BLUR, image(roi=(100, 2, 10, 8)), {})


def test_an_empty_image_is_refused():
    with pytest.raises(UserError, match="empty"):
        run(BLUR, image((0, 4)), {})


def test_an_image_too_big_for_the_memory_is_refused_before_the_work(monkeypatch):
    free = type("Memory", (), {"available": 100})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(UserError, match="Draw a rectangle"):
        run(BLUR, image(), {})


def test_what_one_plane_needs_counts_once(monkeypatch):
    plane, stack = image((10, 10)), image((50, 10, 10), ("t", "row", "col"))
    command = replace(BLUR, memory=1.0, plane_memory=100.0)
    # 100 and 5000 bytes of the pixels, and 10,000 of a plane.
    for free, refused in (
        (10_099, (True, True)),
        (10_100, (False, True)),
        (15_000, (False, False)),
    ):
        memory = type("Memory", (), {"available": free})
        monkeypatch.setattr(psutil, "virtual_memory", lambda memory=memory: memory)
        for one, no in zip((plane, stack), refused, strict=True):
            with pytest.raises(UserError, match="needs about") if no else nullcontext():
                run(command, one, {})
    # A raw image may have its frames as tiles of a single plane.
    memory = type("Memory", (), {"available": 2_100})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    run(replace(command, together=5), plane, {})


def test_freed_memory_is_kept_only_where_there_is_plenty(monkeypatch):
    kept = []
    monkeypatch.setattr(running, "memory_kept", lambda: kept.append(1) or nullcontext())
    command = replace(BLUR, memory=1.0, plane_memory=99.0)
    for free, times in ((10_000, 0), (20_000, 0), (20_001, 1)):
        memory = type("Memory", (), {"available": free})
        monkeypatch.setattr(psutil, "virtual_memory", lambda memory=memory: memory)
        run(command, image((10, 10)), {})
        assert len(kept) == times


def test_an_array_that_looks_like_a_colour_picture_is_not_taken_for_slices():
    with pytest.raises(UserError, match=r"\(40, 40, 3\), which looks like a colour picture"):
        as_image(np.zeros((40, 40, 3), np.uint8))
    assert as_image(np.zeros((40, 40, 3))).dims == ("pln", "row", "col")


def test_from_python_the_type_that_went_in_comes_out():
    pixels = image().data
    assert type(run_on_array(BLUR, pixels, {})) is np.ndarray
    labelled = xr.DataArray(pixels, dims=("row", "col"))
    result = run_on_array(BLUR, labelled, {"sigma": 1})
    assert isinstance(result, xr.DataArray)
    assert "zsfiji.command" in result.attrs["properties"]


@pytest.mark.parametrize(
    ("title", "result"),
    [
        ("cells.tif", "cells-denoised"),
        ("cells", "cells-denoised"),
        ("a.b.tiff", "a.b-denoised"),
        ("Fig. 3 left", "Fig. 3 left-denoised"),
        (".tif", ".tif-denoised"),
    ],
)
def test_results_are_named_after_their_image(title, result):
    assert result_title(title, "denoised") == result


# --- The real commands ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An image, its result, and the model file that came with it."""
    rng = np.random.default_rng(0)
    row, col = np.mgrid[:64, :64]
    clean = 40 + 30 * np.sin(row / 5) * np.cos(col / 7)
    noisy = as_image(rng.poisson(clean).astype(np.uint16), attrs={"title": "waves.tif"})
    path = tmp_path_factory.mktemp("models") / "waves"
    outcome = run(find("denoise"), noisy, {"quality": "quick", "save_model": str(path)})
    return noisy, clean, outcome, path.with_suffix(".zsfiji")


def test_denoising_keeps_shape_and_unit_and_comes_nearer_to_the_truth(trained):
    noisy, clean, outcome, _ = trained
    result = outcome.images[0]
    assert result.dims == noisy.dims
    assert result.dtype == np.float32
    assert result.attrs["title"] == "waves-denoised"
    before, after = np.std(noisy.data - clean), np.std(result.data - clean)
    assert after < 0.6 * before
    assert abs(float(result.mean()) - clean.mean()) < 0.5


def test_provenance_names_model_seed_and_device(trained):
    kept = trained[2].images[0].attrs["properties"]
    assert kept["zsfiji.seed"] == "0"
    assert kept["zsfiji.model"]
    assert kept["zsfiji.device"]
    assert "save_model=" in kept["zsfiji.command"]


def test_a_saved_model_gives_the_same_pixels_again(trained):
    noisy, _, outcome, path = trained
    again = run(find("denoise"), noisy, {"apply_model": str(path)})
    np.testing.assert_array_equal(again.images[0].data, outcome.images[0].data)
    kept = again.images[0].attrs["properties"]
    assert kept["zsfiji.model"] == outcome.images[0].attrs["properties"]["zsfiji.model"]


def test_bit_depth_of_the_input_is_rounded_and_not_truncated(trained):
    noisy, _, outcome, path = trained
    result = run(find("denoise"), noisy, {"apply_model": path, "bit_depth": "input"}).images[0]
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result.data, np.rint(outcome.images[0].data))


def test_a_grey_image_that_was_saved_as_rgb_stays_rgb_with_a_note(trained):
    noisy, _, _, path = trained
    grey = np.clip(noisy.data, 0, 255).astype(np.uint8)
    colour = as_image(
        np.repeat(grey[..., None], 3, 2), ("row", "col", "ch"), {"rgb": True, "title": "c"}
    )
    outcome = run(find("denoise"), colour, {"apply_model": path})
    result = outcome.images[0]
    assert result.dtype == np.uint8
    assert result.attrs["rgb"]
    assert (result.data == result.data[..., :1]).all()
    assert any("grey" in note for note in outcome.notes)


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\x00" * 400])
def test_a_missing_broken_or_foreign_model_file_is_refused(trained, tmp_path, content):
    path = tmp_path / "m.zsfiji"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"m\.zsfiji"):
        run(find("denoise"), trained[0], {"apply_model": path})


def test_the_model_of_another_method_is_refused(trained):
    with pytest.raises(UserError, match=r"denoise|FM2S|fm2s"):
        run(find("fm2s"), trained[0], {"apply_model": trained[3]})


def test_a_model_that_cannot_be_saved_is_refused_before_the_training(trained, tmp_path):
    started = time.monotonic()
    with pytest.raises(UserError, match="cannot be written"):
        run(find("denoise"), trained[0], {"save_model": tmp_path / "no" / "m", "quality": "best"})
    assert time.monotonic() - started < 2


def test_a_device_that_is_not_there_is_refused(trained):
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this computer has an Apple graphics processor")
    with pytest.raises(UserError, match="mps"):
        run(find("denoise"), trained[0], {"device": "mps"})


# --- One job at a time ---


def test_jobs_on_one_device_wait_for_one_another():
    order = []

    def job(name):
        with device_lock("a device"):
            order.append(f"{name} in")
            time.sleep(0.05)
            order.append(f"{name} out")

    threads = [threading.Thread(target=job, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step[0] for step in order[::2]] == [step[0] for step in order[1::2]]


@pytest.fixture
def another_process(tmp_path, monkeypatch):
    """A process that holds a device until it is killed."""
    monkeypatch.setattr(folders, "runtime_folder", lambda: tmp_path / "locks")
    code = """
import pathlib, sys, time
from zsfiji import folders
from zsfiji.commands.device_lock import device_lock
folders.runtime_folder = lambda: pathlib.Path(sys.argv[1])
with device_lock("a device"), device_lock("cpu"):
    print("in", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "locks")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "in\n"
    yield process
    process.kill()
    process.wait()


class Waiting:
    """A sink that notes what it is told, and then does something about it."""

    def __init__(self, then):
        self.then, self.said, self.stop = then, [], False

    def show(self, event):
        self.said.append(event.message)
        self.then(self)

    def cancelled(self):
        return self.stop

    def finish_now(self):
        return False


def test_a_job_waits_for_another_process_until_that_ends_however(another_process):
    sink = Waiting(lambda _: another_process.kill())
    with progress.using(sink), device_lock("a device"):
        assert another_process.wait(10) != 0
    assert set(sink.said) == {"Waiting for another zsfiji process on this device"}


def test_a_job_that_waits_for_another_process_can_be_cancelled(another_process):
    sink = Waiting(lambda me: setattr(me, "stop", True))
    with progress.using(sink), pytest.raises(Cancelled), device_lock("a device"):
        pass
    assert sink.said
    sink.stop = False
    with progress.using(sink), device_lock("another device"):
        pass


def test_processes_share_the_cpu(another_process):
    sink = Waiting(lambda me: setattr(me, "stop", True))
    with progress.using(sink), device_lock("cpu"):
        assert not sink.said


def test_without_a_place_for_locks_the_work_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(folders, "runtime_folder", lambda: tmp_path / "file" / "locks")
    with device_lock("a device"):
        pass


def test_a_waiting_job_can_be_cancelled():
    class Impatient:
        def show(self, event):
            assert "Waiting" in event.message

        def cancelled(self):
            return True

        def finish_now(self):
            return False

    with device_lock("a device"):
        with progress.using(Impatient()), pytest.raises(Cancelled), device_lock("a device"):
            pass
        with device_lock("another device"):
            pass
    with device_lock("a device"):
        pass
