"""What ``Blind SIM...`` finds in stacks of which nothing is told, and which beads it tells apart.

Run ``python benchmarks/blind_sim.py [--photons 0.5,1,10,100,500,1000] [--seeds 1000,...]
[--side 128] [--beads 130,110,100,90] [--iterations 0,320,500]``. PSNR beside the other methods:
``benchmarks/simformer.py``.

The first table has all thin specimens (:mod:`zsfiji.physics.sim.published`). For each number of
photons: in how many stacks the patterns of all angles were found, and of these the worst error over
all stacks and angles of the spacing, of the direction and of the cut-off, the modulation (true:
0.8), the iterations, the share of the squared residual in the noise, and processor seconds. The
second one has pairs of beads of 500 photons, for each distance and number of iterations (0 is what
the noise bears): the share of 36 pairs with a dip below 0.735 of the two peaks, and the noise of
the dark places between them over the brightness of the peaks.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from zsfiji.physics.sim.grid import SCALE
from zsfiji.physics.sim.published import (
    FACTOR,
    MARGIN,
    PIXEL,
    PublishedStack,
    published_stack,
    stack_of,
)
from zsfiji.physics.specimens import THIN_KINDS
from zsfiji.reconstruction import blind
from zsfiji.reconstruction.blind import Fitted, Found

_PAIRS = 6
"""Rows and columns of pairs."""

_DIP = 0.735
"""Brightness between two points at the limit of Rayleigh, over that of the points."""


def errors(fitted: Fitted[Found], true: PublishedStack) -> tuple[float, float, float]:
    """Largest relative error of the spacings, of the directions in degrees, and of the cut-off."""
    spacing, direction = [], []
    for found, told in zip(
        fitted.patterns.wave_vectors[:, 0].numpy(),
        true.patterns.wave_vectors[:, 0].numpy(),
        strict=True,
    ):
        cross, along = found[0] * told[1] - found[1] * told[0], found @ told
        spacing.append(abs(np.hypot(*told) / np.hypot(*found) - 1))
        direction.append(math.degrees(abs(math.atan(cross / along))))
    lens = fitted.transfer.cutoff / true.transfer.cutoff - 1
    return max(spacing), max(direction), lens


def pairs(
    distance: float, side: int
) -> tuple[NDArray[np.float32], list[tuple[np.ndarray, np.ndarray]]]:
    """Points in pairs on the fine grid, with the middle and half the distance in raw pixels."""
    draws = np.random.default_rng(5)
    field = np.zeros(((side + 2 * MARGIN) * FACTOR,) * 2, np.float32)
    where: list[tuple[np.ndarray, np.ndarray]] = []
    for place in np.ndindex(_PAIRS, _PAIRS):
        middle = side * (np.array(place) + 0.5) / _PAIRS + draws.uniform(-2, 2, 2)
        turn = draws.uniform(0, math.pi)
        half = distance / PIXEL / 2 * np.array([math.sin(turn), math.cos(turn)])
        where.append((middle, half))
        for sign in (-1, 1):
            at = (middle + sign * half + MARGIN) * FACTOR - 0.5
            low = np.floor(at).astype(int)
            for corner in np.ndindex(2, 2):
                share = np.abs(1 - np.array(corner) - (at - low)).prod()
                field[tuple(low + corner)] += share
    return gaussian_filter(field, 0.5), where


def told_apart(image: np.ndarray, where: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Share of the pairs that are seen as two."""
    seen = 0
    for middle, half in where:
        length = float(np.linalg.norm(half))
        along = half / length
        beside = np.array([-along[1], along[0]])
        way = np.linspace(-2 * length - 0.5, 2 * length + 0.5, 81)
        profile = np.zeros(len(way))
        for shift in (-0.2, 0.0, 0.2):
            at = middle[:, None] + along[:, None] * way + beside[:, None] * shift
            profile += map_coordinates(image, at * SCALE - 0.5, order=1)
        peaks = [profile[np.abs(way - s * length) < 0.5 * length].max() for s in (-1, 1)]
        dip = profile[np.abs(way) < 0.25 * length].min()
        alike = min(peaks) > 0.25 * max(peaks)
        seen += bool(alike and dip < _DIP * np.mean(peaks))
    return seen / len(where)


def specimens(photons: Sequence[float], seeds: Sequence[int], side: int) -> None:
    print(
        "photons     found   spacing  direction   cut-off   modulation   iterations   residual   "
        "seconds"
    )
    for light in photons:
        rows = []
        for kind in THIN_KINDS:
            for seed in seeds:
                one = published_stack(kind, side, photons=light, seed=seed)
                began = time.process_time()
                raw = torch.from_numpy(one.raw)
                found = blind.find(raw, 0.0)
                if not bool(found.search.found.all()):
                    continue
                fitted = blind.fit(found, raw)
                seconds = time.process_time() - began
                rows.append(
                    (
                        *np.abs(errors(fitted, one)),
                        float(fitted.patterns.modulation.mean()),
                        fitted.iterations,
                        float(fitted.residual.mean()),
                        seconds,
                    )
                )
        share = f"{light:7g}   {len(rows):3d}/{len(THIN_KINDS) * len(seeds):3d}"
        if not rows:
            print(share, flush=True)
            continue
        worst, mean = np.max(rows, 0), np.mean(rows, 0)
        print(
            f"{share}   {100 * worst[0]:6.3f} %   "
            f"{worst[1]:6.3f}  {100 * worst[2]:7.2f} %   {mean[3]:10.2f}   "
            f"{mean[4]:10.0f}   {mean[5]:8.2f}   {mean[6]:7.1f}",
            flush=True,
        )


def beads(distances: Sequence[float], iterations: Sequence[int], side: int) -> None:
    print("distance   " + "   ".join(f"{n or 'auto':>12}" for n in iterations))
    for distance in distances:
        drawn, where = pairs(distance, side)
        one = stack_of(drawn, np.random.default_rng(6), photons=500, seed=6)
        raw = torch.from_numpy(one.raw)
        found, _ = blind.with_refined(blind.find(raw, 0.0), raw)
        cells = []
        for number in iterations:
            fitted = blind.run(found, raw, number or blind.counted(found, raw))
            image = fitted.specimen.numpy()
            dark = image[one.truth < 1e-3 * one.truth.max()].std() / np.quantile(image, 0.999)
            share = told_apart(image, where)
            cells.append(f"{share:.2f} ({100 * dark:.1f} %, {fitted.iterations})")
        print(f"{distance:5g} nm   " + "   ".join(cells), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photons", default="0.5,1,10,100,500,1000")
    parser.add_argument("--seeds", default=",".join(map(str, range(1000, 1010))))
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--beads", default="130,110,100,90")
    parser.add_argument("--iterations", default="0,320,500")
    chosen = parser.parse_args(arguments)
    if chosen.photons:
        lights = [float(v) for v in chosen.photons.split(",")]
        specimens(lights, [int(v) for v in chosen.seeds.split(",")], chosen.side)
    if chosen.beads:
        distances = [float(v) for v in chosen.beads.split(",")]
        beads(distances, [int(v) for v in chosen.iterations.split(",")], chosen.side)


if __name__ == "__main__":
    main()
