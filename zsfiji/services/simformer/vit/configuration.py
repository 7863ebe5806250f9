"""Sizes of the vision transformer of SIMFormer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from zsfiji.physics.sim.grid import SCALE

FRAMES = 9
"""Frames of a raw image: three phases of three angles, the phases of an angle after each other."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Sizes of a network (docs/methods/simformer.md).

    Attributes
    ----------
    crop : int
        Edge in raw pixels of what the network sees at once.
    patch_frames, patch : int
        Frames, and edge in fine pixels, of a token.
    width, depth, heads : int
        Of the encoder: numbers in a token, blocks, heads of the attention.
    prior : int
        Channels of the first convolutions of the spatial prior.
    reduced : int
        Numbers in a token between the convolutions of an extractor.
    exchange : int
        After how many blocks the tokens and the spatial prior exchange what they have.
    decoder_width, decoder_depth, decoder_heads : int
        Of the transformer decoder.
    coding_heads : int
        Of the blocks before and after the low-rank coding.
    painters : tuple of int
        Channels of the convolutional decoders after each doubling of the grid.
    convolutions : int
        Convolutions at each of these grids.
    smooth : int
        Odd edge in fine pixels of the square over which the background is averaged.
    psf : {"image-prior", "pupil"}
        Whether the PSF is made by a network of its own, or by a pupil with few parameters.
    psf_size : int
        Odd edge of the PSF in fine pixels.
    dropout : float
        Share of numbers, attention weights and blocks that are left out in a training step.
    skip : bool
        Whether the emitter is a correction of the wide-field image. The published one is not: the
        network has to paint all of it.
    parts : {"all", "emitter"}
        What the network gives: "emitter" is that of a student (SIMFormer+).
    """

    crop: int
    patch_frames: int = 3
    patch: int = 16
    width: int
    depth: int
    heads: int
    prior: int
    reduced: int
    exchange: int = 1
    decoder_width: int
    decoder_depth: int
    decoder_heads: int
    coding_heads: int
    painters: tuple[int, ...]
    convolutions: int = 3
    smooth: int = 65
    psf: Literal["image-prior", "pupil"] = "pupil"
    psf_size: int = 49
    dropout: float = 0.0
    skip: bool = True
    parts: Literal["all", "emitter"] = "all"

    @property
    def groups(self) -> int:
        """Tokens along the frames."""
        return FRAMES // self.patch_frames

    @property
    def side(self) -> int:
        """Tokens along the rows, and along the columns."""
        return SCALE * self.crop // self.patch

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.groups * self.side**2

    def student(self) -> Configuration:
        """The same for a student, which gives the emitter only."""
        return replace(self, parts="emitter")


PUBLISHED = Configuration(
    crop=80,
    width=768,
    depth=12,
    heads=12,
    prior=64,
    reduced=192,
    decoder_width=512,
    decoder_depth=8,
    decoder_heads=16,
    coding_heads=4,
    painters=(512, 256, 128, 64),
    psf="image-prior",
    dropout=0.1,
    skip=False,
)
"""The published size: a ViT-B of 228 million parameters. It wants a GPU."""

SMALL = Configuration(
    crop=48,
    width=192,
    depth=4,
    heads=6,
    prior=16,
    reduced=48,
    exchange=2,
    decoder_width=128,
    decoder_depth=2,
    decoder_heads=4,
    coding_heads=4,
    painters=(96, 64, 32, 16),
    convolutions=2,
)
"""One that two cores can train."""
