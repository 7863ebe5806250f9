"""The commands of SIMFormer, from a raw image to windows, and from nothing to a model."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from tiny import SIZES, TinyCompact, vit

from zsfiji import progress
from zsfiji.commands import find
from zsfiji.commands.outcome import Outcome
from zsfiji.commands.run import run
from zsfiji.errors import Cancelled, UserError
from zsfiji.images.axes import as_image, set_calibration
from zsfiji.learning import models
from zsfiji.physics.sim.published import published_stack
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Choice
from zsfiji.services.simformer import fitting, kinds, service, shipped, training
from zsfiji.services.simformer.service import METHOD, save_network
from zsfiji.services.simformer.settings import Settings
from zsfiji.services.zero_shot_sim import settings as zero_shot

SIDE = 48


def remembered(find: Callable[..., Any]) -> Callable[..., Any]:
    """The same, which looks at each stack once: most tests have the same one."""
    known: dict[object, Any] = {}

    def found(stack: torch.Tensor, background: float, layout: object, **optics: object) -> Any:
        key = (stack.numpy().tobytes(), background, str(layout), str(optics))
        if key not in known:
            known[key] = find(stack, background, layout, **optics)
        return known[key]

    return found


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    """Networks of a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "KINDS", {"compact": TinyCompact(), "small": vit()})
        patch.setattr(training, "_FEW", 4)
        patch.setitem(zero_shot.STEPS, "quick", 40)
        patch.setattr(blind, "_CUTOFFS", (0.3,))
        patch.setattr(blind, "find", remembered(blind.find))
        yield


