import json

import pytest
import safetensors.torch
import torch

from zsfiji.errors import UserError
from zsfiji.learning import models
from zsfiji.learning.models import Model


def model(method="fm2s"):
    settings = {"seed": 7, "noise": {"gain": 0.1 + 0.2, "offset": -3.0}, "levels": [1, 2]}
    return Model(method, settings, {"w": torch.rand(2, 3), "b": torch.zeros(1)})


def test_a_model_comes_back_as_it_was(tmp_path):
    before = model()
    after = models.load(models.save(before, tmp_path / "m.zsfiji"), "fm2s")
    assert after.settings == before.settings
    assert after.tensors.keys() == before.tensors.keys()
    assert all(torch.equal(after.tensors[k], before.tensors[k]) for k in before.tensors)
    assert models.digest(after) == models.digest(before)


def test_the_digest_tells_models_apart():
    one = model()
    other_weights = Model(one.method, one.settings, {**one.tensors, "b": torch.ones(1)})
    other_settings = Model(one.method, {**one.settings, "seed": 8}, one.tensors)
    assert len({models.digest(m) for m in (one, other_weights, other_settings)}) == 3


def test_weights_on_a_view_or_in_half_precision_are_saved(tmp_path):
    before = Model("fm2s", {}, {"t": torch.rand(3, 4).T, "h": torch.ones(2, dtype=torch.bfloat16)})
    after = models.load(models.save(before, tmp_path / "m.zsfiji"), "fm2s")
    assert torch.equal(after.tensors["t"], before.tensors["t"])
    assert after.tensors["h"].dtype == torch.bfloat16


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no model file .*gone\.zsfiji"):
        models.load(tmp_path / "gone.zsfiji", "fm2s")


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 100])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "m.zsfiji"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no model of zsfiji"):
        models.load(path, "fm2s")


def test_a_damaged_file_is_refused(tmp_path):
    path = models.save(model(), tmp_path / "m.zsfiji")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="damaged"):
        models.load(path, "fm2s")


@pytest.mark.parametrize("metadata", [None, {"zsfiji": "[1]"}, {"zsfiji": '{"format": 1}'}])
def test_somebody_elses_safetensors_file_is_refused(tmp_path, metadata):
    path = tmp_path / "m.zsfiji"
    path.write_bytes(safetensors.torch.save({"w": torch.zeros(1)}, metadata=metadata))
    with pytest.raises(UserError, match="no model of zsfiji"):
        models.load(path, "fm2s")


def test_a_model_of_another_method_is_refused(tmp_path):
    path = models.save(model("denoise"), tmp_path / "m.zsfiji")
    with pytest.raises(UserError, match="'denoise', not to 'fm2s'"):
        models.load(path, "fm2s")


def test_a_model_of_a_newer_version_asks_for_an_update(tmp_path):
    header = {"format": 99, "version": "9.0", "method": "fm2s", "settings": {}}
    path = tmp_path / "m.zsfiji"
    path.write_bytes(
        safetensors.torch.save({"w": torch.zeros(1)}, metadata={"zsfiji": json.dumps(header)})
    )
    with pytest.raises(UserError, match=r"9\.0.*Update"):
        models.load(path, "fm2s")


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
