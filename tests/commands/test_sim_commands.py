"""The commands for raw SIM images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structured
import torch
import xarray as xr
from structured import simulate

from zsfiji.commands import find
from zsfiji.commands.outcome import Outcome
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image, set_calibration
from zsfiji.physics.optics.microscope import Optics
from zsfiji.physics.sim.simulator import simulate as simulated
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim import finding, linear

OPTICS = {"na": 1.49, "emission": 525, "pixel_size": 65, "background": 100, "damping": 1}
RECONSTRUCT = find("SIM Reconstruct...")
PARAMETERS = find("SIM Parameters...")


def raw(
    stack: np.ndarray | torch.Tensor, dims: tuple[str, ...] = ("pln", "row", "col")
) -> xr.DataArray:
    """A raw image as it comes from a file: frames as slices, an offset of 100."""
    pixels = np.asarray(stack, np.float32)
    pixels = pixels.reshape(-1, *pixels.shape[-2:]) if dims[0] == "pln" else pixels
    image = as_image(np.clip(np.rint(pixels + 100), 0, 65535).astype(np.uint16), dims)
    image.attrs["title"] = "cell.tif"
    set_calibration(image, {"row": 0.1, "col": 0.1}, {"row": "micron", "col": "micron"})
    return image


@pytest.fixture(scope="module")
def stack() -> structured.Stack:
    return simulate(shape=(96, 128), peak=200, seed=4)


@pytest.fixture(scope="module")
def outcome(stack: structured.Stack) -> Outcome:
    return run(RECONSTRUCT, raw(stack.noisy), OPTICS)


def as_seen(stack: structured.Stack) -> torch.Tensor:
    return Wiener(stack.patterns, (96, 128), structured.TRANSFER).seen(stack.truth)


def test_a_stack_of_slices_is_reconstructed(stack: structured.Stack, outcome: Outcome) -> None:
    titles = [image.attrs["title"] for image in outcome.images]
    assert titles == ["cell-widefield", "cell-filtered", "cell-spectrum", "cell-sim"]
    truth = as_seen(stack)
    wide, filtered, _, sim = (torch.from_numpy(i.data) for i in outcome.images)
    quality = [structured.psnr(image, truth) for image in (wide, filtered, sim)]
    assert quality[2] > quality[1] + 3 > quality[0] + 3
    main = outcome.images[-1]
    assert main.dims == ("row", "col")
    assert main.shape == (192, 256)
    assert float(main.coords["col"][1] - main.coords["col"][0]) == pytest.approx(0.0325)
    assert main.attrs["properties"]["zsfiji.command"].startswith('run("SIM Reconstruct..."')
    low, high = main.attrs["display_ranges"][0]
    assert low < 0.2 * float(sim.max())
    assert 0.4 * float(sim.max()) < high < float(sim.max())
    # In grey levels above the background.
    assert float(sim.mean()) == pytest.approx(float(wide.mean()), rel=0.05)


def test_the_table_says_what_was_found(stack: structured.Stack, outcome: Outcome) -> None:
    (table,) = outcome.tables
    assert len(table.rows) == 3
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["Spacing (nm)"] == pytest.approx(65 / (0.9 * structured.CUTOFF), rel=0.01)
    assert row["Direction (deg)"] == pytest.approx(np.degrees(0.3), abs=0.5)
    assert row["Modulation"] == pytest.approx(0.7, abs=0.15)
    assert row["Verdict"] == "good"
    assert outcome.metrics["significance_2"] > 5


def test_the_spectrum_marks_the_patterns(outcome: Outcome) -> None:
    from roifile import ImagejRoi

    spectrum = outcome.images[2]
    marks = [ImagejRoi.frombytes(data) for data in spectrum.attrs["overlay"]]
    assert len(marks) == 7
    centres = {((m.top + m.bottom) / 2, (m.left + m.right) / 2) for m in marks}
    vector = 0.9 * structured.CUTOFF * np.array([np.sin(0.3), np.cos(0.3)])
    assert spectrum.shape == (256, 256)
    expected = 128 + vector * 128
    assert min(np.hypot(*(np.array(c) - expected)) for c in centres) < 1.5


@pytest.mark.parametrize("quality", ["iterative", "classical"])
def test_other_qualities_reconstruct_as_well(stack: structured.Stack, quality: str) -> None:
    options = {**OPTICS, "quality": quality, "spectrum": False, "filtered": False}
    found = run(RECONSTRUCT, raw(stack.noisy), options)
    assert [i.attrs["title"] for i in found.images] == ["cell-widefield", "cell-sim"]
    truth = as_seen(stack)
    wide, sim = (structured.psnr(torch.from_numpy(i.data), truth) for i in found.images)
    assert sim > wide + 3


def test_noise_that_does_not_grow_with_the_light_leaves_no_flat_image(
    stack: structured.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    strength = 0.3 * float(stack.noisy.max())
    noise = strength * np.random.default_rng(0).normal(size=stack.noisy.shape)
    loud = stack.noisy + torch.from_numpy(noise.astype(np.float32))
    monkeypatch.setattr(finding, "noise_line", lambda *_: (0.0, strength**2))
    options = {**OPTICS, "spectrum": False, "filtered": False, "widefield": False}
    truth = as_seen(stack)
    linear, found = (
        structured.psnr(torch.from_numpy(image.data), truth)
        for quality in ("automatic", "iterative")
        for image in run(RECONSTRUCT, raw(loud), {**options, "quality": quality}).images
    )
    assert found > linear


def test_light_that_is_left_out_as_haze_is_said(stack: structured.Stack) -> None:
    options = {**OPTICS, "spectrum": False, "filtered": False}
    hazy = raw(stack.noisy + 4 * stack.noisy.mean())
    iterative, automatic = (
        [n for n in run(RECONSTRUCT, hazy, {**options, "quality": one}).notes if "haze" in n]
        for one in ("iterative", "automatic")
    )
    assert not automatic
    share = float(iterative[0].split(" %")[0])
    assert share > 75


def test_an_image_that_is_not_asked_for_costs_nothing(
    stack: structured.Stack, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Wiener] = []

    class Counted(Wiener):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            made.append(self)

    monkeypatch.setattr(linear, "Wiener", Counted)
    options = {**OPTICS, "widefield": False, "filtered": False, "spectrum": False}
    (alone,) = run(RECONSTRUCT, raw(stack.noisy), options).images
    np.testing.assert_array_equal(alone.data, outcome.images[-1].data)
    assert len(made) == 1


def test_parameters_are_saved_and_used_for_a_dimmer_image(
    stack: structured.Stack, tmp_path: Path
) -> None:
    file = tmp_path / "patterns.json"
    options = {**OPTICS, "save_parameters": str(tmp_path / "patterns")}
    found = run(PARAMETERS, raw(stack.noisy), options)
    assert not found.images
    assert found.metrics["spacing_1"] == pytest.approx(65 / (0.9 * structured.CUTOFF), rel=0.01)
    assert file.exists()
    dim = simulate(shape=(96, 128), peak=2, seed=6)
    options = {**OPTICS, "use_parameters": str(file)}
    del options["background"]
    used = run(RECONSTRUCT, raw(dim.noisy), options)
    assert used.tables[0].rows == found.tables[0].rows
    assert "are those of patterns.json" in used.notes[0]
    assert "darkest place" not in " ".join(used.notes)
    file.write_text("{}")
    with pytest.raises(UserError, match="holds no SIM parameters"):
        run(RECONSTRUCT, raw(dim.noisy), options)


def test_parameters_take_no_options_of_a_reconstruction(stack: structured.Stack) -> None:
    keys = {parameter.key for parameter in PARAMETERS.parameters}
    assert "fit_per" in keys
    for key in ("quality", "wiener", "notch", "notch_width", "seed"):
        assert key not in keys
    with pytest.raises(UserError, match='has no option "quality"'):
        run(PARAMETERS, raw(stack.noisy), {**OPTICS, "quality": "classical"})
    movie = raw(stack.noisy.expand(2, 3, 3, 96, 128), ("t", "ang", "pha", "row", "col"))
    found = run(PARAMETERS, movie, {**OPTICS, "fit_per": "plane"})
    assert len(found.tables[0].rows) == 6


def test_a_time_lapse_is_reconstructed_with_one_calibration(stack: structured.Stack) -> None:
    both = np.stack([stack.noisy.numpy(), 0.5 * stack.noisy.numpy()])
    image = raw(both, ("t", "ang", "pha", "row", "col"))
    found = run(RECONSTRUCT, image, {**OPTICS, "spectrum": False})
    main = found.images[-1]
    assert main.dims == ("t", "row", "col")
    assert np.corrcoef(main.data[0].ravel(), main.data[1].ravel())[0, 1] > 0.99


def test_a_wide_field_stack_is_said_to_have_no_pattern(stack: structured.Stack) -> None:
    draws = np.random.default_rng(0)
    wide = draws.poisson(np.repeat(stack.expected.mean((0, 1)).numpy()[None], 9, 0))
    found = run(RECONSTRUCT, raw(wide.astype(np.float32)), OPTICS)
    assert "No pattern was found in any angle" in " ".join(found.notes)
    assert {row[1] for row in found.tables[0].rows} <= {"not found", "uncertain, not used"}


def test_a_wrong_number_of_frames_is_refused(stack: structured.Stack) -> None:
    with pytest.raises(UserError, match="8 slices"):
        run(RECONSTRUCT, raw(stack.noisy.reshape(9, 96, 128)[:8]), OPTICS)


def test_pixels_that_are_too_wide_are_refused(stack: structured.Stack) -> None:
    with pytest.raises(UserError, match="too wide"):
        run(RECONSTRUCT, raw(stack.noisy), {**OPTICS, "pixel_size": 6500})


def test_parameters_of_another_number_of_angles_are_refused(
    stack: structured.Stack, tmp_path: Path
) -> None:
    file = tmp_path / "patterns.json"
    run(PARAMETERS, raw(stack.noisy), {**OPTICS, "save_parameters": str(file)})
    other = simulate(shape=(64, 64), given=structured.patterns(5, 5))
    with pytest.raises(UserError, match="3 angles x 3 phases"):
        run(RECONSTRUCT, raw(other.noisy), {**OPTICS, "use_parameters": str(file)})


def test_a_measured_otf_takes_the_place_of_the_calculated_one(
    stack: structured.Stack, tmp_path: Path
) -> None:
    from zsfiji.images import tiff

    psf = run(
        find("PSF Generator..."), None, {"na": 1.49, "emission": 525, "pixel_size": 32.5}
    ).images[0]
    file = tmp_path / "psf.tif"
    tiff.write(psf, file)
    found = run(RECONSTRUCT, raw(stack.noisy), {**OPTICS, "otf": str(file)})
    quality = structured.psnr(torch.from_numpy(found.images[-1].data), as_seen(stack))
    wide = structured.psnr(torch.from_numpy(found.images[0].data), as_seen(stack))
    assert quality > wide + 3
    with pytest.raises(UserError, match="another wavelength or objective"):
        run(RECONSTRUCT, raw(stack.noisy), {**OPTICS, "otf": str(file), "emission": 250})


def test_a_drift_between_the_angles_is_corrected() -> None:
    quality = {}
    for drift in (0.0, 1.5):
        shot = simulated(
            "filaments",
            (96, 96),
            optics=Optics("wide-field", 1.49, 525),
            pixel=65,
            peak=500,
            drift=drift,
            seed=2,
        )
        found = run(RECONSTRUCT, shot.raw, {**OPTICS, "pixel_size": None})
        assert ("moved by" in " ".join(found.notes)) == (drift > 0)
        image, truth = (torch.from_numpy(v) for v in (found.images[-1].data, shot.reference))
        quality[drift] = structured.psnr(image, truth)
    # Uncorrected it loses 3.7 dB. Motion between the phases of an angle cannot be corrected.
    assert quality[1.5] > quality[0.0] - 2


@pytest.mark.parametrize("given", ["auto", "phase-major"])
def test_frames_in_another_order_are_put_in_order(
    stack: structured.Stack, outcome: Outcome, given: str
) -> None:
    turned = stack.noisy.transpose(0, 1).contiguous()
    found = run(RECONSTRUCT, raw(turned), {**OPTICS, "order": given})
    np.testing.assert_allclose(found.images[-1].data, outcome.images[-1].data, atol=1e-2)
    said = "The order of the frames is phase-angle" in " ".join(found.notes)
    assert said == (given == "auto")


def test_copies_saturation_and_jpeg_are_said(stack: structured.Stack) -> None:
    copies = stack.noisy.clone()
    copies[1, 2] = copies[0, 0]
    with pytest.raises(UserError, match="Two frames are the same: phase 1 of angle 1 and phase 3"):
        run(RECONSTRUCT, raw(copies), OPTICS)
    top = float(torch.quantile(stack.noisy.flatten(), 0.98))
    found = run(RECONSTRUCT, raw(stack.noisy.clamp(max=top)), OPTICS)
    assert "saturated" in " ".join(found.notes)


def test_an_angle_without_a_pattern_is_said_and_not_used(stack: structured.Stack) -> None:
    draws = torch.Generator().manual_seed(3)
    flat = stack.noisy.clone()
    flat[1] = torch.poisson(
        stack.expected[1].mean(0, keepdim=True).expand(3, -1, -1), generator=draws
    )
    found = run(RECONSTRUCT, raw(flat), OPTICS)
    assert "The pattern of angle 2 cannot be used" in " ".join(found.notes)
    assert np.isfinite(found.images[-1].data).all()


def test_a_wrong_aperture_is_said(stack: structured.Stack) -> None:
    found = run(RECONSTRUCT, raw(stack.noisy), {**OPTICS, "na": 1.1})
    assert "a lens with these options cannot resolve" in " ".join(found.notes)


def test_five_phases_are_of_two_or_three_beams_as_the_image_shows() -> None:
    for given, waves in ((structured.patterns(5, 5), 1), (structured.patterns(3, 5, 2), 2)):
        shot = simulate(shape=(96, 96), peak=500, given=given)
        found = run(PARAMETERS, raw(shot.noisy), OPTICS)
        assert len(found.tables[0].rows) == given.angles * waves
        assert {row[2 if waves > 1 else 1] for row in found.tables[0].rows} == {"good"}
