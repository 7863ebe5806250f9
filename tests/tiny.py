"""Networks of SIMFormer that train and restore in a moment."""

from __future__ import annotations

from dataclasses import replace

from zsfiji.services.simformer import stages
from zsfiji.services.simformer.compact import Size
from zsfiji.services.simformer.kinds import CompactKind, VitKind
from zsfiji.services.simformer.vit.configuration import Configuration

SIZES = Configuration(
    crop=16,
    width=24,
    depth=2,
    heads=2,
    prior=8,
    reduced=8,
    decoder_width=16,
    decoder_depth=1,
    decoder_heads=2,
    coding_heads=2,
    painters=(16, 8, 8, 8),
    convolutions=1,
    psf_size=13,
    dropout=0.1,
    skip=False,
)
COMPACT = Size(width=8, blocks=(1, 1, 1), head=4)


class TinyCompact(CompactKind):
    crop, batch = 16, 2

    def __init__(self) -> None:
        super().__init__(COMPACT, replace(COMPACT, width=4))


def vit(sizes: Configuration = SIZES) -> VitKind:
    """A vision transformer that corrects the wide-field image."""
    sizes = replace(sizes, skip=True)
    return VitKind("small", sizes, batch=2, steps=6, rate=1e-3, stages=stages.SMALL)
