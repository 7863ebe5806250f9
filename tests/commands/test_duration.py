"""Estimates of computing times, and what is learnt from jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from zsfiji.commands import duration, find, table
from zsfiji.commands.duration import about, estimate, expected, learn

SIZES = {"t": 1, "pln": 1, "row": 512, "col": 512, "ch": 1}
TRAINING = (
    "denoise",
    "deconvolve",
    "fm2s",
    "zs_deconvnet_restore",
    "zs_deconvnet_train",
    "zero_shot_sim",
    "zs_sim",
)


FITTING = (
    "blind_sim",
    "simformer_fine_tune",
    "simformer_plus_reconstruct",
    "simformer_reconstruct",
)
"""Those whose time does not follow a quality."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A user's cache folder with nothing in it, on a computer as fast as the reference."""
    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path))
    monkeypatch.setattr(duration, "_probe", lambda device: duration._PROBE_ON_REFERENCE)
    return tmp_path / "speed.json"


def values(command, **given):
    needed = {"psf": "psf.tif", "save_model": "model"}
    there = {p.key for p in command.parameters if p.needed}
    return command.validate(
        {k: v for k, v in needed.items() if k in there} | {"device": "cpu"} | given
    )


def reference(name, sizes=SIZES, **given):
    command = find(name)
    return command.duration(sizes, values(command, **given))


def test_every_command_that_trains_tells_how_long_it_takes(cache):
    told = {c.name for c in table().values() if c.duration is not None}
    assert told == {*TRAINING, *FITTING}
    for name in (*TRAINING, *FITTING):
        text = estimate(find(name), SIZES, values(find(name)))
        assert text.startswith(("About ", "Less than "))
        assert " CPU core" in text


@pytest.mark.parametrize("name", TRAINING)
def test_it_follows_quality_size_planes_and_networks(name):
    choices = find(name).parameter("quality").choices
    times = [reference(name, quality=quality) for quality in choices]
    assert times == sorted(times)
    assert times[-1] > 2 * times[0]
    if name != "zs_deconvnet_train":
        assert reference(name, SIZES | {"row": 4096, "col": 4096}) > 1.5 * reference(name)
        # The frames of a raw SIM image are planes, too.
        many = 900 if name.endswith("sim") else 100
        assert reference(name, SIZES | {"t": many}) > 1.5 * reference(name)
    assert reference(name, SIZES | {"ch": 3}) > 2 * reference(name)
    frames = 36 if name.endswith("sim") else 4
    assert reference(name, SIZES | {"t": frames}, fit_per="plane") > 2 * reference(name)


@pytest.mark.parametrize(
    "name", ["blind_sim", "simformer_reconstruct", "zero_shot_sim", "zs_sim", "simformer_fine_tune"]
)
def test_patterns_on_axes_of_their_own_take_no_longer_than_as_slices(name):
    sides = {"row": 160, "col": 160}
    per_plane = {"fit_per": "plane"} if name == "zs_sim" else {}
    assert reference(name, sides | {"ang": 3, "pha": 3, "t": 2}, **per_plane) == reference(
        name, sides | {"pln": 18}, **per_plane
    )


def test_the_steps_are_those_of_the_method(monkeypatch):
    from zsfiji.services.denoise import settings

    before = reference("denoise", quality="standard")
    monkeypatch.setitem(settings.STEPS, "standard", 2 * settings.STEPS["standard"])
    assert reference("denoise", quality="standard") > 1.5 * before
    assert reference("zs_deconvnet_train", steps=9000) > 5 * reference("zs_deconvnet_train")


def test_the_first_estimate_comes_before_anything_that_takes_long(tmp_path):
    psf = tmp_path / "psf.tif"
    psf.touch()
    script = f"""
import sys, time
import numpy as np
from zsfiji import progress
from zsfiji.commands import find
from zsfiji.commands.run import run
from zsfiji.errors import Cancelled
from zsfiji.images.axes import as_image

class Sink:
    def show(self, event):
        if event.seconds_left is not None:
            print(name, time.monotonic() - started, event.seconds_left, "torch" in sys.modules)
            raise Cancelled
    def cancelled(self):
        return False
    def finish_now(self):
        return False

image = as_image(np.full((512, 512), 7, np.float32))
for name in {TRAINING}:
    command = find(name)
    options = {{"psf": {str(psf)!r}, "save_model": "m"}}
    options = {{k: v for k, v in options.items() if k in [p.key for p in command.parameters]}}
    started = time.monotonic()
    try:
        with progress.using(Sink()):
            run(command, image, options)
    except Cancelled:
        pass
"""
    home = {**os.environ, "ZSFIJI_CACHE": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=home)
    assert [line.split()[0] for line in told.stdout.splitlines()] == list(TRAINING), told.stderr
    for line in told.stdout.splitlines():
        _, after, left, loaded = line.split()
        assert float(after) < 2
        assert float(left) > 5
        assert loaded == "False"


