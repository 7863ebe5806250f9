"""SIMFormer and SIMFormer+ as methods: apply a network, then explain the frames from its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import nn

from zsfiji import progress
from zsfiji.compute.device import choose, with_fallback
from zsfiji.errors import UserError
from zsfiji.images.axes import size
from zsfiji.images.parts import PATTERN, pixels_of, positions
from zsfiji.learning import models
from zsfiji.learning.models import Model, model_of
from zsfiji.physics.sim.grid import SCALE
from zsfiji.quality.report import Report
from zsfiji.reconstruction.blind import Fitted, Found
from zsfiji.reconstruction.drift import Drift
from zsfiji.reconstruction.frames import saturation_said
from zsfiji.services import over_parts
from zsfiji.services.blind_sim import stacks
from zsfiji.services.blind_sim.capture import capture
from zsfiji.services.blind_sim.results import EMITTER, outputs, psf_shown
from zsfiji.services.blind_sim.stacks import Optics
from zsfiji.services.method import Method, Restored
from zsfiji.services.sim.capture import of_parts
from zsfiji.services.sim.report import drift_said
from zsfiji.services.sim.service import require_raw
from zsfiji.services.simformer import stacks as seeing
from zsfiji.services.simformer.fitting import Fitter
from zsfiji.services.simformer.formation import sinusoids
from zsfiji.services.simformer.report import FROM_MODEL, lost_said, said
from zsfiji.services.simformer.settings import FINE_STEPS, Settings
from zsfiji.services.simformer.stacks import Straight
from zsfiji.services.simformer.starts import Start
from zsfiji.services.simformer.trained import Record, Trained, painted, restored, trained
from zsfiji.services.simformer.training import fine_tune

RESULTS = ("illumination", "background", "residual", EMITTER)
"""Names of the results, the main one last."""

_FIELDS = 2**22
"""Pixels of an image that are learnt from, at most: bounds the memory."""


@dataclass(frozen=True)
class Given:
    """What is known besides an image.

    Attributes
    ----------
    optics : Optics
        Of the microscope.
    start : Model, optional
        The model that is fine-tuned.
    """

    optics: Optics
    start: Model[Settings, Trained] | None = None


class Simformer:
    """The method.

    Parameters
    ----------
    student : bool
        Whether its models are students (SIMFormer+).
    optics : Optics
        Of the microscope that an image comes from.
    fit : bool
        Whether the result of the network is the start of a fit to the frames.
    iterations : int, optional
        Of that fit; by default as many as the noise bears.
    own_network : bool
        Whether a network that learns from the image alone gives the fit other starts. None is
        trained where `iterations` are given.
    seed : int
        Of that training, and of the draws that choose a start.
    wanted : tuple of str
        Names of the results that are wanted; the emitter always is.

    Attributes
    ----------
    found : dict of int to Found
        Channel -> what was found in the last stack that was restored.
    psfs : dict of int to numpy.ndarray
        Channel -> PSF on the fine grid, square.
    """

    settings_type = Settings
    record_type = Record

    def __init__(
        self,
        *,
        student: bool = False,
        optics: Optics | None = None,
        fit: bool = True,
        iterations: int | None = None,
        own_network: bool = True,
        seed: int = 0,
        wanted: tuple[str, ...] = (),
    ) -> None:
        self.student, self._optics = student, optics or Optics()
        self._fitter = Fitter(iterations, own_network, seed) if fit else None
        self._wanted = wanted
        self.found: dict[int, Found] = {}
        self.psfs: dict[int, np.ndarray] = {}

    def again(self) -> Simformer:
        """The method for further captures of what was restored last.

        Each fit of it begins as the last one of that channel did, and has as many iterations.
        """
        made = Simformer(student=self.student, optics=self._optics)
        made._fitter = None if self._fitter is None else self._fitter.again()
        return made

    @property
    def name(self) -> str:
        """Name of the method in model files."""
        return "simformer-plus" if self.student else "simformer"

    def unit(self, record: Record, tensors: Mapping[str, torch.Tensor]) -> Trained:
        """Make a network from what a file has of it."""
        return restored(record, tensors)

    def fit(
        self, image: xr.DataArray, settings: Settings, given: Given, *, device: str = "auto"
    ) -> Model[Settings, Trained]:
        """Go on training a network on one image; see :class:`.Method`.

        Of a time-lapse and of several slices some are learnt from. The network is for all channels.
        """
        require_raw(image)
        chosen = choose(device)
        start = given.start
        if start is None:
            raise UserError("Fine-tuning needs a model to start from.")
        unit = start.units[0]
        learnt_from = []
        with progress.part(0, 0.1):
            progress.report(0, "Finding patterns")
            for stack in _chosen(image):
                stacks.check(stack)
                if seeing.must_find(unit.kind, stack):
                    found = stacks.find(stack, given.optics)
                    learnt_from.append(seeing.known(seeing.straight(stack, found)))
                else:
                    dark = stacks.background_of(stack, given.optics)
                    learnt_from.append(seeing.seen(stack, dark))
        steps = settings.steps or FINE_STEPS

        def work(where: torch.device) -> Trained:
            network = unit.kind.make(student=unit.record.student)
            network.load_state_dict(unit.network.state_dict())
            network.to(where)
            course = fine_tune(unit.kind, network, learnt_from, steps=steps, seed=settings.seed)
            return trained(
                network,
                unit.record.network,
                student=unit.record.student,
                steps=unit.record.steps + course.steps,
                losses=course.losses,
            )

        with progress.part(0.1, 1):
            made = with_fallback(work, chosen)
        return model_of(self, replace(settings, network=unit.record.network), image, [made])  # type: ignore[arg-type]

    def apply(
        self, model: Model[Settings, Trained], image: xr.DataArray, *, device: str = "auto"
    ) -> Restored:
        """Restore an image; see :class:`.Method`.

        Returns
        -------
        Restored
            Of :data:`RESULTS` the wanted ones and the emitter, in grey levels above the background;
            the illumination is relative to its mean, the residual in standard deviations of the
            noise.
        """
        require_raw(image)
        chosen = choose(device)
        unit = model.units[0]
        unit.network.to(chosen).eval()
        residuals: list[float] = []
        iterations: list[int] = []
        begun: list[Start | None] = []
        saturated: list[str] = []
        drifts: list[Drift] = []
        lost: set[int] = set()

        def restore_one(
            one: Trained,
            stack: np.ndarray,
            channel: int | None,
            results: Mapping[str, np.ndarray],
        ) -> None:
            saturated.extend(saturation_said(stack))
            made = self._restored(one, stack, channel or 0, chosen)
            if made.fitted is not None:
                residuals.append(float(made.fitted.residual.mean()))
                iterations.append(made.fitted.iterations)
                begun.append(made.start)
            if made.straight is not None:
                drifts.append(made.straight.drift)
                lost.update(made.straight.lost())
            for name, values in results.items():
                values[:] = made.result(name)

        images = over_parts.apply(
            image,
            [unit] * size(image, "ch"),
            restore_one,
            outputs([name for name in RESULTS if name in self._wanted]),
            fit_per="channel",
            part=PATTERN,
            label="Reconstructing",
        )
        notes = [*dict.fromkeys(saturated), *drift_said(drifts), *lost_said(sorted(lost))]
        notes += said(residuals, iterations, begun)
        metrics = {}
        if residuals:
            metrics["iterations"] = float(np.mean(iterations))
            metrics["misfit"] = float(np.mean(residuals))
            metrics["network"] = float(np.mean([start in FROM_MODEL for start in begun]))
        return Restored(images, Report(tuple(notes), metrics))

    def simulate(
        self, model: Model[Settings, Trained], restored: Mapping[str, xr.DataArray], seed: int
    ) -> xr.DataArray:
        """Simulate the raw image of what was restored last; see :class:`.Method`."""
        first = next(iter(self.found.values())).patterns
        return of_parts(
            restored[EMITTER],
            (first.angles, first.frames),
            lambda _, position, specimen, draws: capture(
                self.found[position.get("ch", 0)], specimen, draws
            ),
            scale=SCALE,
            seed=seed,
        )

    def _restored(
        self, unit: Trained, stack: np.ndarray, channel: int, device: torch.device
    ) -> _Result:
        stacks.check(stack)
        fitter = self._fitter
        there = None
        if fitter is not None or seeing.must_find(unit.kind, stack):
            progress.report(0, "Finding patterns")
            with progress.part(0, 0.15):
                there = seeing.straight(stack, self._find(stack, channel))
        dark = stacks.background_of(stack, self._optics)
        with progress.part(0.15, 0.85 if fitter is None else 0.3):
            seen = seeing.seen(stack, dark) if there is None else seeing.known(there)
            made = with_fallback(lambda where: painted(unit, seen, where), device)
        found = None if there is None else there.found
        if found is None and self._missing(made):
            # For these windows only: the emitter must not depend on which of them are shown.
            progress.report(0.85, "Finding patterns")
            with progress.part(0.85, 1):
                found = seeing.sure(self._find(stack, channel))
        fitted: Fitted[Found] | None = None
        start: Start | None = "model"
        if fitter is not None and there is not None and not progress.finish_requested():
            with progress.part(0.3, 1):
                progress.report(0, "Reconstructing", preview=made["emitter"].numpy)
                fitted, start = with_fallback(
                    lambda where: fitter.fit(unit, there, made["emitter"], channel, where), device
                )
            found = fitted.found
        if found is not None:
            self.found[channel] = found
        if "psf" in made and fitted is None:
            self.psfs[channel] = made["psf"].numpy()
        elif found is not None:
            self.psfs[channel] = psf_shown(found.transfer)
        frames = seen.frames + dark
        return _Result(frames, dark, made, found, fitted, there, start)

    def _missing(self, made: Mapping[str, torch.Tensor]) -> set[str]:
        """The windows that are wanted and made from what is found, not by the network."""
        return set(self._wanted) - {"background", *made}

    def _find(self, stack: np.ndarray, channel: int) -> Found:
        return stacks.find(stack, self._known(channel))

    def _known(self, channel: int) -> Optics:
        """The optics, with the OTF of an earlier time point or slice of a channel."""
        before = self.found.get(channel)
        if before is None:
            return self._optics
        lens = before.transfer
        return replace(self._optics, cutoff=lens.cutoff, damping=lens.damping)


@dataclass(frozen=True, eq=False)
class _Result:
    """What is there of one stack."""

    frames: torch.Tensor
    dark: float
    made: dict[str, torch.Tensor]
    found: Found | None
    fitted: Fitted[Found] | None
    straight: Straight | None
    start: Start | None

    def result(self, name: str) -> np.ndarray:
        """One of :data:`RESULTS`."""
        angles, phases, rows, cols = self.frames.shape
        if name == EMITTER:
            best = self.made["emitter"] if self.fitted is None else self.fitted.specimen
            return best.cpu().numpy()
        if name == "background":
            flat = torch.zeros(SCALE * rows, SCALE * cols)
            # A fit explains all light above the dark level by the specimen.
            above = self.made.get("background", flat) if self.fitted is None else flat
            return (above + self.dark).numpy()
        if name == "illumination":
            light = self.made.get("illumination")
            if light is None or len(light) != angles * phases or self.fitted is not None:
                assert self.found is not None, "the patterns are found where they are shown"
                light = sinusoids(self.found.patterns, (rows, cols))
            return light.reshape(angles, phases, SCALE * rows, SCALE * cols).numpy()
        if self.fitted is not None:
            return self.fitted.residual.sqrt().cpu().numpy()
        assert self.found is not None, "the noise is found where the residual is shown"
        light = self.found.predict(self.made["emitter"])
        return self.found.residual(self.found.above(self.frames), light).sqrt().numpy()


def _chosen(image: xr.DataArray) -> list[np.ndarray]:
    """Some stacks of an image, spread evenly."""
    where = positions(image, PATTERN)
    pixels = int(np.prod([size(image, dim) for dim in PATTERN]))
    most = max(1, _FIELDS // pixels)
    step = -(-len(where) // most)
    return [pixels_of(image, position, PATTERN) for position in where[step // 2 :: step]]


def save_network(
    network: nn.Module,
    kind: str,
    path: Path,
    *,
    student: bool,
    settings: Settings,
    steps: int,
    losses: tuple[tuple[int, float], ...] = (),
) -> Path:
    """Write a model of a network that was trained on simulated stacks."""
    unit = trained(network, kind, student=student, steps=steps, losses=losses)
    crop = np.zeros((unit.kind.crop,) * 2, np.float32)
    simulated = xr.DataArray(crop, dims=("row", "col"), attrs={"title": "simulated stacks"})
    made = model_of(Simformer(student=student), settings, simulated, [unit])
    return models.save(made, path)


METHOD: Method[Settings, Given, Trained] = Simformer()
PLUS: Method[Settings, Given, Trained] = Simformer(student=True)
