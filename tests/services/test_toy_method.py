"""The worked example of docs/architecture.md, followed to the end."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import toy_method
from scipy.ndimage import gaussian_filter
from toy_method import METHOD, Settings

from zsfiji.commands.declare import command
from zsfiji.commands.outcome import Outcome
from zsfiji.commands.run import run
from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models
from zsfiji.parameters.device import Device
from zsfiji.parameters.model_files import ModelFiles

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


@command(label="Toy Average...", suffixes=("averaged",))
def toy_average(
    image, *, settings: Settings, files: ModelFiles, device: Device = "auto"
) -> Outcome:
    """Average the neighbours of each pixel.

    A command is a function whose groups of options become fields of a dialog.
    """
    from zsfiji.commands.restore import restore

    return restore(METHOD, image, settings, None, files=files, bit_depth="32-bit", device=device)


@pytest.fixture
def noisy():
    draws = np.random.default_rng(0)
    truth = gaussian_filter(draws.poisson(2.0, (2, 64, 80)).astype(float), (0, 3, 3)) * 200
    return as_image(draws.poisson(truth).astype(np.uint16)), truth


def test_the_page_shows_the_code_of_the_example():
    """What the page shows is in the example, so it works."""
    source = Path(toy_method.__file__).read_text() + Path(__file__).read_text()
    lines = {line.strip() for line in source.splitlines()}
    section = PAGE.read_text().partition("## Add a method")[2]
    shown = "\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL))
    assert shown.count("def ") >= 4
    missing = [line for line in shown.splitlines() if line.strip() not in lines | {"", "..."}]
    assert not missing


def test_the_command_has_the_options_of_the_settings():
    keys = [p.key for p in toy_average.command.parameters]
    assert keys == ["fit_per", "seed", "apply_model", "save_model", "device"]


def test_it_improves_an_image_and_says_so(noisy):
    image, truth = noisy
    outcome = run(toy_average.command, image, {})
    (result,) = outcome.images
    assert result.dims == image.dims
    assert np.mean((result.data - truth) ** 2) < 0.7 * np.mean((image.data - truth) ** 2)
    assert outcome.metrics["error"] > 0
    assert outcome.notes
    assert result.attrs["properties"]["zsfiji.command"].startswith('run("Toy Average..."')


def test_a_saved_model_gives_the_same(noisy, tmp_path):
    image, _ = noisy
    path = tmp_path / "toy.zsfiji"
    first = run(toy_average.command, image, {"save_model": path}).images[0]
    second = run(toy_average.command, image, {"apply_model": path}).images[0]
    np.testing.assert_array_equal(first.data, second.data)
    names = [i.attrs["properties"]["zsfiji.model"] for i in (first, second)]
    assert names[0] == names[1] == models.digest(models.load(path, METHOD))


def test_one_unit_for_each_channel_or_for_each_plane(noisy):
    image, _ = noisy
    assert len(METHOD.fit(image, Settings(), None).units) == 1
    model = METHOD.fit(image, Settings(fit_per="plane"), None)
    assert len(model.units) == 2
    with pytest.raises(UserError, match="fitted to 2 planes and the image has 1"):
        METHOD.apply(model, image.isel(pln=0))
