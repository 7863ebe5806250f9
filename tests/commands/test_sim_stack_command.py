"""SIM Reconstruct... with a 3D-SIM stack as a whole."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from zsfiji import progress
from zsfiji.commands import find
from zsfiji.commands.outcome import Outcome
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import pixel_size
from zsfiji.images.folding import fold
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.optics_3d import calculated
from zsfiji.physics.sim.simulator_3d import StackSimulation, simulate_stack
from zsfiji.reconstruction import richardson_lucy
from zsfiji.services.sim import iterative
from zsfiji.services.sim.settings import Settings
from zsfiji.services.sim_stack.given import StackGiven, StackOptics
from zsfiji.services.sim_stack.reconstructor import StackReconstructor
from zsfiji.services.sim_stack.service import METHOD

RECONSTRUCT = find("SIM Reconstruct...")
LENS = Optics("wide-field", 1.4, 525.0, excitation=488.0)
OPTICS = {"na": 1.4, "emission": 525, "background": 100, "damping": 1}
STACK = {**OPTICS, "dimensions": "3d", "excitation": 488}


@cache
def simulated() -> StackSimulation:
    return simulate_stack("reticulum", (12, 64, 64), optics=LENS, peak=150.0, seed=2)


@cache
def outcome() -> Outcome:
    return run(RECONSTRUCT, simulated().raw, {**STACK, "spectrum": False})


def omx() -> xr.DataArray:
    """The stack as an OMX saves it: all as slices, angle, slice, phase."""
    raw = simulated().raw
    pixels = raw.transpose("ang", "pln", "pha", "row", "col").data.reshape(-1, 64, 64)
    saved = xr.DataArray(pixels, dims=("pln", "row", "col"), attrs={"title": "omx.tif"})
    saved.attrs["units"] = dict.fromkeys(("pln", "row", "col"), "micron")
    return saved.assign_coords(
        pln=0.125 * np.arange(len(pixels)), row=0.08 * np.arange(64), col=0.08 * np.arange(64)
    )


def alike(image: np.ndarray, truth: np.ndarray) -> float:
    """Correlation of the inner slices and pixels."""
    inside = (slice(3, -3), slice(16, -16), slice(16, -16))
    return float(np.corrcoef(image[inside].ravel(), truth[inside].ravel())[0, 1])


def test_a_stack_is_reconstructed_as_a_whole() -> None:
    wide, filtered, sim = (image.data for image in outcome().images)
    assert sim.shape == (12, 128, 128)
    main = outcome().images[-1]
    assert main.dims == ("pln", "row", "col")
    assert pixel_size(main, "pln") == pytest.approx(0.125)
    assert pixel_size(main, "row") == pytest.approx(0.04)
    truth = simulated().truth
    quality = [alike(image, truth) for image in (wide, filtered, sim)]
    assert quality[2] > quality[1] + 0.1
    assert quality[2] > quality[0] + 0.1
    (table,) = outcome().tables
    assert len(table.rows) == 6
    said = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    line = 80 / simulated().patterns.finest
    assert said[1]["Spacing (nm)"] == pytest.approx(line, rel=0.01)
    assert said[0]["Spacing (nm)"] == pytest.approx(2 * line, rel=0.01)
    assert {row["Verdict"] for row in said} == {"good"}


def test_a_drift_between_the_angles_is_corrected() -> None:
    raw = simulated().raw.copy(deep=True)
    # The pattern moves along, as if it had another phase.
    raw.data[2] = np.roll(raw.data[2], -3, -2)
    found = run(RECONSTRUCT, raw, {**STACK, "spectrum": False})
    assert "moved by 2.9 pixels between the angles" in " ".join(found.notes)
    # The result is where the specimen is on average: a pixel higher, which are two fine ones.
    truth = simulated().truth
    quality = alike(found.images[-1].data, np.roll(truth, -2, -2))
    assert quality > alike(outcome().images[-1].data, truth) - 0.02
    (table,), (usual,) = found.tables, outcome().tables
    column = table.columns.index("Modulation")
    for row, expected in zip(table.rows, usual.rows, strict=True):
        assert row[column] == pytest.approx(expected[column], abs=0.1)


def test_slice_by_slice_is_worse() -> None:
    flat = run(RECONSTRUCT, simulated().raw, {**OPTICS, "spectrum": False})
    truth = simulated().truth
    assert alike(outcome().images[-1].data, truth) > alike(flat.images[-1].data, truth) + 0.05


def test_the_order_of_an_omx_and_a_folded_stack() -> None:
    given = {**STACK, "order": "omx", "angles": 3, "phases": 5, "spectrum": False}
    again = run(RECONSTRUCT, omx(), given).images[-1]
    np.testing.assert_allclose(again.data, outcome().images[-1].data, rtol=1e-4, atol=0.1)
    assert fold(simulated().raw).sizes["t"] == 15


def test_saved_parameters_serve_again(tmp_path: Path) -> None:
    path = tmp_path / "patterns.json"
    run(RECONSTRUCT, simulated().raw, {**STACK, "save_parameters": str(path)})
    again = run(RECONSTRUCT, simulated().raw, {**STACK, "use_parameters": str(path)})
    np.testing.assert_allclose(again.images[-1].data, outcome().images[-1].data, atol=1e-3)


def test_a_measured_otf(tmp_path: Path) -> None:
    """A file as a microscope has it: the calculated OTF, with the contrasts of a bead."""
    found = calculated(LENS, pixel=80, spacing=125, slices=40, line=simulated().patterns.finest)
    contrast = np.array([1.0, 0.3, 0.15])[:, None, None]
    table = (found.orders.numpy() * contrast).transpose(0, 2, 1)
    table = np.concatenate([table, np.zeros((3, 60, 40))], axis=1).astype(">c8")
    header = np.zeros(256, ">i4")
    header[:4] = (*table.shape[::-1], 4)
    header[10:13] = np.array([1 / (40 * 0.125), found.step / 0.08, 0], ">f4").view(">i4")
    header.view(">i2")[48] = -16224
    path = tmp_path / "otf.mrc"
    path.write_bytes(header.tobytes() + table.tobytes())
    image = run(RECONSTRUCT, simulated().raw, {**STACK, "otf": str(path)}).images[-1]
    assert alike(image.data, simulated().truth) > 0.9 * alike(
        outcome().images[-1].data, simulated().truth
    )


def test_a_stack_is_reconstructed_iteratively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iterative, "_STACK_SIDE", 24)
    monkeypatch.setattr(iterative, "_STACK_MOST", 60)
    raw = simulated().raw.isel(row=slice(8, 56), col=slice(8, 56))
    truth = simulated().truth[:, 16:112, 16:112]
    options = {**STACK, "spectrum": False, "widefield": False, "filtered": False}
    (usual,) = run(RECONSTRUCT, raw, options).images
    (found,) = run(RECONSTRUCT, raw, {**options, "quality": "iterative"}).images
    assert found.shape == usual.shape
    assert alike(found.data, truth) > alike(usual.data, truth)
    # It knows which light is from other slices.
    for slices in (slice(0, 6), slice(6, 12)):
        expected = float(truth[slices].mean()) - 100
        assert float(found.data[slices].mean()) == pytest.approx(expected, rel=0.12)


def test_finish_now_ends_an_iterative_reconstruction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iterative, "_STACK_SIDE", 24)
    steps: list[int] = []
    step = richardson_lucy._step
    monkeypatch.setattr(richardson_lucy, "_step", lambda *given: (steps.append(1), step(*given))[1])

    class Sink:
        def show(self, event: progress.Event) -> None: ...
        def cancelled(self) -> bool:
            return False

        def finish_now(self) -> bool:
            return True

    options = {**STACK, "quality": "iterative", "spectrum": False}
    with progress.using(Sink()):
        images = run(RECONSTRUCT, simulated().raw, options).images
    assert len(images) == 3
    assert len(steps) <= 2 * 9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"excitation": ""}, "give 'excitation'"),
        ({"quality": "classical", "notch": 0.9}, "notch=0"),
        ({"immersion": 1.3}, "below the refractive index of the immersion"),
        ({"pattern": "hexagonal"}, "hexagonal pattern needs at least 7 phases"),
    ],
)
def test_what_a_stack_lacks_is_said(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        run(RECONSTRUCT, simulated().raw, {**STACK, **options})


def test_the_pattern_that_is_given_is_taken() -> None:
    options = {**STACK, "pattern": "two-beam", "widefield": False, "filtered": False}
    (table,) = run(RECONSTRUCT, simulated().raw, {**options, "spectrum": False}).tables
    assert len(table.rows) == 3
    with pytest.raises(UserError, match="three-beam pattern needs at least 5 phases"):
        run(RECONSTRUCT, simulated().raw.isel(pha=slice(3)), {**STACK, "pattern": "three-beam"})
    # One angle with seven phases counts as hexagonal.
    seven = simulated().raw.isel(ang=[0], pha=[0, 1, 2, 3, 4, 0, 1])
    with pytest.raises(UserError, match="hexagonal pattern is for planes"):
        run(RECONSTRUCT, seven, STACK)


def test_a_copy_in_a_single_slice_is_refused() -> None:
    raw = simulated().raw.copy(deep=True)
    raw.data[1, 3, 7] = raw.data[1, 2, 7]
    # A slice that was added to the stack has no copies.
    raw.data[:, :, 0] = 100
    raw.data[0, 1, 0, 5, 5] = 101
    with pytest.raises(UserError, match="phase 3 of angle 2 and phase 4 of angle 2"):
        run(RECONSTRUCT, raw, STACK)


def test_a_single_slice_or_one_without_spacing_is_no_stack() -> None:
    raw = simulated().raw
    with pytest.raises(UserError, match="1 slice, and 3D-SIM needs at least 4"):
        run(RECONSTRUCT, raw.isel(pln=0), {**STACK, "slice_spacing": 125})
    bare = raw.drop_vars("pln").assign_attrs(units={"row": "micron", "col": "micron"})
    with pytest.raises(UserError, match="1 slice, and 3D-SIM needs at least 4"):
        run(RECONSTRUCT, bare.isel(pln=0), {**STACK, "slice_spacing": 125})
    with pytest.raises(UserError, match="slice spacing"):
        run(RECONSTRUCT, bare, STACK)
    assert math.isfinite(
        float(run(RECONSTRUCT, bare, {**STACK, "slice_spacing": 125}).metrics["noise_variance"])
    )


def test_another_capture_has_read_noise_where_there_is_no_light() -> None:
    settings = Settings()
    optics = StackOptics(LENS, 0.08, 0.125)
    model = METHOD.fit(simulated().raw, settings, StackGiven(optics, background=100.0))
    unit = model.units[0]
    record = replace(unit.record.calibration, read_variance=9.0)
    unit = StackReconstructor(replace(unit.record, calibration=record), {})
    dark = xr.DataArray(np.zeros((12, 128, 128), np.float32), dims=("pln", "row", "col"))
    noise = METHOD.simulate(replace(model, units=(unit,)), {"sim": dark}, seed=1)
    assert noise.dims == ("ang", "pha", "pln", "row", "col")
    assert float(noise.mean()) == pytest.approx(100, abs=0.1)
    assert float(noise.std()) == pytest.approx(3, rel=0.05)
