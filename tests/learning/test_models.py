"""Models as files."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import safetensors.torch
import torch

from zsfiji.errors import UserError
from zsfiji.images.axes import as_image
from zsfiji.learning import models


@dataclass(frozen=True)
class Settings:
    seed: int = 7
    levels: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Record:
    gain: float = 0.1 + 0.2
    losses: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Unit:
    record: Record
    weights: dict[str, torch.Tensor]

    def tensors(self):
        return self.weights


@dataclass(frozen=True)
class Kind:
    name: str = "fm2s"
    settings_type: type = Settings
    record_type: type = Record

    def unit(self, record, tensors):
        return Unit(record, dict(tensors))


FM2S = Kind()


def model(kind=FM2S, record=Record(), **weights):
    tensors = weights or {"w": torch.rand(2, 3), "b": torch.zeros(1)}
    units = [Unit(record, tensors), Unit(Record(2.0), {})]
    return models.model_of(kind, Settings(), as_image(np.zeros((3, 4, 5), np.uint8)), units)


def test_a_model_comes_back_as_it_was(tmp_path):
    before = model()
    after = models.load(models.save(before, tmp_path / "m.zsfiji"), FM2S)
    assert after.settings == before.settings
    assert after.fitted_to == before.fitted_to
    assert (after.fitted_to.size("pln"), after.fitted_to.size("ch")) == (3, 1)
    assert [u.record for u in after.units] == [u.record for u in before.units]
    for old, new in zip(before.units, after.units, strict=True):
        assert old.weights.keys() == new.weights.keys()
        assert all(torch.equal(old.weights[k], new.weights[k]) for k in old.weights)
    assert models.digest(after) == models.digest(before)


def test_the_digest_tells_models_apart_but_not_by_the_course_of_the_loss():
    one = model()
    other_weights = model(w=torch.rand(2, 3), b=torch.ones(1))
    other_settings = replace(one, settings=Settings(8))
    other_record = model(record=Record(0.5), **one.units[0].weights)
    other_loss = model(record=Record(losses=((1, 2.0),)), **one.units[0].weights)
    several = (one, other_weights, other_settings, other_record)
    assert len({models.digest(m) for m in several}) == 4
    assert models.digest(other_loss) == models.digest(one)


def test_weights_on_a_view_or_in_half_precision_are_saved(tmp_path):
    before = model(t=torch.rand(3, 4).T, h=torch.ones(2, dtype=torch.bfloat16))
    after = models.load(models.save(before, tmp_path / "m.zsfiji"), FM2S)
    assert torch.equal(after.units[0].weights["t"], before.units[0].weights["t"])
    assert after.units[0].weights["h"].dtype == torch.bfloat16
    assert models.digest(after) == models.digest(before)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no model file .*gone\.zsfiji"):
        models.load(tmp_path / "gone.zsfiji", FM2S)


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 100])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "m.zsfiji"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a model of zsfiji"):
        models.load(path, FM2S)


def test_a_damaged_file_is_refused(tmp_path):
    path = models.save(model(), tmp_path / "m.zsfiji")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="damaged"):
        models.load(path, FM2S)


@pytest.mark.parametrize("metadata", [None, {"zsfiji": "[1]"}, {"zsfiji": '{"format": 1}'}])
def test_somebody_elses_safetensors_file_is_refused(tmp_path, metadata):
    path = tmp_path / "m.zsfiji"
    path.write_bytes(safetensors.torch.save({"w": torch.zeros(1)}, metadata=metadata))
    with pytest.raises(UserError, match="not a model of zsfiji"):
        models.load(path, FM2S)


def test_a_model_of_another_method_is_refused(tmp_path):
    path = models.save(model(Kind("denoise")), tmp_path / "m.zsfiji")
    with pytest.raises(UserError, match="'denoise', not to 'fm2s'"):
        models.load(path, FM2S)


def test_a_model_of_an_earlier_format_asks_for_another_training(tmp_path):
    header = {"format": 1, "version": "0.1.0", "method": "fm2s", "settings": {}}
    path = tmp_path / "m.zsfiji"
    path.write_bytes(
        safetensors.torch.save({"w": torch.zeros(1)}, metadata={"zsfiji": json.dumps(header)})
    )
    with pytest.raises(UserError, match=r"earlier version.*Train it again"):
        models.load(path, FM2S)


@pytest.mark.parametrize("key", ["units", "fitted_to", "settings"])
def test_a_header_that_lacks_something_is_refused(tmp_path, key):
    path = models.save(model(), tmp_path / "m.zsfiji")
    with safetensors.safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["zsfiji"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header[key] = {"seed": "x"} if key == "settings" else header.pop(key) and None
    path.write_bytes(safetensors.torch.save(tensors, metadata={"zsfiji": json.dumps(header)}))
    with pytest.raises(UserError, match="damaged"):
        models.load(path, FM2S)


def test_a_model_of_a_newer_version_asks_for_an_update(tmp_path):
    header = {"format": 99, "version": "9.0", "method": "fm2s", "settings": {}}
    path = tmp_path / "m.zsfiji"
    path.write_bytes(
        safetensors.torch.save({"w": torch.zeros(1)}, metadata={"zsfiji": json.dumps(header)})
    )
    with pytest.raises(UserError, match=r"9\.0.*Update"):
        models.load(path, FM2S)


def test_a_model_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="cannot be written"):
        models.save(model(), tmp_path / "nowhere" / "m.zsfiji")
    old = models.save(model(), tmp_path / "m.zsfiji").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        models.save(model(), tmp_path / "m.zsfiji")
    assert (tmp_path / "m.zsfiji").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["m.zsfiji"]
