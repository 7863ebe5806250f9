"""The uncertainty of results, with the method that is too small to be useful."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from toy_method import METHOD, OUTPUT, Settings, Toy

from zsfiji import cli, progress
from zsfiji.commands import find
from zsfiji.commands.declare import command
from zsfiji.commands.outcome import Outcome
from zsfiji.commands.run import run
from zsfiji.errors import Cancelled
from zsfiji.images import tiff
from zsfiji.images.axes import as_image
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles
from zsfiji.parameters.output import BitDepth, Uncertainty
from zsfiji.services import uncertainty
from zsfiji.services.duration import ROUNDS
from zsfiji.services.uncertainty import FEWEST, deviation, with_uncertainty

NOISE = 10.0


@command(label="Uncertain Average...", suffixes=("averaged",), on_request=("uncertainty",))
def uncertain_average(
    image,
    *,
    settings: Settings,
    files: ModelFiles,
    bit_depth: BitDepth = "auto",
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Average the neighbours of each pixel."""
    from zsfiji.commands.restore import restore

    return restore(
        METHOD,
        image,
        settings,
        None,
        files=files,
        bit_depth=bit_depth,
        uncertainty=uncertainty,
        device=device,
    )


AVERAGE = uncertain_average.command


def scene(shape=(96, 96), seed=0, noise=NOISE):
    draws = np.random.default_rng(seed)
    truth = gaussian_filter(draws.normal(size=shape), (0,) * (len(shape) - 2) + (6, 6), mode="wrap")
    truth = 900 * truth + 300
    noisy = truth + draws.normal(0, noise, shape)
    return as_image(noisy.astype(np.float32), attrs={"title": "cells.tif"}), truth


def measured(image, settings=None, **options):
    model = METHOD.fit(image, settings or Settings())
    return with_uncertainty(METHOD, model, METHOD.apply(model, image), of="averaged", **options)


def test_the_error_lies_within_it_without_any_bias():
    """The factors are for networks; with the mean of neighbours captures lose all there is."""
    image, truth = scene()
    model = METHOD.fit(image, Settings())
    restored = METHOD.apply(model, image)
    captures = [METHOD.simulate(model, restored.images, n) for n in range(4)]
    differences = np.stack(
        [METHOD.apply(model, c).image.data - restored.image.data for c in captures]
    )
    found = deviation(differences.sum(0), np.square(differences).sum(0), 4, lost=1)
    error = np.sqrt(np.mean(np.square((restored.image.data - truth) / found)))
    assert 0.8 < error < 1.25
    # What is given to the user has room for what captures do not show.
    given = measured(image).images["uncertainty"].data
    assert np.mean(np.abs(restored.image.data - truth) < 2 * given) > 0.95


def test_it_is_larger_where_there_is_more_noise():
    image, _ = scene((2, 96, 96))
    loud, _ = scene((2, 96, 96), noise=4 * NOISE)
    image.data[1] = loud.data[1]
    quiet, noisy = measured(image, Settings(fit_per="plane")).images["uncertainty"].data
    assert np.median(noisy) > 2 * np.median(quiet)


