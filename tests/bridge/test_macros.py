"""The macros that we hand out run as they are, in ImageJ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from structured import simulate

from zsfiji.images import tiff

FOLDER = Path(__file__).parents[2] / "macros"

pytestmark = [pytest.mark.jvm, pytest.mark.slow]


@pytest.fixture
def run(ij, closing):
    """Run one of the macros at the lowest quality; gives nothing, writes what the macro writes."""
    from zsfiji.bridge import menu
    from zsfiji.bridge.macro import run_macro

    menu.install(ij)

    def call(name, argument):
        text = (FOLDER / name).read_text()
        run_macro(ij, text.replace('quality = "standard";', 'quality = "quick";'), str(argument))

    return call


def cells(path, frames=0, seed=0):
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:40, :44]
    clean = 300 + 200 * np.sin(row / 6) * np.cos(col / 8)
    shape = (frames, 40, 44) if frames else (40, 44)
    pixels = rng.poisson(np.broadcast_to(clean, shape)).astype(np.uint16)
    known = {"unit": "micron", "axes": "ZYX" if frames else "YX"}
    tifffile.imwrite(path, pixels, imagej=True, resolution=(4, 4), metadata=known)
    return pixels


def opened(ij, title):
    """An image that a user has open, by its number."""
    image = ij.ij1.IJ.createImage(title, "8-bit ramp", 8, 8, 1)
    image.show()
    return int(image.getID())


def test_every_macro_is_tested():
    tested = {
        "single_image.ijm",
        "folder_batch.ijm",
        "time_lapse.ijm",
        "deconvolve_folder.ijm",
        "sim_folder.ijm",
    }
    assert {path.name for path in FOLDER.iterdir()} == tested


def test_single_image(run, tmp_path):
    before = cells(tmp_path / "my cells.tif")
    run("single_image.ijm", tmp_path / "my cells.tif")
    result = tiff.read(tmp_path / "my cells-denoised.tif")
    assert result.shape == before.shape
    assert result.dtype == np.float32
    assert result.attrs["units"]["col"] == "micron"
    assert result.attrs["properties"]["zsfiji.command"].startswith('run("Zero-Shot Denoise...", ')


def test_folder_batch_trains_once_and_reuses_the_model(run, tmp_path):
    raw = tmp_path / "raw data"
    raw.mkdir()
    for number, ending in enumerate(("TIF", "tiff", "tif")):
        cells(raw / f"cell {number}.{ending}", seed=number)
    # Of single_image.ijm, which saves beside the image. The other one is an image of its own.
    cells(raw / "cell 0-denoised.tif")
    cells(raw / "cell 3-denoised.tif", seed=3)
    (raw / "notes.txt").write_text("no image")

    def denoised():
        run("folder_batch.ijm", f"{raw};{tmp_path / 'results'}")
        stems = ("cell 0", "cell 1", "cell 2", "cell 3-denoised")
        return [tiff.read(tmp_path / "results" / f"{stem}-denoised.tif") for stem in stems]

    def trained(results):
        lines = [result.attrs["properties"]["zsfiji.command"] for result in results]
        return ["apply_model" not in line for line in lines]

    results = denoised()
    assert len(list((tmp_path / "results").glob("*.tif"))) == 4
    models = {result.attrs["properties"]["zsfiji.model"] for result in results}
    assert len(models) == 1
    assert trained(results) == [True, False, False, False]
    assert not np.array_equal(results[0], results[1])
    again = denoised()
    assert trained(again) == [False, False, False, False]
    assert again[0].attrs["properties"]["zsfiji.model"] in models


def test_deconvolve_folder_trains_once_and_saves_both_results(ij, closing, tmp_path):
    from zsfiji.bridge import menu
    from zsfiji.bridge.macro import run_macro

    (tmp_path / "raw").mkdir()
    for number, name in enumerate(("cell 0", "cell 1-denoised")):
        cells(tmp_path / "raw" / f"{name}.tif", seed=number)
    for name in ("cell 0-denoised", "Cell 0-deconvolved", "psf"):
        cells(tmp_path / "raw" / f"{name}.tif")
    menu.install(ij)
    text = (FOLDER / "deconvolve_folder.ijm").read_text(encoding="utf-8")
    assert '"microscope=wide-field' in text
    # Ten steps, and pixels of 250 nm, which want a weaker lens than the one in the macro.
    text = text.replace("na = 1.4;", "na = 0.5;").replace(" seed=0", " seed=0 steps=10")
    mine = opened(ij, "cell 0-denoised")
    run_macro(ij, text, f"{tmp_path / 'raw'};{tmp_path / 'results'}")
    assert list(ij.ij1.WindowManager.getIDList()) == [mine]
    found = {path.name for path in (tmp_path / "results").iterdir()}
    stems = ("cell 0", "cell 1-denoised")
    results = {f"{stem}-{kind}.tif" for stem in stems for kind in ("denoised", "deconvolved")}
    assert found == {*results, "psf.tif", "model.zsfiji"}
    sharp = [tiff.read(tmp_path / "results" / f"{stem}-deconvolved.tif") for stem in stems]
    assert sharp[0].shape == (80, 88)
    assert float(sharp[0].col[1] - sharp[0].col[0]) == pytest.approx(0.125)
    assert (
        sharp[0].attrs["properties"]["zsfiji.model"]
        == (sharp[1].attrs["properties"]["zsfiji.model"])
    )


@pytest.mark.parametrize("name", ["folder_batch", "deconvolve_folder", "sim_folder"])
@pytest.mark.parametrize(
    ("folders", "said"),
    [
        ("{0}/no;{0}/results", "There is no folder"),
        ("{0};{0}/", "Choose a folder for the results that is not the folder of the images"),
    ],
)
def test_a_folder_that_does_not_serve_is_refused(tmp_path, name, folders, said):
    # Apart and without windows, where ImageJ does not open a dialog to say it.
    cells(tmp_path / "cell.tif")
    words = ["macro", FOLDER / f"{name}.ijm", folders.format(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "zsfiji.cli", *map(str, words), "--fiji", "none"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cell.tif"]


def test_time_lapse_makes_frames_of_slices_and_keeps_its_model(run, tmp_path):
    before = cells(tmp_path / "movie.tif", frames=3)
    run("time_lapse.ijm", tmp_path / "movie.tif")
    result = tiff.read(tmp_path / "movie-denoised.tif")
    assert result.dims == ("t", "row", "col")
    assert result.shape == before.shape
    assert (tmp_path / "movie.zsfiji").exists()
    run("time_lapse.ijm", tmp_path / "movie.tif")
    again = tiff.read(tmp_path / "movie-denoised.tif")
    assert "apply_model" in again.attrs["properties"]["zsfiji.command"]
    np.testing.assert_array_equal(again, result)


def test_sim_folder(run, ij, tmp_path):
    (tmp_path / "raw").mkdir()
    # Many raw images are named like the second.
    stems = ("0", "1-sim")
    cells(tmp_path / "raw" / "0-sim.tif")
    for number, stem in enumerate(stems):
        seen = (
            simulate(shape=(64, 72), peak=200 / (1 + 9 * number), seed=number).noisy.numpy() + 100
        )
        frames = np.clip(np.rint(seen), 0, None).astype(np.uint16).reshape(9, 64, 72)
        known = {"axes": "ZYX"}
        tifffile.imwrite(tmp_path / "raw" / f"{stem}.tif", frames, imagej=True, metadata=known)
    mine = opened(ij, "0.tif")
    run("sim_folder.ijm", f"{tmp_path / 'raw'};{tmp_path / 'sim'}")
    assert list(ij.ij1.WindowManager.getIDList()) == [mine]
    assert len(list((tmp_path / "sim").glob("*.tif"))) == 2
    results = [tiff.read(tmp_path / "sim" / f"{stem}-sim.tif") for stem in stems]
    assert [r.shape for r in results] == [(128, 144)] * 2
    commands = [r.attrs["properties"]["zsfiji.command"] for r in results]
    assert "save_parameters" in commands[0]
    assert "use_parameters" in commands[1]
    assert (tmp_path / "sim" / "patterns.json").exists()
