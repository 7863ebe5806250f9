"""``Zero-Shot SIM...``: what it learns, keeps and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structured
import torch
import xarray as xr
from structured import TRANSFER, hexagonal, patterns, psnr, simulate

from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import Cancelled, UserError
from zsfiji.images.axes import as_image, set_calibration
from zsfiji.learning import models
from zsfiji.learning.models import Model
from zsfiji.physics.sim.optics import Blur
from zsfiji.reconstruction import power
from zsfiji.reconstruction.joint import Joint
from zsfiji.reconstruction.wiener import Wiener
from zsfiji.services.sim import group
from zsfiji.services.sim.given import Given
from zsfiji.services.uncertainty import with_uncertainty
from zsfiji.services.zero_shot_sim import applying, objective, report, settings, specimens
from zsfiji.services.zero_shot_sim.restorer import Restorer
from zsfiji.services.zero_shot_sim.service import METHOD, for_image
from zsfiji.services.zero_shot_sim.settings import CONSTANTS, Settings

OFFSET, SIDE = 100.0, 80
GIVEN = Given(TRANSFER, 0.065, OFFSET)


@pytest.fixture(autouse=True, scope="module")
def short() -> Iterator[None]:
    """A training of a second."""
    few = replace(CONSTANTS, patch=48, examples=4, renewals=3, pairs=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.STEPS, "quick", 60)
        patch.setattr(objective, "CONSTANTS", few)
        yield


def image(
    stack: torch.Tensor, dims: tuple[str, ...] = ("ang", "pha", "row", "col")
) -> xr.DataArray:
    made = as_image(np.asarray(stack, np.float32) + OFFSET, dims)
    set_calibration(made, {"row": 0.065, "col": 0.065}, {"row": "micron", "col": "micron"})
    return made


def seen(stack: structured.Stack) -> torch.Tensor:
    shape = (stack.noisy.shape[-2], stack.noisy.shape[-1])
    return Wiener(stack.patterns, shape, TRANSFER).seen(stack.truth)


@pytest.fixture(scope="module")
def stack() -> structured.Stack:
    return simulate("filaments", (SIDE, SIDE), 30, seed=2)


@pytest.fixture(scope="module")
def model(stack: structured.Stack, short: None) -> Model[Settings, Restorer]:
    return METHOD.fit(image(stack.noisy), Settings(quality="quick"), GIVEN, device="cpu")


def test_the_network_is_better_than_the_automatic_reconstruction(
    stack: structured.Stack, model: Model[Settings, Restorer]
) -> None:
    restored = METHOD.apply(model, image(stack.noisy), device="cpu")
    automatic, network = (torch.from_numpy(i.data) for i in restored.images.values())
    truth = seen(stack)
    assert psnr(network, truth) > psnr(automatic, truth) + 2
    assert restored.image.shape == (2 * SIDE, 2 * SIDE)
    # In grey levels above the background.
    assert float(network.mean()) == pytest.approx(float(truth.mean()), rel=0.05)
    assert restored.report.metrics["gain"] == pytest.approx(1, rel=0.25)


def test_a_saved_model_gives_the_same_pixels(
    stack: structured.Stack, model: Model[Settings, Restorer], tmp_path: Path
) -> None:
    again = models.load(models.save(model, tmp_path / "m.zsfiji"), METHOD)
    raw = image(stack.noisy)
    every = (model, again, for_image(again, raw, background=OFFSET))
    one, two, three = (METHOD.apply(m, raw, device="cpu").image.data for m in every)
    assert np.array_equal(one, two)
    assert np.array_equal(one, three), "its patterns are found as they were for the training"
    assert models.digest(again) == models.digest(model)


def test_a_saved_model_takes_the_patterns_of_the_image_that_it_is_applied_to(
    model: Model[Settings, Restorer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[np.ndarray] = []
    search = group.calibrate

    def counted(pixels: np.ndarray, given: Given, dark: float) -> group.Calibration:
        searched.append(pixels)
        return search(pixels, given, dark)

    monkeypatch.setattr(group, "calibrate", counted)
    light = replace(patterns(), phases=patterns().phases + 1.5)
    other = simulate("filaments", (SIDE, SIDE), 30, light, seed=5)
    path = str(models.save(model, tmp_path / "m.zsfiji"))
    options = {"apply_model": path, "uncertainty": True, "background": OFFSET}
    outcome = run(find("Zero-Shot SIM..."), image(other.noisy), {**options, "automatic": True})
    assert len(searched) == 1, "captures for the uncertainty have the patterns of the image"
    deviation, automatic, network = (torch.from_numpy(i.data) for i in outcome.images)
    truth, own = seen(other), METHOD.fit(image(other.noisy), Settings(quality="quick"), GIVEN)
    wanted = torch.from_numpy(METHOD.apply(own, image(other.noisy)).images["automatic"].data)
    assert psnr(automatic, truth) > psnr(wanted, truth) - 0.5
    assert psnr(network, truth) > psnr(automatic, truth) + 1
    assert 0.75 < float(((network - truth).abs() < 2 * deviation).float().mean()) <= 1
    assert any("Patterns of 3 angles" in note for note in outcome.notes)
    assert outcome.images[-1].attrs["properties"]["zsfiji.model"] == models.digest(model)


def test_a_saved_model_refuses_an_image_without_patterns(
    stack: structured.Stack, model: Model[Settings, Restorer]
) -> None:
    with pytest.raises(UserError, match="No pattern was found in any angle"):
        for_image(model, image(flat(stack)))


def test_a_drift_between_the_angles_is_said(model: Model[Settings, Restorer]) -> None:
    for step in (0.0, 1.2):
        made = [simulate("filaments", (SIDE, SIDE), 200, moved=(step * n, 0.0)) for n in range(3)]
        raw = image(torch.stack([one.noisy[n] for n, one in enumerate(made)]))
        notes = METHOD.apply(model, raw, device="cpu").report.notes
        assert any("moved by 2." in note for note in notes) == (step > 0)


def test_one_training_serves_a_time_lapse(stack: structured.Stack) -> None:
    movie = torch.stack([stack.noisy, stack.noisy.flip(-1).roll(3, -2), stack.noisy])
    raw = image(movie, ("t", "ang", "pha", "row", "col"))
    fitted = METHOD.fit(raw, Settings(quality="quick"), GIVEN, device="cpu")
    assert len(fitted.units) == 1
    restored = METHOD.apply(fitted, raw, device="cpu").image
    assert restored.dims == ("t", "row", "col")
    assert np.array_equal(restored.data[0], restored.data[2])
    assert not np.array_equal(restored.data[0], restored.data[1])


def test_a_model_refuses_other_patterns(model: Model[Settings, Restorer]) -> None:
    five = simulate("filaments", (64, 64), 30, patterns(3, 5))
    for refuse in (METHOD.apply, for_image):
        with pytest.raises(UserError, match="3 angles x 3 phases and the image has 3 x 5"):
            refuse(model, image(five.noisy))


@pytest.mark.parametrize(
    "light", [patterns(3, 5, 2, modulation=0.6), hexagonal(modulation=0.6)], ids=["three", "hex"]
)
def test_other_patterns_are_learnt_as_well(light: structured.Patterns) -> None:
    one = simulate("filaments", (72, 76), 60, light, seed=3)
    raw = image(one.noisy)
    fitted = METHOD.fit(raw, Settings(quality="quick"), GIVEN, device="cpu")
    restored = METHOD.apply(fitted, raw, device="cpu")
    automatic, network = (torch.from_numpy(i.data) for i in restored.images.values())
    assert psnr(network, seen(one)) > psnr(automatic, seen(one)) + 0.3


def test_haze_is_removed_if_that_is_wanted() -> None:
    one = simulate("filaments", (SIDE, SIDE), 100, seed=4, haze=1.0)
    results = {}
    for haze in ("keep", "remove"):
        chosen = Settings(quality="quick", haze=haze)  # type: ignore[arg-type]
        fitted = METHOD.fit(image(one.noisy), chosen, GIVEN, device="cpu")
        results[haze] = METHOD.apply(fitted, image(one.noisy), device="cpu").image.data
    light = float(seen(one).mean())
    assert results["keep"].mean() == pytest.approx(2 * light, rel=0.1)
    assert results["remove"].mean() < 1.3 * light


def flat(stack: structured.Stack) -> torch.Tensor:
    """A noisy stack of the same specimen without any pattern."""
    light = stack.expected.mean((0, 1)).expand(3, 3, SIDE, SIDE)
    return torch.poisson(light.contiguous(), generator=torch.Generator().manual_seed(0))


def test_an_image_without_patterns_is_refused(stack: structured.Stack) -> None:
    with pytest.raises(UserError, match="No pattern was found in any angle"):
        METHOD.fit(image(flat(stack)), Settings(quality="quick"), GIVEN, device="cpu")


def test_the_uncertainty_is_that_of_the_errors(
    stack: structured.Stack, model: Model[Settings, Restorer]
) -> None:
    restored = METHOD.apply(model, image(stack.noisy), device="cpu")
    found = with_uncertainty(METHOD, model, restored, of="zero-shot", device="cpu")
    deviation = found.images["uncertainty"].data[16:-16, 16:-16]
    error = np.abs(found.image.data - seen(stack).numpy())[16:-16, 16:-16]
    assert 0.75 < np.mean(error < 2 * deviation) <= 1
    assert np.corrcoef(deviation.ravel(), error.ravel())[0, 1] > 0.3


def test_what_is_made_up_is_damped() -> None:
    """Detail that comes again with other noise stays; detail that does not is lost."""
    draws = torch.Generator().manual_seed(0)
    shape = (96, 96)
    reach = 0.7
    truth = Blur(structured.RadialTransfer(0.2), shape).up(torch.randn(*shape, generator=draws))
    truth = truth / truth.std()
    rows = torch.arange(192)[:, None] / 2
    made_up = 0.5 * torch.sin(2 * np.pi * 0.5 * rows).expand(192, 192)
    comparison = applying.Comparison(
        0.5 * truth,
        truth + made_up,
        truth + torch.randn(192, 192, generator=draws),
        np.ones(applying.RINGS + 1),
    )
    shares = applying.support([comparison], reach)
    there, nothing = round(0.1 / reach * applying.RINGS), round(0.5 / reach * applying.RINGS)
    assert shares[there] == 1
    assert shares[nothing] < 0.2
    kept = applying.kept(comparison.automatic, comparison.network, shares, reach)
    inside = (slice(24, -24),) * 2
    assert float((kept - truth)[inside].std()) < 0.4 * float(made_up[inside].std())


@pytest.mark.parametrize("shape", [(618, 400), (400, 618)])
def test_changes_are_lowered_alike_whatever_the_shape(shape: tuple[int, int]) -> None:
    """Sides are extended to lengths that are fast to transform, one of them by more."""
    rows, cols = torch.arange(shape[0])[:, None], torch.arange(shape[1])
    network = torch.sin(rows / 2) * torch.sin(cols / 3)
    kept = applying.kept(torch.zeros(shape), network, [0.5] * (applying.RINGS + 1), 0.9)
    inside = (slice(24, -24),) * 2
    assert float((kept - network / 2)[inside].abs().max()) < 0.01


@pytest.mark.parametrize(
    ("low", "first"),
    [([], None), ([0], None), ([1, 4, 6], None), (range(10, 41), 10), ([2, *range(30, 41)], 30)],
)
def test_detail_is_doubted_from_where_on_most_of_it_is_not_supported(
    low: Sequence[int], first: int | None, model: Model[Settings, Restorer]
) -> None:
    support = np.ones(applying.RINGS + 1)
    support[list(low)] = 0
    record = replace(model.units[0].record, support=tuple(support))
    limit = None if first is None else first * model.units[0].calibration.reach / applying.RINGS
    assert report.doubtful_from(record) == pytest.approx(limit)


@pytest.mark.parametrize("sharper", [True, False])
def test_specimens_are_as_sharp_as_the_image(sharper: bool) -> None:
    """A blurred result is sharpened; a shrunk one that is too sharp already is not."""
    one = simulate("filaments", (96, 96), 200, seed=1)
    shape = (96, 96)
    wiener = Wiener(one.patterns, shape, TRANSFER)
    joint = Joint(one.patterns, TRANSFER, shape, haze=None)
    rings = power.rings(wiener, one.noisy)
    noise = float(one.noisy.mean()) + structured.READ**2
    result = seen(one) if sharper else one.truth
    found = specimens.sharpened(joint.whole(result), joint, specimens.GRADES)
    inside = {grade: joint.inside(specimen) for grade, specimen in found.items()}
    factor = 1.0 if sharper else 2.0
    (grade,) = specimens.matching_grades(inside, (factor,), rings, wiener, noise).values()
    assert (grade >= 5) == sharper


def test_finish_now_and_cancel(stack: structured.Stack) -> None:
    from zsfiji import progress

    class Host:
        def __init__(self, finish: bool) -> None:
            self.finish, self.steps = finish, 0

        def show(self, event: progress.Event) -> None:
            self.steps = max(self.steps, event.step or 0)

        def cancelled(self) -> bool:
            return not self.finish and self.steps > 0

        def finish_now(self) -> bool:
            return self.finish and self.steps > 0

    raw = image(stack.noisy)
    host = Host(True)
    with progress.using(host):
        model = METHOD.fit(raw, Settings(quality="best"), GIVEN, device="cpu")
    assert host.steps < 100
    assert np.isfinite(METHOD.apply(model, raw, device="cpu").image.data).all()
    with progress.using(Host(False)), pytest.raises(Cancelled):
        METHOD.fit(raw, Settings(quality="best"), GIVEN, device="cpu")


def test_the_command_gives_the_result_and_what_it_started_from(stack: structured.Stack) -> None:
    frames = image(stack.noisy.reshape(9, SIDE, SIDE), ("pln", "row", "col"))
    frames.attrs["title"] = "cell.tif"
    options = {"na": 1.49, "emission": 525, "background": 100, "damping": 1, "quality": "quick"}
    outcome = run(find("Zero-Shot SIM..."), frames, {**options, "automatic": True})
    assert [i.attrs["title"] for i in outcome.images] == ["cell-automatic", "cell-zero-shot"]
    main = outcome.images[-1]
    assert main.shape == (2 * SIDE, 2 * SIDE)
    assert float(np.diff(main.coords["col"][:2])[0]) == pytest.approx(0.0325)
