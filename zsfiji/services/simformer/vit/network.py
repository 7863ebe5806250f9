"""The whole network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from zsfiji.physics.sim.grid import SCALE
from zsfiji.services.simformer.vit.coding import LowRankCoding
from zsfiji.services.simformer.vit.configuration import FRAMES, Configuration
from zsfiji.services.simformer.vit.decoder import Decoder
from zsfiji.services.simformer.vit.encoder import Encoder
from zsfiji.services.simformer.vit.painters import (
    Painter,
    as_background,
    as_emitter,
    as_illumination,
)
from zsfiji.services.simformer.vit.psf import ImagePrior, Pupil


@dataclass(frozen=True)
class Painted:
    """What the network makes of raw frames.

    Attributes
    ----------
    emitter : torch.Tensor
        (batch, 1, fine row, fine col): light of the specimen.
    illumination : torch.Tensor or None
        (batch, 9, fine row, fine col): light of the frames, with a mean of 1 over them; None of a
        student, as the others are.
    background : torch.Tensor or None
        (batch, 1, fine row, fine col): smooth light that is not modulated.
    psf : torch.Tensor or None
        (1, 1, size, size), its sum 1.
    dropped : torch.Tensor
        (batch, 9, fine row, fine col): 1 where the network did not see the frames, else 0.
    """

    emitter: torch.Tensor
    illumination: torch.Tensor | None
    background: torch.Tensor | None
    psf: torch.Tensor | None
    dropped: torch.Tensor


class Simformer(nn.Module):
    """SIMFormer.

    Parameters
    ----------
    configuration : Configuration
        The sizes.
    seed : int
        Seed of the initial weights; torch's global random numbers are not changed.
    """

    def __init__(self, configuration: Configuration, seed: int = 0) -> None:
        super().__init__()
        self.configuration = configuration
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._make()

    def _make(self) -> None:
        sizes = self.configuration
        self.encoder = Encoder(sizes)
        self.decoder = Decoder(sizes)
        self.emitter = Painter(sizes, 1)
        if sizes.skip:
            # At the start the emitter is the wide-field image.
            nn.init.zeros_(self.emitter.last.weight)
        if sizes.parts == "all":
            self.background = Painter(sizes, 1)
            self.illumination = Painter(sizes, FRAMES)
            self.coding = LowRankCoding(sizes.decoder_width, sizes.coding_heads, sizes.dropout)
            prior = ImagePrior if sizes.psf == "image-prior" else Pupil
            self.psf = prior(sizes.psf_size)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, frames: torch.Tensor, ratio: float = 0.0, noise: float = 0.0) -> Painted:
        """Make images of raw frames.

        Parameters
        ----------
        frames : torch.Tensor
            (batch, 9, row, col) with rows and columns of the configuration's `crop`.
        ratio : float
            Share of the tokens that are not seen.
        noise : float
            Highest standard deviation of noise that is added to the enlarged frames, over their
            mean; of each sample another.
        """
        sizes = self.configuration
        fine = F.interpolate(frames, scale_factor=SCALE, mode="bilinear", align_corners=False)
        if noise:
            draw = noise * torch.rand(len(fine), 1, 1, 1, device=fine.device)
            level = fine.mean((1, 2, 3), keepdim=True)
            seen = fine + level * draw * torch.randn_like(fine)
        else:
            seen = fine
        encoded, masking = self.encoder(seen, ratio)
        tokens = self.decoder(encoded, masking)
        wide_field = seen.mean(1, keepdim=True) if sizes.skip else None
        emitter = as_emitter(self.emitter(tokens), wide_field)
        grid = masking.dropped.reshape(-1, sizes.groups, sizes.side, sizes.side)
        dropped = F.interpolate(
            grid.repeat_interleave(sizes.patch_frames, 1), scale_factor=sizes.patch
        )
        if sizes.parts == "emitter":
            return Painted(emitter, None, None, None, dropped)
        return Painted(
            emitter,
            as_illumination(self.illumination(self.coding(tokens))),
            as_background(self.background(tokens), sizes.smooth),
            self.psf(),
            dropped,
        )
