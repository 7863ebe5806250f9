"""The settings of a training of ``Zero-Shot Deconvolve...``, its presets, and its constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.training import FitPer, Seed
from zsfiji.services.two_stage.settings import Dimensions, Steps, Upsample

KIND = "fast"
"""The kind of the networks, as models name it."""

Quality = Annotated[
    Literal["quick", "standard"],
    Field(
        description="How long to train: on two CPU cores an image of 512 x 512 pixels takes about "
        "a minute (quick) or five (standard), a stack longer."
    ),
    Shown("Quality"),
]


@dataclass(frozen=True)
class Preset:
    """How long a network is trained.

    Attributes
    ----------
    steps, steps_3d : int
        Training steps, on planes and on stacks.
    """

    steps: int
    steps_3d: int

    def steps_of(self, axes: int) -> int:
        """Training steps for planes (2) or stacks (3)."""
        return self.steps if axes == 2 else self.steps_3d


PRESETS = {"quick": Preset(1200, 300), "standard": Preset(8000, 1500)}
"""The choices of `quality`. Steps for planes have half of the patches of an earlier version, which
had 1,000 and 6,000: `quick` has 60 percent of the work and `standard` two thirds."""


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterGroup):
    """All that decides about a training, besides the image, its PSF and the camera.

    Attributes
    ----------
    quality : {"quick", "standard"}
        How long to train.
    dimensions : {"auto", "2d", "3d"}
        Whether slices are deconvolved one by one or as stacks; "auto" takes stacks where there
        are enough slices and the PSF is a stack too.
    upsample : {1, 2}
        Pixels of the deconvolved image per pixel of the image, along rows and along columns.
    fit_per : {"channel", "plane"}
        One network for each channel, shared by all slices and frames, or one for each plane (in
        3D, for each stack).
    seed : int
        Seed of the initial weights and of all draws, 0 to 2**31 - 1.
    steps : int
        Training steps, at most 1,000,000; 0 takes the preset's.

    Raises
    ------
    UserError
        If a value is none of these.
    """

    quality: Quality = "quick"
    dimensions: Dimensions = "auto"
    upsample: Upsample = 2
    fit_per: FitPer = "channel"
    seed: Seed = 0
    steps: Steps = 0

    @property
    def kind(self) -> str:
        """The kind of the network: there is one."""
        return KIND

    def planned_steps(self, axes: int) -> int:
        """Steps of a training on planes (2) or stacks (3)."""
        return self.steps or PRESETS[self.quality].steps_of(axes)


@dataclass(frozen=True)
class FastPlanesConstants:
    """Constants of the training of planes (docs/methods/deconvolve.md, 2).

    They were found on four kinds of simulated specimens with one seed
    (benchmarks/deconvolution.py); where nothing else is said no measurement was kept.

    Attributes
    ----------
    patch : int
        Least edge of a patch in pixels. It grows where the PSF is large, so that a middle of half
        this edge does not depend on what lies beyond the patch. Not tuned.
    pairs, examples : int
        Recorrupted pairs and examples per step, as soon as there are examples; before, so many
        pairs as both together. Few patches in more steps gave more than many in fewer.
    scrambled : int
        Specimens whose phases are random, besides one for each of the factors. No gain was measured
        (docs/methods/deconvolve.md, 2).
    rim : int
        Pixels at each side of a patch without a loss of the denoised patch, for they lack context.
        Not tuned.
    first_round : float
        Share of the steps after which there are examples. Not tuned.
    rounds : int
        How often examples are made. Not tuned.
    factors : tuple of float
        How much the restored image is shrunk for each example; the first one keeps its position,
        the others are rotated. Shrinking by 2 made vesicles into poor discs: judged on simulated
        specimens and by the picture of real microtubules.
    planes, field : int
        Planes that examples are made of at most, and edge of the square field that all of them have
        together: bounds the time.
    background_reach : float
        Half the width, in widths of the PSF, of what counts as structure and not as background.
        Chosen by eye.
    sharp_weight : float
        Weight of the squared error of the deconvolved examples.
    reblurred_weight : float
        Weight of equation 6 for the recorrupted pairs, once there are examples.
    grow_steps : int
        Steps over which `sharp_weight` grows to its value. The length of a step of Adam follows
        the gradients of the steps before: a new term at full weight throws it off. Chosen by eye.
    levels : tuple of float
        Lowest and highest factor that the brightness of an example is multiplied by. Chosen by eye.
    """

    patch: int = 64
    pairs: int = 1
    examples: int = 3
    scrambled: int = 1
    rim: int = 6
    first_round: float = 0.12
    rounds: int = 6
    factors: tuple[float, ...] = (1.0, 1.0, 1.25, 1.5)
    planes: int = 4
    field: int = 512
    background_reach: float = 5.0
    sharp_weight: float = 24.0
    reblurred_weight: float = 0.25
    grow_steps: int = 60
    levels: tuple[float, float] = (0.7, 1.4)


FAST_PLANES = FastPlanesConstants()
"""Those that are used."""


@dataclass(frozen=True)
class FastStacksConstants:
    """Constants of the training of stacks (docs/methods/deconvolve.md, 3).

    They were tried on four simulated specimens (benchmarks/deconvolution.py --stack), at 15 photons
    only; where nothing else is said no measurement was kept.

    Attributes
    ----------
    patch, depth, batch : int
        Edge, slices and number of the patches from which stage 1 learns alone. Not tuned.
    both_patch : int
        Edge of the patch from which both stages learn. Not tuned.
    rim : int
        Pixels at each side of a patch without a loss, for they lack context. Not tuned.
    stage1_share : float
        Share of the steps in which stage 1 learns alone. Chosen by eye.
    round_steps : int
        Steps after which new examples are made: a compromise with the time that these take.
    factors : tuple of float
        How much the restored stack is shrunk for each example. Chosen by eye.
    levels : tuple of float
        Lowest and highest factor that the brightness of an example is multiplied by. Chosen by eye.
    example_voxels, example_slices : int
        Voxels and slices at most of the part of a stack that examples are made of: bounds the time
        of the classical deconvolution.
    sharp_weight : float
        Weight of the squared error of the deconvolved examples, in that of the classical
        deconvolution.
    rate : float
        Highest learning rate.
    noisy : float
        Noise, in the unit of the scale, up from which the learning rate is `rate`. Not tuned.
    near_light : float
        Share of the light that the narrower PSF holds through which what stage 2 changes is
        blurred. Chosen by eye.
    """

    patch: int = 48
    depth: int = 16
    batch: int = 4
    both_patch: int = 80
    rim: int = 6
    stage1_share: float = 0.35
    round_steps: int = 400
    factors: tuple[float, ...] = (1.0, 1.5, 2.0)
    levels: tuple[float, float] = (0.7, 1.4)
    example_voxels: int = 400_000
    example_slices: int = 48
    sharp_weight: float = 4.0
    rate: float = 2e-3
    noisy: float = 0.05
    near_light: float = 0.8


FAST_STACKS = FastStacksConstants()
"""Those that are used."""
