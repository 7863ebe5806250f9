"""What the shipped network learns from: the truth of simulated stacks."""

from __future__ import annotations

from zsfiji.services.simformer import stages
from zsfiji.services.simformer.compact import Compact
from zsfiji.services.simformer.kinds import CompactKind
from zsfiji.services.simformer.objective import Objective, simulated
from zsfiji.services.simformer.stream import Stream


class Supervised(Objective):
    """The error of a compact network.

    Parameters
    ----------
    network : Compact
        The network.
    stream : Stream
        What it learns from.
    """

    def __init__(self, network: Compact, stream: Stream) -> None:
        super().__init__(
            CompactKind(),
            network,
            lambda step: simulated(stream.batch(step)),
            stages=stages.PLAIN,
            steps=1,
        )
