"""``SIMFormer ...``: blind SIM by a network that has learnt from simulated raw images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.commands.raw_planes import require_patterns
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.device import Device
from zsfiji.parameters.output import Uncertainty
from zsfiji.parameters.sim import (
    BACKGROUND_IMAGE,
    FEWEST_FRAMES,
    DarkLevel,
    EmitterWindows,
    Iterations,
    RawOrder,
)
from zsfiji.parameters.training import Seed
from zsfiji.services.simformer.settings import FINE_STEPS, Settings, Steps

if TYPE_CHECKING:
    import xarray as xr

    from zsfiji.commands.outcome import Outcome

Chosen = Annotated[
    Path | None,
    Field(
        description="A model that SIMFormer Train..., Fine-tune... or Distill... has saved. Empty: "
        "the one that zsfiji ships."
    ),
    Shown("Model", path="open"),
]

StartFrom = Annotated[
    Path | None,
    Field(
        description="A model of SIMFormer that is trained further. Empty: the one that zsfiji "
        "ships."
    ),
    Shown("Start from", path="open"),
]

Teacher = Annotated[
    Path | None,
    Field(
        description="A model of SIMFormer that the student learns from. Empty: the one that zsfiji "
        "ships."
    ),
    Shown("Teacher", path="open"),
]

NewModel = Annotated[
    Path,
    Field(
        description="Where to save the model. The file gets the ending .zsfiji unless it has one."
    ),
    Shown("Save model as", path="save"),
]

Kept = Annotated[
    Path | None,
    Field(
        description="A file that keeps the state of the training, written 50 times. If it exists "
        "the training goes on from there, exactly as if it had not stopped."
    ),
    Shown("State of the training", path="save"),
]

Fit = Annotated[
    bool,
    Field(
        description="Whether the result of the network is the start of a fit that explains the "
        "frames by the physics of SIM, as Blind SIM... does. Without it, it is the network's word "
        "alone, which is better only where there are very few photons."
    ),
    Shown("Fit to the frames"),
]

OwnNetwork = Annotated[
    bool,
    Field(
        description="Whether a network that learns from this image alone, as that of Blind SIM..., "
        "gives the fit further starts. The one that explains the image best is taken. It is left "
        "out where the number of iterations is given."
    ),
    Shown("Learn from this image as well"),
]

FineSteps = Annotated[
    int,
    Field(
        ge=0,
        le=1_000_000,
        description="Training steps, half of them on this image. 0: 400.",
    ),
    Shown("Steps (0 = default)"),
]

Shots = Annotated[
    float,
    Field(
        ge=0.001,
        le=1e6,
        description="Noise that the student sees beyond that of the teacher: photons that a photon "
        "stands for, at least; at most ten times as many. Less is more noise.",
    ),
    Shown("Photons of a photon", advanced=True),
]

Gaussian = Annotated[
    float,
    Field(
        ge=0,
        le=10,
        description="Noise that the student sees beyond that of the teacher: highest standard "
        "deviation, over the mean of the frames.",
    ),
    Shown("Gaussian noise", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Distilling(ParameterGroup):
    """How a student is taught.

    Attributes
    ----------
    steps : int
        Training steps; 0 takes those of the network.
    seed : int
        Seed of the initial weights and of all draws.
    shots, gaussian : float
        Noise that it sees beyond that of the teacher.
    """

    steps: Steps = 0
    seed: Seed = 0
    shots: Shots = 0.5
    gaussian: Gaussian = 0.3


def _reconstructing(
    sizes: Mapping[str, int],
    *,
    fit: Fit,
    own_network: OwnNetwork,
    iterations: Iterations,
    uncertainty: Uncertainty,
) -> float:
    from zsfiji.services.duration import times_applied
    from zsfiji.services.simformer.duration import reconstructing

    learn = fit and own_network and not iterations
    return reconstructing(sizes, fit=fit, own_network=learn, applied=times_applied(uncertainty))


def _student(sizes: Mapping[str, int]) -> float:
    from zsfiji.services.simformer.duration import reconstructing

    return reconstructing(sizes, fit=False, student=True)


def _tuning(sizes: Mapping[str, int], *, steps: FineSteps) -> float:
    from zsfiji.services.simformer.duration import fine_tuning

    return fine_tuning(sizes, steps)


@command(
    label="SIMFormer Reconstruct...",
    fits=require_patterns,
    suffixes=("emitter",),
    duration=_reconstructing,
    on_request=("uncertainty", "illumination", "background_image", "residual", "psf"),
    suffix_of=(BACKGROUND_IMAGE,),
    memory=100,
    plane_memory=900,
    together=FEWEST_FRAMES,
    result_bytes=4,
    request_bytes=9,
)
def simformer_reconstruct(
    image: xr.DataArray,
    *,
    order: RawOrder,
    background: DarkLevel = None,
    fit: Fit = True,
    own_network: OwnNetwork = True,
    iterations: Iterations = 0,
    model: Chosen = None,
    seed: Seed = 0,
    windows: EmitterWindows,
    uncertainty: Uncertainty = False,
    device: Device = "auto",
) -> Outcome:
    """Reconstruct raw SIM with pixels three times smaller; optics and patterns need not be known.

    A network that has learnt from simulated specimens makes the first image, and one that learns
    from this image alone another. From the better one, or their mean, the specimen is fitted to the
    frames by the physics of SIM. Patterns, optics and noise are found in the image. What the
    network adds beyond the data can be wrong: the residual shows where the result does not explain
    the frames.
    """
    from zsfiji.commands.simformer import reconstructed

    return reconstructed(
        image,
        order,
        background,
        model=model,
        student=False,
        fit=fit,
        wanted=windows.wanted,
        device=device,
        iterations=iterations,
        own_network=own_network,
        seed=seed,
        uncertainty=uncertainty,
    )


@command(
    label="SIMFormer+ Reconstruct...",
    fits=require_patterns,
    suffixes=("emitter",),
    duration=_student,
    memory=100,
    plane_memory=300,
    together=FEWEST_FRAMES,
    result_bytes=4,
)
def simformer_plus_reconstruct(
    image: xr.DataArray,
    *,
    order: RawOrder,
    background: DarkLevel = None,
    model: Chosen = None,
    device: Device = "auto",
) -> Outcome:
    """Reconstruct a raw SIM image by the small, fast student of SIMFormer.

    The student has learnt what SIMFormer makes of images with less noise. Nothing is fitted to the
    frames, so it takes seconds, and there is no check of its result: for many images, or for very
    few photons.
    """
    from zsfiji.commands.simformer import reconstructed

    return reconstructed(
        image,
        order,
        background,
        model=model,
        student=True,
        fit=False,
        wanted=(),
        device=device,
    )


@command(
    label="SIMFormer Fine-tune...",
    fits=require_patterns,
    result_bytes=0,
    duration=_tuning,
    memory=100,
)
def simformer_fine_tune(
    image: xr.DataArray,
    *,
    save_model: NewModel,
    order: RawOrder,
    background: DarkLevel = None,
    start_model: StartFrom = None,
    steps: FineSteps = 0,
    seed: Seed = 0,
    device: Device = "auto",
) -> Outcome:
    """Train a model of SIMFormer further on one raw SIM image, and save it.

    The network learns to explain the frames of the image. Every second step is on simulated
    specimens, so that it does not forget what it knew. There is no truth of an image: whether the
    result is better is for the eye and the residual to say.
    """
    from zsfiji.commands import restore as common
    from zsfiji.commands.simformer import learnt, model_of
    from zsfiji.commands.untold import arranged
    from zsfiji.services.blind_sim.stacks import Optics
    from zsfiji.services.simformer.service import Given, Simformer

    start = model_of(start_model, student=False)
    raw = arranged(image, order, background)
    given = Given(Optics(background=background, layout=order.pattern), start)
    network = start.units[0].record
    settings = Settings(network=start.settings.network, steps=steps, seed=seed)
    made = common.fit(Simformer(), raw, settings, lambda _: given, save=save_model, device=device)
    record = made.units[0].record
    done = record.steps - network.steps
    target = common.model_path(save_model)
    return learnt(record.losses, done, steps or FINE_STEPS, target)


@command(label="SIMFormer Train...", result_bytes=0)
def simformer_train(
    *,
    settings: Settings,
    save_model: NewModel,
    training_state: Kept = None,
    device: Device = "auto",
) -> Outcome:
    """Train a network of SIMFormer on simulated raw SIM images, and save it.

    The specimens are drawn and imaged on the fly: nothing is written but the model and the state of
    the training. Hours of a processor are needed for a good one. Finish now saves what there is;
    with a state, the training can be continued later.
    """
    from zsfiji.commands.simformer import trained

    return trained(settings, save_model, training_state, device=device)


@command(label="SIMFormer Distill...", result_bytes=0)
def simformer_distill(
    *,
    save_model: NewModel,
    teacher: Teacher = None,
    distilling: Distilling,
    training_state: Kept = None,
    device: Device = "auto",
) -> Outcome:
    """Teach a small student what a trained network makes of raw SIM images, for SIMFormer+.

    The student sees the simulated raw images of the training with more noise than its teacher, and
    learns the teacher's emitter alone.
    """
    from zsfiji.commands.simformer import distilled

    return distilled(
        teacher,
        save_model,
        training_state,
        steps=distilling.steps,
        seed=distilling.seed,
        shots=distilling.shots,
        gaussian=distilling.gaussian,
        device=device,
    )
