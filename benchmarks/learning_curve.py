"""Draw the logs of ``python -m zsfiji.services.simformer.remake`` as a picture.

Run ``python benchmarks/learning_curve.py model.csv student.csv curve.png``. Each log is a
panel: PSNR in dB of stacks that are not learned from, over the steps, a line for each number of
photons.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from zsfiji.services.simformer.remake import PHOTONS

_WIDE, _HIGH, _LEFT, _BELOW, _ABOVE = 620, 360, 60, 40, 34
_COLOURS = ("#0072b2", "#009e73", "#e69f00", "#cc3311")


def panel(path: Path) -> Image.Image:
    with path.open() as file:
        rows = [[float(value) for value in row] for row in csv.reader(file)]
    steps, scores = [row[0] for row in rows], [row[3:] for row in rows]
    low = int(min(map(min, scores)))
    high = int(max(map(max, scores))) + 1
    image = Image.new("RGB", (_WIDE, _HIGH), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    right, bottom = _WIDE - 110, _HIGH - _BELOW

    def place(step: float, score: float) -> tuple[float, float]:
        across = _LEFT + step / steps[-1] * (right - _LEFT)
        return across, bottom - (score - low) / (high - low) * (bottom - _ABOVE)

    for score in range(low, high + 1):
        (_, row) = place(0, score)
        draw.line([(_LEFT, row), (right, row)], fill="#dddddd")
        draw.text((_LEFT - 8, row), str(score), fill="black", font=font, anchor="rm")
    for part in range(5):
        step = steps[-1] * part / 4
        draw.text((place(step, low)[0], bottom + 8), f"{step:.0f}", "black", font, anchor="mt")
    for n, photons in enumerate(PHOTONS):
        points = [place(step, row[n]) for step, row in zip(steps, scores, strict=True)]
        draw.line(points, fill=_COLOURS[n], width=2)
        label = f"{photons:g} photon" + ("s" if photons != 1 else "")
        draw.text((right + 8, _ABOVE + 20 * (len(PHOTONS) - n)), label, _COLOURS[n], font)
    name = path.stem.removeprefix("simformer-").capitalize()
    draw.text((_LEFT, 8), f"{name}: PSNR (dB) over steps", "black", font)
    return image


def main(logs: list[str], picture: str) -> None:
    panels = [panel(Path(log)) for log in logs]
    whole = Image.new("RGB", (_WIDE, _HIGH * len(panels)), "white")
    for n, image in enumerate(panels):
        whole.paste(image, (0, n * _HIGH))
    whole.save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:-1], sys.argv[-1])