@pytest.fixture(scope="module")
def files(tiny: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models with random weights."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name in ("compact", "small"):
        for student in (False, True):
            network = kinds.kind_of(name).make(1, student=student)
            path = folder / f"{name}-{student}.zsfiji"
            settings = Settings(network=name)  # type: ignore[arg-type]
            save_network(network, name, path, student=student, settings=settings, steps=7)
            made[f"{name}+" if student else name] = path
    return made


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    """(angle, phase, row, col), in grey levels."""
    stack = published_stack("curve", SIDE, photons=200, seed=2400)
    return (stack.raw + 100).astype(np.float32)


def opened(stack: np.ndarray) -> xr.DataArray:
    """As Fiji opens it: frames are slices."""
    image = as_image(stack.reshape(-1, *stack.shape[-2:]), ("pln", "row", "col"))
    set_calibration(image, {"row": 0.06, "col": 0.06}, {"row": "micron", "col": "micron"})
    image.attrs["title"] = "cell.tif"
    return image


def call(name: str, image: xr.DataArray | None = None, **options: Any) -> Outcome:
    return run(find(name), image, {key: str(value) for key, value in options.items()})


ORDER = {"order": "angle-major", "background": 100}


@pytest.mark.parametrize("kind", ["compact", "small"])
def test_a_raw_image_becomes_an_emitter_on_a_third_of_its_pixel_size(
    kind: str, files: dict[str, Path], raw: np.ndarray
) -> None:
    outcome = call(
        "SIMFormer Reconstruct",
        opened(raw),
        model=files[kind],
        iterations=3,
        illumination=True,
        background_image=True,
        residual=True,
        psf=True,
        **ORDER,
    )
    titles = [str(image.attrs["title"]) for image in outcome.images]
    ends = ("illumination", "background", "residual", "psf", "emitter")
    assert titles == [f"cell-{end}" for end in ends]
    emitter, light = outcome.images[-1], outcome.images[0]
    assert emitter.shape == (3 * SIDE, 3 * SIDE)
    assert float(emitter.col[1] - emitter.col[0]) == pytest.approx(0.02)
    assert light.sizes["ang"] == light.sizes["pha"] == 3
    np.testing.assert_allclose(light.mean(("ang", "pha")), 1, atol=0.05)
    psf = outcome.images[-2]
    assert float(psf.sum()) == pytest.approx(1, abs=1e-4)
    assert float(psf.col[1] - psf.col[0]) == pytest.approx(0.02)
    assert "SIMFormer Reconstruct" in emitter.attrs["properties"]["zsfiji.command"]
    assert any("may be wrong" in note for note in outcome.notes)


def test_windows_do_not_change_what_a_network_makes_of_nine_frames(
    files: dict[str, Path], raw: np.ndarray
) -> None:
    moved = raw.copy()
    moved[2] = 100 + 0.6 * (np.roll(moved[2], 2, -1) - 100)
    options = {"model": files["small"], "fit": False, **ORDER}
    (alone,) = call("SIMFormer Reconstruct", opened(moved), **options).images
    windows = {"residual": True, "psf": True, "background_image": True, "illumination": True}
    *others, emitter = call("SIMFormer Reconstruct", opened(moved), **options, **windows).images
    assert len(others) == 4
    np.testing.assert_array_equal(emitter, alone)


def test_no_patterns_are_looked_for_where_the_network_gives_the_windows(
    files: dict[str, Path], raw: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blind, "find", None)
    options = {"model": files["small"], "fit": False, **ORDER}
    windows = {"psf": True, "background_image": True, "illumination": True}
    assert len(call("SIMFormer Reconstruct", opened(raw), **options, **windows).images) == 4


def test_light_that_the_fit_explains_is_not_in_the_background(
    files: dict[str, Path], raw: np.ndarray
) -> None:
    options = {"model": files["small"], "background_image": True, "psf": True, **ORDER}
    alone = call("SIMFormer Reconstruct", opened(raw), fit=False, **options).images
    fitted = call("SIMFormer Reconstruct", opened(raw), iterations=2, **options).images
    assert float(alone[0].max()) > 100.1
    np.testing.assert_array_equal(fitted[0], np.full_like(fitted[0], 100))
    # The PSF is that of the lens which the fit had.
    assert alone[1].shape != fitted[1].shape


def test_the_fit_explains_the_frames_better_than_the_network_alone(
    files: dict[str, Path], raw: np.ndarray
) -> None:
    residuals = []
    for fit in (False, True):
        images = call(
            "SIMFormer Reconstruct",
            opened(raw),
            model=files["compact"],
            residual=True,
            fit=fit,
            iterations=12,
            **ORDER,
        ).images
        residuals.append(float(np.square(images[0]).mean()))
    assert residuals[1] < 1.5 < residuals[0]


@pytest.mark.parametrize(
    ("start", "network", "said"),
    [
        ("model", 1, "trained on simulated specimens"),
        ("sharpened", 1, "replaced by plain sharpening"),
        ("mean", 1, "the mean of what the network made and"),
        ("own", 0, "than that of a network which learnt from this image alone"),
        (None, 0, "The fit began without the network"),
    ],
)
def test_the_fit_begins_where_held_counts_say(
    start: str | None,
    network: int,
    said: str,
    files: dict[str, Path],
    raw: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chosen(known: object, frames: torch.Tensor, starts: Any, *, seed: int) -> Choice[Any]:
        assert list(starts(frames)) == ["model", "sharpened", "own", "mean"]
        return Choice(start, 6, 9)

    monkeypatch.setattr(fitting.blind, "chosen_start", chosen)
    outcome = call("SIMFormer Reconstruct", opened(raw), model=files["compact"], **ORDER)
    assert outcome.metrics["network"] == network
    assert outcome.metrics["iterations"] == 6
    assert said in " ".join(outcome.notes)
    assert ("may be wrong" in " ".join(outcome.notes)) == network


def test_one_network_learns_from_a_time_lapse(
    files: dict[str, Path], raw: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[torch.Tensor] = []

    def chosen(known: object, frames: torch.Tensor, starts: Any, *, seed: int) -> Choice[Any]:
        learnt.append(starts(frames)["own"])
        return Choice("own", 0, 9)

    trained: list[object] = []
    train = fitting.train_network
    monkeypatch.setattr(fitting.blind, "chosen_start", chosen)
    monkeypatch.setattr(
        fitting, "train_network", lambda *given: (trained.append(given), train(*given))[1]
    )
    # The second one has other phases: the network has to be told.
    film = as_image(np.stack([raw, raw[:, [1, 2, 0]]]), ("t", "ang", "pha", "row", "col"))
    options = {"model": files["compact"], "background": 100}
    (emitter,) = call("SIMFormer Reconstruct", film, **options).images
    assert len(trained) == 1
    assert len(learnt) == 2
    together = np.corrcoef(emitter.values[0].ravel(), emitter.values[1].ravel())[0, 1]
    assert together > 0.99


def test_captures_for_the_uncertainty_are_fitted_as_the_image_was(
    files: dict[str, Path], raw: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    begun: list[Any] = []
    trained: list[Any] = []
    train, run_fit = fitting.train_network, blind.run

    def chosen(known: object, frames: torch.Tensor, starts: Any, *, seed: int) -> Choice[Any]:
        asked.append(starts(frames))
        return Choice("mean", 4, 9)

    def runs(known: Any, frames: Any, iterations: int, *, start: Any) -> Any:
        begun.append((iterations, start is None))
        return run_fit(known, frames, iterations, start=start)

    monkeypatch.setattr(fitting.blind, "chosen_start", chosen)
    monkeypatch.setattr(fitting.blind, "run", runs)
    monkeypatch.setattr(
        fitting, "train_network", lambda *given: (trained.append(given), train(*given))[1]
    )
    options = {"model": files["compact"], "psf": True, **ORDER}

    def given(**more: bool) -> dict[str, np.ndarray]:
        images = call("SIMFormer Reconstruct", opened(raw), **options, **more).images
        return {str(image.attrs["title"]): image.values for image in images}

    found = given(uncertainty=True)
    assert len(asked) == len(trained) == 1
    assert begun == [(4, False)] * 4
    deviation = found.pop("cell-uncertainty")
    assert deviation.shape == found["cell-emitter"].shape
    assert deviation.min() > 0
    plain = given()
    assert list(plain) == list(found)
    for title, values in found.items():
        np.testing.assert_array_equal(values, plain[title])


def test_the_network_alone_has_no_uncertainty(files: dict[str, Path], raw: np.ndarray) -> None:
    options = {"model": files["compact"], "uncertainty": True, "fit": False, **ORDER}
    with pytest.raises(UserError, match="needs the fit"):
        call("SIMFormer Reconstruct", opened(raw), **options)


def test_no_network_learns_where_it_is_not_wanted(
    files: dict[str, Path], raw: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "train_network", None)
    for options in ({"own_network": False}, {"iterations": 2}, {"fit": False}):
        call("SIMFormer Reconstruct", opened(raw), model=files["compact"], **options, **ORDER)


def test_the_student_gives_an_emitter(files: dict[str, Path], raw: np.ndarray) -> None:
    for kind in ("compact+", "small+"):
        (emitter,) = call("SIMFormer+ Reconstruct", opened(raw), model=files[kind], **ORDER).images
        assert emitter.shape == (3 * SIDE, 3 * SIDE)
        assert np.isfinite(emitter).all()


def test_models_of_the_other_command_are_refused(files: dict[str, Path], raw: np.ndarray) -> None:
    with pytest.raises(UserError, match="belongs to the method 'simformer'"):
        call("SIMFormer+ Reconstruct", opened(raw), model=files["compact"], **ORDER)
    with pytest.raises(UserError, match="belongs to the method 'simformer-plus'"):
        call("SIMFormer Reconstruct", opened(raw), model=files["compact+"], **ORDER)


@pytest.mark.parametrize(("iterations", "said"), [(2, True), (20, False)])
def test_frames_that_are_not_explained_are_said(
    iterations: int, said: bool, files: dict[str, Path], raw: np.ndarray
) -> None:
    options = {"model": files["compact"], "iterations": iterations, **ORDER}
    outcome = call("SIMFormer Reconstruct", opened(raw), **options)
    assert (outcome.metrics["misfit"] > 1.5) == said
    assert any("does not explain the frames" in note for note in outcome.notes) == said


def test_each_time_point_is_restored_by_itself(files: dict[str, Path], raw: np.ndarray) -> None:
    film = np.stack([raw, 100 + 2 * (raw - 100)])
    image = as_image(film, ("t", "ang", "pha", "row", "col"))
    options = {"model": files["small"], "fit": False, "background": 100}
    (emitter,) = call("SIMFormer Reconstruct", image, **options).images
    (first,) = call("SIMFormer Reconstruct", image[:1], **options).images
    assert emitter.shape == (2, 3 * SIDE, 3 * SIDE)
    np.testing.assert_array_equal(emitter[0], first.squeeze())
    np.testing.assert_allclose(emitter[1], 2 * emitter[0], rtol=2e-3, atol=1e-2)


def test_fifteen_frames_are_brought_to_nine(files: dict[str, Path]) -> None:
    made = published_stack("curve", SIDE, photons=500, seed=2401)
    from zsfiji.physics.sim.optics import Blur, illumination
    from zsfiji.physics.sim.patterns import TURN

    steps = TURN * torch.arange(5, dtype=torch.float64) / 5
    five = replace(
        made.patterns,
        phases=made.patterns.phases[..., :1] + steps,
        brightness=torch.ones(3, 5, dtype=torch.float64),
    )
    shape = (SIDE, SIDE)
    light = illumination(five, shape, 3) * torch.from_numpy(made.truth)
    frames = Blur(made.transfer, shape, 3).down(light).clamp_min(0).numpy()
    noisy = np.random.default_rng(0).poisson(frames).astype(np.float32) + 100
    image = opened(noisy)
    (emitter,) = call(
        "SIMFormer Reconstruct",
        image,
        model=files["small"],
        fit=False,
        angles=3,
        phases=5,
        **ORDER,
    ).images
    nine = replace(made.patterns, phases=five.phases[..., :1] + TURN * torch.arange(3) / 3)
    light = illumination(nine, shape, 3) * torch.from_numpy(made.truth)
    three = Blur(made.transfer, shape, 3).down(light).clamp_min(0).numpy() + 100
    (same,) = call(
        "SIMFormer Reconstruct", opened(three), model=files["small"], fit=False, **ORDER
    ).images
    inside = (slice(24, -24),) * 2
    together = np.corrcoef(emitter.values[inside].ravel(), same.values[inside].ravel())[0, 1]
    assert together > 0.95


def test_bad_images_are_refused(files: dict[str, Path], raw: np.ndarray) -> None:
    def refused(stack: np.ndarray, match: str, **options: Any) -> None:
        with pytest.raises(UserError, match=match):
            call(
                "SIMFormer Reconstruct",
                opened(stack),
                model=files["compact"],
                **{**ORDER, **options},
            )

    refused(raw[:2], "6 frames.*at least 7", angles=2, phases=3)
    refused(np.full_like(raw, 7), "same value")
    refused(np.where(raw > np.median(raw), np.nan, raw), "finite|NaN")
    copied = raw.copy()
    copied[2, 1] = copied[0, 0]
    refused(copied, "Two frames are the same")
    noise = np.random.default_rng(0).poisson(50, raw.shape).astype(np.float32) + 100
    refused(noise, "No modulation was found")


def test_saturated_frames_are_said(files: dict[str, Path], raw: np.ndarray) -> None:
    cut = np.minimum(raw, np.quantile(raw, 0.95)).astype(np.uint16)
    outcome = call("SIMFormer Reconstruct", opened(cut), model=files["compact"], fit=False, **ORDER)
    assert any("saturated" in note for note in outcome.notes)


def test_pickles_and_other_configurations_are_refused(
    files: dict[str, Path], raw: np.ndarray, tmp_path: Path
) -> None:
    for number, protocol in enumerate(range(2, 6)):
        path = tmp_path / f"{number}.pkl"
        path.write_bytes(pickle.dumps({"weights": [1.0]}, protocol))
        with pytest.raises(UserError, match="is a pickle"):
            call("SIMFormer Reconstruct", opened(raw), model=path, **ORDER)
    torch.save({"weights": torch.ones(3)}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="is a pickle"):
        call("SIMFormer Reconstruct", opened(raw), model=tmp_path / "model.pt", **ORDER)
    wide = vit(replace(SIZES, width=48))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "KINDS", {"small": wide})
        with pytest.raises(UserError, match="another configuration"):
            models.load(files["small"], METHOD)


def test_without_a_shipped_model_one_has_to_be_chosen(
    raw: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(UserError, match="has no trained model"):
        call("SIMFormer Reconstruct", opened(raw), **ORDER)


def test_no_memory_is_said(
    files: dict[str, Path], raw: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(TinyCompact, "apply", full)
    with pytest.raises(UserError, match="not enough memory"):
        call("SIMFormer Reconstruct", opened(raw), model=files["compact"], **ORDER)


class Host:
    """A host whose user wants the result so far, or nothing, after some reports."""

    def __init__(self, finish_after: int = 10**9, cancel_after: int = 10**9) -> None:
        self.reports, self.finish_after, self.cancel_after = 0, finish_after, cancel_after

    def show(self, event: progress.Event) -> None:
        self.reports += 1

    def cancelled(self) -> bool:
        return self.reports >= self.cancel_after

    def finish_now(self) -> bool:
        return self.reports >= self.finish_after


@pytest.mark.parametrize(("reports", "iterations"), [(1, 10), (2, 10), (4, 10), (40, 0), (90, 0)])
def test_finish_now_and_esc(
    reports: int, iterations: int, files: dict[str, Path], raw: np.ndarray
) -> None:
    options = {"model": files["compact"], "iterations": iterations, **ORDER}
    with progress.using(Host(finish_after=reports)):
        (emitter,) = call("SIMFormer Reconstruct", opened(raw), **options).images
    assert np.isfinite(emitter).all()
    with progress.using(Host(cancel_after=reports)), pytest.raises(Cancelled):
        call("SIMFormer Reconstruct", opened(raw), **options)


@pytest.mark.parametrize("network", ["compact", "small"])
def test_from_training_to_a_student(network: str, raw: np.ndarray, tmp_path: Path) -> None:
    teacher, state = tmp_path / "teacher", tmp_path / "state"
    options = {"network": network, "save_model": teacher, "training_state": state}
    outcome = call("SIMFormer Train", steps=2, **options)
    assert not outcome.images
    assert outcome.metrics["Steps"] == 2
    assert outcome.plots
    saved = teacher.with_suffix(".zsfiji")
    assert str(saved) in " ".join(outcome.notes)
    tuned = tmp_path / "tuned.zsfiji"
    outcome = call(
        "SIMFormer Fine-tune",
        opened(raw),
        start_model=saved,
        save_model=tuned,
        steps=2,
        **ORDER,
    )
    assert outcome.metrics["Steps"] == 2
    student = tmp_path / "student.zsfiji"
    outcome = call("SIMFormer Distill", teacher=tuned, save_model=student, steps=2)
    assert outcome.metrics["Steps"] == 2
    record = models.load(student, service.Simformer(student=True)).units[0].record
    assert (record.network, record.student, record.steps) == (network, True, 2)
    (emitter,) = call("SIMFormer+ Reconstruct", opened(raw), model=student, **ORDER).images
    assert emitter.shape == (3 * SIDE, 3 * SIDE)


def test_a_model_that_cannot_be_saved_is_said_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        call("SIMFormer Train", steps=1, save_model=tmp_path / "none" / "model.zsfiji")


def test_the_order_of_the_frames_is_found(files: dict[str, Path], raw: np.ndarray) -> None:
    mixed = opened(raw.swapaxes(0, 1))
    options = {"model": files["small"], "fit": False, "background": 100}
    found = call("SIMFormer Reconstruct", mixed, angles=3, phases=3, **options)
    told = call("SIMFormer Reconstruct", opened(raw), order="angle-major", **options)
    assert any("phase-angle" in note for note in found.notes)
    np.testing.assert_array_equal(found.images[-1], told.images[-1])


def test_an_angle_without_a_pattern_and_a_drift_are_said(
    files: dict[str, Path], raw: np.ndarray
) -> None:
    flat = raw.copy()
    draws = np.random.default_rng(3)
    mean = np.maximum(raw[1].mean(0) - 100, 0)
    flat[1] = draws.poisson(np.broadcast_to(mean, flat[1].shape)) + 100
    options = {"model": files["compact"], "fit": False, **ORDER}
    notes = call("SIMFormer Reconstruct", opened(flat), **options).notes
    assert any("No pattern was found in angle 2" in note for note in notes)
    drifted = raw.copy()
    drifted[2] = np.roll(drifted[2], 2, -1)
    notes = call("SIMFormer Reconstruct", opened(drifted), **options).notes
    assert any("moved by 1.9 pixels" in note for note in notes)


def test_another_capture_of_the_result_can_be_simulated(
    files: dict[str, Path], raw: np.ndarray
) -> None:
    method = service.Simformer(iterations=8)
    model = models.load(files["compact"], method)
    image = as_image(raw, ("ang", "pha", "row", "col"))
    restored = method.apply(model, image)
    again = method.simulate(model, restored.images, seed=0)
    assert again.shape == raw.shape
    assert float(again.mean()) == pytest.approx(float(raw.mean()), rel=0.05)
    assert np.corrcoef(again.values.ravel(), raw.ravel())[0, 1] > 0.7


def test_noise_without_any_photons_is_refused_with_the_range() -> None:
    with pytest.raises(UserError, match=r"give a number from 0\.001 to 1000000"):
        find("SIMFormer Distill...").validate({"save_model": "m", "shots": "0"})
