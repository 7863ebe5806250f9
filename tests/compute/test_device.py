import pytest
import torch

from zsfiji.compute import device
from zsfiji.errors import UserError


def test_auto_finds_a_device_and_the_cpu_is_always_there():
    assert device.choose("auto").type in ("cpu", "cuda", "mps")
    assert device.choose("cpu") == torch.device("cpu")


def test_a_misspelt_device_is_refused_with_the_list():
    with pytest.raises(UserError, match="auto, cpu, cuda, mps"):
        device.choose("gpu")


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="has no device"):
        device.choose("cuda")


def test_autocast_is_bfloat16_only_where_the_hardware_has_it(monkeypatch):
    weights = torch.ones(2, 2)
    for there, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(device, "has_bfloat16", lambda kind, there=there: there)
        with device.autocast(torch.device("cpu")):
            assert (weights @ weights).dtype == dtype


def test_a_generator_repeats_itself_and_leaves_the_global_one_alone():
    state = torch.get_rng_state()
    first, second = (torch.rand(5, generator=device.generator(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(5, generator=device.generator(4)))
    assert torch.equal(state, torch.get_rng_state())


def test_work_without_enough_memory_on_a_device_is_done_again_on_the_cpu(caplog):
    tried = []

    def work(where):
        tried.append(where.type)
        if where.type != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return "done"

    assert device.with_fallback(work, torch.device("meta")) == "done"
    assert tried == ["meta", "cpu"]
    assert "continuing on the CPU" in caplog.text


def test_a_cpu_without_enough_memory_is_the_users_to_mend():
    def work(where):
        raise MemoryError

    with pytest.raises(UserError, match="memory"):
        device.with_fallback(work, torch.device("cpu"))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def work(where):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        device.with_fallback(work, torch.device("cpu"))