def test_a_seed_gives_the_same_and_another_one_another():
    image, _ = scene()
    first, again, other = (
        measured(image, Settings(seed=s)).images["uncertainty"].data for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.median(other) == pytest.approx(np.median(first), rel=0.1)


def test_finish_now_takes_fewer_captures_and_cancel_none(monkeypatch):
    image, _ = scene()
    model = METHOD.fit(image, Settings())
    restored = METHOD.apply(model, image)
    applied = []

    class Counting(Toy):
        def apply(self, model, image, *, device="auto"):
            applied.append(image)
            return super().apply(model, image, device=device)

    class Impatient:
        cancel = False

        def show(self, event):
            """Nobody looks."""

        def cancelled(self):
            return self.cancel

        def finish_now(self):
            return True

    def work():
        with_uncertainty(Counting(), model, restored, of=OUTPUT.name)

    work()
    assert len(applied) == ROUNDS
    applied.clear()
    with progress.using(Impatient()):
        work()
    assert len(applied) == FEWEST
    monkeypatch.setattr(Impatient, "cancel", True)
    with progress.using(Impatient()), pytest.raises(Cancelled):
        work()


def test_noise_and_lost_structure_are_told_apart():
    """Where captures differ there is noise; where all of them differ alike, structure was lost."""
    draws = np.random.default_rng(0)
    noise = draws.normal(0, 3.0, (4, 120, 120))
    noisy = deviation(noise.sum(0), np.square(noise).sum(0), 4)
    assert np.median(noisy) == pytest.approx(uncertainty.COME_THROUGH * 3.0, rel=0.1)
    lost = np.full((120, 120), 5.0)
    both = noise + lost
    found = deviation(both.sum(0), np.square(both).sum(0), 4, lost=2.0)
    assert np.median(found) == pytest.approx(
        np.hypot(uncertainty.COME_THROUGH * 3.0, 2 * 5.0), rel=0.05
    )


def test_a_finer_grid_has_a_wider_average():
    spot = np.zeros((80, 80), np.float32)
    spot[40, 40] = 1.0
    wide, narrow = (np.square(deviation(0 * spot, spot, 2, scale=scale)) for scale in (2, 1))
    assert narrow[40, 40] / wide[40, 40] == pytest.approx(4, rel=0.05)
    assert wide.sum() == pytest.approx(narrow.sum(), rel=0.01)


# --- The command ---


def test_the_map_comes_before_the_result_and_says_what_it_found():
    image, _ = scene((2, 40, 50))
    plain = run(AVERAGE, image, {})
    asked = run(AVERAGE, image, {"uncertainty": "true"})
    found, result = asked.images
    assert [i.attrs["title"] for i in asked.images] == ["cells-uncertainty", "cells-averaged"]
    np.testing.assert_array_equal(result.data, plain.images[0].data)
    assert found.shape == result.shape
    assert found.dtype == np.float32
    assert found.attrs["display_ranges"][0][0] == 0
    assert found.attrs["luts"][0].shape == (256, 3)
    assert "uncertainty=true" in found.attrs["properties"]["zsfiji.command"]
    assert any(note.startswith("Uncertainty: ") for note in asked.notes)
    assert asked.metrics["uncertainty"] == pytest.approx(
        np.sqrt(np.mean(np.square(found.data))), rel=1e-4
    )
    assert 0 < asked.metrics["uncertainty_within"] < 1


def test_a_saved_model_gives_the_same_map(tmp_path):
    image, _ = scene()
    kept = tmp_path / "kept.zsfiji"
    first = run(AVERAGE, image, {"uncertainty": True, "save_model": kept, "seed": 5}).images[0]
    again = run(AVERAGE, image, {"uncertainty": True, "apply_model": kept}).images[0]
    np.testing.assert_array_equal(first.data, again.data)


def test_the_map_of_a_colour_image_is_in_grey_levels_and_zero_where_nothing_was_restored():
    image, _ = scene()
    pixels = np.stack([image.data, np.full_like(image.data, 7), image.data[::-1]], -1)
    colours = as_image(
        np.clip(pixels / 3, 0, 255).astype(np.uint8),
        dims=("row", "col", "ch"),
        attrs={"rgb": True, "title": "cells"},
    )
    found, result = run(AVERAGE, colours, {"uncertainty": True}).images
    assert result.dtype == np.uint8
    assert found.dtype == np.float32
    assert "rgb" not in found.attrs
    assert len(found.attrs["luts"]) == 3
    assert not found.isel(ch=1).data.any()
    assert found.isel(ch=0).data.min() > 0


def test_python_gets_the_map_before_the_result():
    image, _ = scene()
    found, result = uncertain_average(image.data, uncertainty=True)
    assert found.shape == result.shape
    np.testing.assert_array_equal(result, uncertain_average(image.data))


def test_estimates_of_time_and_memory_count_it():
    denoise = find("denoise")
    sizes = {"row": 512, "col": 512}
    plain, asked = ({**denoise.defaults, "uncertainty": on} for on in (False, True))
    assert denoise.duration is not None
    assert denoise.duration(sizes, asked) > denoise.duration(sizes, plain)
    assert denoise.bytes_of_results(asked) == 2 * denoise.bytes_of_results(plain)
    assert denoise.results(asked) == ("uncertainty", "denoised")
    assert denoise.results(plain) == ("denoised",)


def test_the_command_line_writes_the_map_beside_the_result(tmp_path, monkeypatch, capsys):
    """Files that are not asked for are not in the way; those that are, are not replaced."""
    steps = {"quick": 2, "standard": 2, "best": 2}
    monkeypatch.setattr("zsfiji.services.denoise.settings.STEPS", steps)
    source = tmp_path / "cells.tif"
    tiff.write(scene()[0], source)
    line = ["run", "Zero-Shot Denoise...", str(tmp_path), "quality=quick"]
    assert cli.main([*line, "uncertainty=true"]) == 0
    target = tmp_path / "cells-uncertainty.tif"
    assert capsys.readouterr().out.splitlines() == [
        str(target),
        str(tmp_path / "cells-denoised.tif"),
    ]
    found = tiff.read(target)
    assert found.data.min() > 0
    assert found.attrs["display_ranges"][0][0] == 0
    assert len(found.attrs["luts"]) == 1

    (tmp_path / "cells-denoised.tif").unlink()
    assert cli.main(line) == 0
    (tmp_path / "cells-denoised.tif").unlink()
    assert cli.main([*line, "uncertainty=true"]) == 2
    assert "cells-uncertainty.tif exists already" in capsys.readouterr().err


def test_the_sentence_says_what_does_not_stand_out():
    value = np.zeros(1000)
    value[:200] = 100.0
    sentence, metrics = uncertainty.described(value, np.full(1000, 5.0))
    assert metrics["uncertainty_within"] == pytest.approx(0.8)
    assert metrics["uncertainty_relative"] == pytest.approx(0.05)
    assert "80%" in sentence
