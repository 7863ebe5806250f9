"""``SIM Simulator...``: a raw image of structured illumination microscopy with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from zsfiji.commands.declare import command
from zsfiji.errors import UserError
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.optics import Depth, Emission, Immersion, NumericalAperture, SpecimenIndex
from zsfiji.parameters.specimens import Structure

if TYPE_CHECKING:
    from zsfiji.commands.outcome import Outcome
    from zsfiji.physics.optics.microscope import Optics
    from zsfiji.physics.sim.light import Light
    from zsfiji.physics.sim.simulator import Simulation
    from zsfiji.physics.sim.simulator_3d import StackSimulation

_MOST = 2e8
"""Pixels in all frames of a stack: bounds the memory."""

# Ranges differ from those of the same options for images: nothing is measured here, so no value may
# be missing, and what is simulated has to fit into the memory.

Width = Annotated[
    int,
    Field(ge=32, le=1024, description="Columns of the raw image."),
    Shown("Width", unit="px"),
]

Height = Annotated[
    int,
    Field(ge=32, le=1024, description="Rows of the raw image."),
    Shown("Height", unit="px"),
]

Dimensions = Annotated[
    Literal["2d", "3d"],
    Field(
        description="2d: a plane in focus. 3d: a stack, with the light of all its slices in each."
    ),
    Shown("Dimensions"),
]

Slices = Annotated[
    int,
    Field(ge=4, le=64, description="Slices of a simulated stack."),
    Shown("Slices (3d)", advanced=True),
]

SliceSpacing = Annotated[
    float,
    Field(ge=20, le=2000, description="Distance of the slices of a stack (z step)."),
    Shown("Slice spacing (3d)", unit="nm", advanced=True),
]

Excitation = Annotated[
    float,
    Field(
        ge=200,
        le=2000,
        description="Wavelength of the laser: in a stack it says how the pattern changes with "
        "depth.",
    ),
    Shown("Excitation (3d)", unit="nm", advanced=True),
]

PixelSize = Annotated[
    float,
    Field(ge=10, le=1000, description="Width of a pixel of the raw image in the specimen."),
    Shown("Pixel size", unit="nm"),
]

Angles = Annotated[
    int,
    Field(ge=1, le=9, description="Directions of the pattern."),
    Shown("Angles"),
]

Phases = Annotated[
    int,
    Field(ge=3, le=15, description="Positions of the pattern in each direction."),
    Shown("Phases"),
]

Beams = Annotated[
    Literal["two", "three", "hexagonal"],
    Field(
        description="Beams that make the pattern. two: lines, as of 2D-SIM and TIRF-SIM. three: "
        "lines with a second, coarser pattern, as of 3D-SIM (5 phases or more). hexagonal: spots "
        "(1 angle, 7 phases)."
    ),
    Shown("Beams"),
]

PatternSpacing = Annotated[
    float | None,
    Field(
        ge=20,
        le=10_000,
        description="Distance of the lines of the pattern. Empty: 1/0.9 of the finest that the "
        "objective passes.",
    ),
    Shown("Line spacing", unit="nm"),
]

Modulation = Annotated[
    float,
    Field(ge=0, le=1, description="Contrast of the pattern: 1 is dark between its lines."),
    Shown("Modulation"),
]

Direction = Annotated[
    float | None,
    Field(
        ge=-180,
        le=180,
        description="Of the first angle: that in which the pattern changes, from the x axis "
        "towards the y axis (down). Empty: random.",
    ),
    Shown("Direction", unit="degrees", advanced=True),
]

Jitter = Annotated[
    float,
    Field(ge=0, le=90, description="Standard deviation of the phases from equal steps."),
    Shown("Phase jitter", unit="degrees", advanced=True),
]

Bleaching = Annotated[
    float,
    Field(ge=0, le=0.95, description="Share of the light that is lost until the last frame."),
    Shown("Bleaching", advanced=True),
]

Photons = Annotated[
    float,
    Field(
        ge=0.1,
        le=20_000,
        description="Photons of a frame in a bright pixel: the 99.5 % quantile of the wide-field "
        "image.",
    ),
    Shown("Photons", unit="per frame"),
]

Haze = Annotated[
    float,
    Field(
        ge=0, le=20, description="Light out of focus, over that in focus: smooth, without pattern."
    ),
    Shown("Haze"),
]

Drift = Annotated[
    float,
    Field(
        ge=0,
        le=16,
        description="Distance that the specimen moves between the first frame and the last.",
    ),
    Shown("Drift", unit="px", advanced=True),
]

Gain = Annotated[
    float,
    Field(ge=0.01, le=1000, description="What one photoelectron adds to a pixel."),
    Shown("Gain", unit="grey levels per photoelectron", advanced=True),
]

Background = Annotated[
    float,
    Field(ge=0, le=30_000, description="Grey level of the camera without light."),
    Shown("Background", unit="grey levels", advanced=True),
]

ReadNoise = Annotated[
    float,
    Field(ge=0, le=100, description="Standard deviation of a pixel without light."),
    Shown("Read noise", unit="electrons", advanced=True),
]

TrueAperture = Annotated[
    float | None,
    Field(
        ge=0.02,
        le=1.7,
        description="Aperture that the light really has: other than the one that a reconstruction "
        "is told. Empty: the same.",
    ),
    Shown("True aperture", advanced=True),
]

Damping = Annotated[
    float,
    Field(
        ge=0.01,
        le=1,
        description="What remains of the OTF at its cut-off: 1 is the calculated lens, real ones "
        "have 0.2 to 0.6.",
    ),
    Shown("Damping of the OTF", advanced=True),
]

Seed = Annotated[
    int,
    Field(ge=0, le=2**31 - 1, description="Another number gives another specimen and noise."),
    Shown("Seed", advanced=True),
]


@dataclass(frozen=True, kw_only=True)
class Specimen(ParameterGroup):
    """What is seen.

    Attributes
    ----------
    structure : str
        One of :data:`zsfiji.physics.specimens.KINDS`.
    width, height : int
        Size of the raw image in pixels.
    dimensions : {"2d", "3d"}
        A plane or a stack.
    slices : int
        Of a stack.
    slice_spacing : float
        Distance of the slices in nm.
    """

    structure: Structure = "filaments"
    width: Width = 256
    height: Height = 256
    dimensions: Dimensions = "2d"
    slices: Slices = 16
    slice_spacing: SliceSpacing = 125.0


@dataclass(frozen=True, kw_only=True)
class Objective(ParameterGroup):
    """The objective that a reconstruction is told.

    Attributes
    ----------
    na : float
        Numerical aperture.
    emission : float
        Wavelength of the fluorescence in nm.
    pixel_size : float
        In nm.
    excitation : float
        Wavelength of the laser in nm; of a stack.
    """

    na: NumericalAperture = 1.49
    emission: Emission = 525.0
    pixel_size: PixelSize = 65.0
    excitation: Excitation = 488.0


@dataclass(frozen=True, kw_only=True)
class Pattern(ParameterGroup):
    """The illumination.

    Attributes
    ----------
    angles, phases : int
        Numbers of frames.
    beams : {"two", "three", "hexagonal"}
        Kind of the pattern.
    line_spacing : float, optional
        Distance of the finest lines in nm.
    modulation : float
        Contrast, 0 to 1.
    direction : float, optional
        Of the first angle, in degrees.
    jitter : float
        Standard deviation of the phases in degrees.
    bleaching : float
        Share of the light that is lost until the last frame.
    """

    angles: Angles = 3
    phases: Phases = 3
    beams: Beams = "two"
    line_spacing: PatternSpacing = None
    modulation: Modulation = 0.8
    direction: Direction = None
    jitter: Jitter = 0.0
    bleaching: Bleaching = 0.0


@dataclass(frozen=True, kw_only=True)
class Recording(ParameterGroup):
    """Light and camera.

    Attributes
    ----------
    photons : float
        Of a frame in a bright pixel.
    haze : float
        Light out of focus over that in focus.
    drift : float
        Pixels between the first frame and the last.
    gain, background : float
        Grey levels per photoelectron, and without light.
    read_noise : float
        In electrons.
    """

    photons: Photons = 100.0
    haze: Haze = 0.0
    drift: Drift = 0.0
    gain: Gain = 2.2
    background: Background = 100.0
    read_noise: ReadNoise = 1.5


@dataclass(frozen=True, kw_only=True)
class Mismatch(ParameterGroup):
    """In what the true optics are not those that a reconstruction is told.

    Attributes
    ----------
    true_aperture : float, optional
        Numerical aperture of the true lens.
    damping : float
        What remains of its OTF at the cut-off.
    immersion : float
        Refractive index of the immersion.
    specimen : float, optional
        Refractive index of the specimen; with `depth` it gives spherical aberration.
    depth : float
        Distance of the structure from the cover glass, in micrometres.
    """

    true_aperture: TrueAperture = None
    damping: Damping = 1.0
    immersion: Immersion = 1.515
    specimen: SpecimenIndex = None
    depth: Depth = 0.0


def _light(objective: Objective, pattern: Pattern) -> Light:
    """The patterns that the options describe."""
    from zsfiji.physics.sim.light import Light

    finest = objective.emission / (2 * objective.na)
    given = {} if pattern.line_spacing is None else {"fineness": finest / pattern.line_spacing}
    light = Light(
        angles=pattern.angles,
        phases=pattern.phases,
        beams=pattern.beams,
        modulation=pattern.modulation,
        direction=pattern.direction,
        jitter=pattern.jitter,
        bleaching=pattern.bleaching,
        **given,
    )
    light.check()
    return light


def _lenses(objective: Objective, mismatch: Mismatch) -> tuple[Optics, Optics]:
    """The lens that a reconstruction is told, and the true one."""
    from dataclasses import replace

    from zsfiji.physics.optics.microscope import Optics

    told = Optics(
        "wide-field",
        objective.na,
        objective.emission,
        mismatch.immersion,
        excitation=objective.excitation,
    )
    true = replace(
        told,
        numerical_aperture=mismatch.true_aperture or objective.na,
        sample_index=mismatch.specimen,
        depth=mismatch.depth,
    )
    told.check()
    true.check()
    return told, true


def _check(
    *,
    specimen: Specimen,
    objective: Objective,
    pattern: Pattern,
    recording: Recording,
    mismatch: Mismatch,
) -> None:
    _lenses(objective, mismatch)
    _light(objective, pattern)
    if specimen.dimensions == "2d":
        return
    if pattern.beams == "hexagonal":
        raise UserError("A stack takes a pattern of two or three beams.")
    if recording.haze or recording.drift:
        raise UserError(
            "Haze and drift are for 2d: a stack has the light of its own slices out of focus. Give "
            "'haze=0 drift=0'."
        )
    voxels = specimen.slices * specimen.width * specimen.height * pattern.angles * pattern.phases
    if voxels > _MOST:
        raise UserError(
            f"The stack would have {voxels / 1e6:.0f} million pixels. Choose fewer slices or a "
            f"smaller field, of at most {_MOST / 1e6:.0f} million pixels in all frames."
        )


@command(label="SIM Simulator...", check=_check)
def sim_simulator(
    *,
    specimen: Specimen,
    objective: Objective,
    pattern: Pattern,
    recording: Recording,
    mismatch: Mismatch,
    seed: Seed = 0,
) -> Outcome:
    """Simulate a raw image of structured illumination microscopy (SIM), and the truth behind it.

    A specimen is drawn six times as fine as the pixels, illuminated by the patterns, blurred by the
    objective and recorded by a camera with noise. The frames open as one stack that the SIM
    commands take as it is. The truth, on a grid of twice as many pixels, is what a reconstruction
    should show. True optics other than the ones that the reconstruction is told show how much it
    depends on them.
    """
    from zsfiji.commands.outcome import Outcome
    from zsfiji.images.grid import finer
    from zsfiji.physics.sim.simulator import UPSAMPLE, Camera, simulate
    from zsfiji.physics.sim.simulator_3d import simulate_stack

    told, true = _lenses(objective, mismatch)
    size = (specimen.height, specimen.width)
    camera = Camera(
        gain=recording.gain, offset=recording.background, read_noise=recording.read_noise
    )
    found: Simulation | StackSimulation
    if specimen.dimensions == "3d":
        found = simulate_stack(
            specimen.structure,
            (specimen.slices, *size),
            optics=told,
            pixel=objective.pixel_size,
            spacing=specimen.slice_spacing,
            true_optics=true,
            damping=mismatch.damping,
            light=_light(objective, pattern),
            camera=camera,
            peak=recording.photons,
            seed=seed,
        )
    else:
        found = simulate(
            specimen.structure,
            size,
            optics=told,
            pixel=objective.pixel_size,
            true_optics=true,
            damping=mismatch.damping,
            light=_light(objective, pattern),
            camera=camera,
            peak=recording.photons,
            haze=recording.haze,
            drift=recording.drift,
            seed=seed,
        )
    truth = finer(found.raw.isel(ang=0, pha=0), UPSAMPLE).copy(data=found.truth)
    found.raw.attrs["title"] = f"{specimen.structure} raw"
    truth.attrs["title"] = f"{specimen.structure} truth"
    metrics = _metrics(found, objective.pixel_size)
    return Outcome((truth, found.raw), tuple(_notes(found, objective, metrics)), metrics)


def _metrics(found: Simulation | StackSimulation, pixel: float) -> dict[str, float]:
    from math import atan2, degrees

    finest = found.patterns.wave_vectors[:, -1]
    metrics = {"line_spacing": pixel / found.patterns.finest}
    for number, (row, col) in enumerate(finest.tolist(), 1):
        metrics[f"direction_{number}"] = degrees(atan2(row, col))
    return metrics


def _notes(
    found: Simulation | StackSimulation, objective: Objective, metrics: dict[str, float]
) -> list[str]:
    directions = [f"{value:.1f}" for name, value in metrics.items() if name != "line_spacing"]
    finest = found.patterns.finest
    lines = f"{metrics['line_spacing']:.4g} nm"
    notes = [
        f"Line spacing {lines} ({finest / found.cutoff:.3g} of the cut-off), directions "
        f"{', '.join(directions)} degrees."
    ]
    if finest > 0.5:
        notes.append(
            f"Pixels of {objective.pixel_size:g} nm are too large for lines of {lines}: they take "
            "at least two pixels to a line."
        )
    return notes