def test_the_first_estimate_is_at_the_pace_that_is_known(cache, monkeypatch):
    command = find("denoise")
    options = values(command)
    loaded = {name: module for name, module in sys.modules.items() if name != "torch"}
    monkeypatch.setattr(duration, "sys", SimpleNamespace(modules=loaded))
    cache.write_text('{"2 CPU cores": {"denoise": 4, "probe": 1}, "A GPU": {"probe": 0.1}}')
    reference = command.duration(SIZES, options)
    assert next(expected(command, SIZES, options)) == pytest.approx(4 * reference)
    assert next(expected(command, SIZES, options | {"device": "auto"})) == pytest.approx(
        4 * reference
    )
    other = find("fm2s")
    reference = other.duration(SIZES, values(other))
    assert next(expected(other, SIZES, values(other))) == pytest.approx(reference)
    assert next(expected(other, SIZES, values(other, device="auto"))) == pytest.approx(
        0.1 * reference
    )


def test_a_saved_model_is_applied_in_less_time(tmp_path):
    for name in ("denoise", "deconvolve"):
        assert reference(name, apply_model=str(tmp_path)) < reference(name) / 2


def test_a_job_teaches_the_pace_of_this_computer_for_its_command(cache):
    command = find("denoise")
    options = values(command, quality="best")
    expected = command.duration(SIZES, options)
    estimate(command, SIZES, options)
    learn(command, SIZES, options, 3 * expected)
    [here] = json.loads(cache.read_text()).values()
    assert here["denoise"] == pytest.approx(3)
    assert here["probe"] == pytest.approx(1)
    assert estimate(command, SIZES, options).startswith(about(3 * expected))
    # One job beside much else shifts it, and does not replace it.
    learn(command, SIZES, options, 12 * expected)
    [here] = json.loads(cache.read_text()).values()
    assert here["denoise"] == pytest.approx(6)


def test_short_jobs_and_commands_without_a_training_teach_nothing(cache):
    learn(find("denoise"), SIZES, values(find("denoise")), 1.0)
    learn(find("zs_deconvnet_predict"), SIZES, {}, 100.0)
    assert not cache.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"1 CPU core": 3}', '{"1 CPU core": {"x": "y"}}'])
def test_a_damaged_cache_is_measured_anew(cache, content):
    cache.write_text(content)
    assert estimate(find("denoise"), SIZES, values(find("denoise")))


def test_a_device_that_is_not_there_has_no_estimate(cache, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert estimate(find("denoise"), SIZES, values(find("denoise"), device="cuda")) == ""


def test_the_probe_measures_some_time():
    import torch

    seconds = duration._probe(torch.device("cpu"))
    # None on a computer that is busy with other things.
    assert seconds is None or 0 < seconds < 5


def test_on_a_busy_computer_the_number_of_cores_counts_and_nothing_is_kept(cache, monkeypatch):
    command = find("denoise")
    monkeypatch.setattr(duration, "_probe", lambda device: None)
    options = values(command, quality="best")
    monkeypatch.setattr(duration, "_threads", lambda: 1)
    expected = command.duration(SIZES, options)
    assert estimate(command, SIZES, options) == f"{about(expected)} on 1 CPU core"
    monkeypatch.setattr(duration, "_threads", lambda: 32)
    assert estimate(command, SIZES, options) == f"{about(expected / 16)} on 32 CPU cores"
    assert not cache.exists()


def test_a_job_that_was_finished_early_teaches_nothing(cache, monkeypatch):
    from zsfiji import progress
    from zsfiji.commands import run
    from zsfiji.images.axes import as_image

    seen = []
    monkeypatch.setattr(run, "learn", lambda *given: seen.append(given))

    class Sink:
        done = False

        def show(self, event):
            pass

        def cancelled(self):
            return False

        def finish_now(self):
            return self.done

    image = as_image(np.random.default_rng(0).poisson(50, (40, 40)).astype(np.float32))
    sink = Sink()
    said = []
    for sink.done in (False, True):
        with progress.using(sink):
            said.append(run.run(find("noise_calibration"), image, {}).notes)
    assert "Finish now" not in " ".join(said[0])
    assert "Finish now: the recorded line, run to its end, gives another" in said[1][0]
    [(command, sizes, _, seconds)] = seen
    assert (command.name, sizes) == ("noise_calibration", {"row": 40, "col": 40})
    assert seconds > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "Less than 10 s"),
        (26, "About 30 s"),
        (58, "About 1 min"),
        (170, "About 3 min"),
        (5000, "About 1 h"),
        (200_000, "About 2 days"),
    ],
)
def test_times_are_said_roughly(seconds, text):
    assert about(seconds) == text
