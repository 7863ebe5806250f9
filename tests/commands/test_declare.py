"""The command table: what everybody reads off a declaration."""

from __future__ import annotations

import inspect
import re

import pytest

import zsfiji
from zsfiji.commands import find, table
from zsfiji.errors import UserError

COMMANDS = list(table().values())
ids = [command.name for command in COMMANDS]
BOTH = pytest.mark.parametrize("command", COMMANDS, ids=ids)


@BOTH
def test_labels_are_what_imagej_users_expect(command):
    assert command.label.endswith("...")
    assert re.fullmatch(r"[A-Za-z0-9 -]+\.\.\.", command.label)
    assert command.menu == "Plugins>Zero-Shot"


@BOTH
def test_no_key_can_be_mistaken_by_imagejs_parser(command):
    keys = [p.key for p in command.parameters]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", key)
        assert not any(other != key and other.endswith(key) for other in keys)


@BOTH
def test_every_parameter_is_explained(command):
    for parameter in command.parameters:
        assert parameter.label[0].isupper()
        assert len(parameter.help) > 20
        assert parameter.help.endswith(".")


@BOTH
def test_the_defaults_are_valid_and_survive_validation(command):
    needed = {p.key: f"{p.key}.tif" for p in command.parameters if p.required}
    chosen = command.validate(needed)
    assert command.defaults.items() <= chosen.items()
    assert chosen.keys() == {p.key for p in command.parameters}
    assert command.validate(chosen) == chosen


@BOTH
def test_what_is_needed_is_asked_for_by_its_label(command):
    for parameter in command.parameters:
        if parameter.required:
            others = {p.key: f"{p.key}.tif" for p in command.parameters if p.required}
            for nothing in ({}, {parameter.key: ""}):
                given = {**{k: v for k, v in others.items() if k != parameter.key}, **nothing}
                with pytest.raises(UserError, match=f"{parameter.label}: .*{parameter.key}="):
                    command.validate(given)


@BOTH
def test_every_method_that_trains_has_the_keys_that_replay_and_reuse_need(command):
    keys = {p.key for p in command.parameters}
    if "quality" in keys:
        assert {"seed", "device", "save_model", "fit_per"} <= keys


@BOTH
def test_the_python_call_documents_each_parameter_and_shows_its_signature(command):
    function = getattr(zsfiji, command.name)
    signature = inspect.signature(function)
    for parameter in command.parameters:
        assert f"\n{parameter.key} : " in function.__doc__
        assert parameter.help.split(".")[0] in function.__doc__
        default = signature.parameters[parameter.key].default
        needed = inspect.Parameter.empty
        assert default == (needed if parameter.required else parameter.default)
    assert "Raises" in function.__doc__


@BOTH
def test_a_command_is_found_by_any_reasonable_name(command):
    for name in (command.label, command.label.rstrip("."), command.label.upper(), command.name):
        assert find(name) is command


def test_an_unknown_command_is_answered_with_those_there_are():
    with pytest.raises(UserError, match=r"no command \"Blurr\".*Zero-Shot Denoise\.\.\."):
        find("Blurr")


@pytest.mark.parametrize(
    ("label", "given", "words"),
    [
        ("fm2s", {"modality": "confocl"}, r'Modality: choose one of auto.*not "confocl"'),
        ("fm2s", {"average": "3"}, r"choose one of 1, 2, 4, 8, 16"),
        ("fm2s", {"average": True}, "choose one of"),
        ("denoise", {"seed": "-1"}, r'Seed: give a whole number from 0 to 2147483647, not "-1"'),
        ("denoise", {"seed": "1.5"}, "give a whole number"),
        ("denoise", {"seed": "nan"}, "give a whole number"),
        ("denoise", {"seed": True}, "give a whole number"),
        ("denoise", {"noise_correlation": 5}, r"from 0 to 4 \(px"),
        (
            "denoise",
            {"resolution": 1},
            'option "resolution" of .* is called "noise_correlation" now',
        ),
        ("denoise", {"quality": ""}, "choose one of quick, standard, best"),
        ("denoise", {"sede": 1}, r'no option "sede". It has: quality, fit_per, seed'),
    ],
)
def test_wrong_values_get_a_message_in_the_words_of_the_dialog(label, given, words):
    with pytest.raises(UserError, match=words):
        find(label).validate(given)


def test_values_come_as_text_as_well_as_of_their_own_type():
    command = find("fm2s")
    chosen = command.validate({"average": "4", "modality": "CONFOCAL", "seed": "7"})
    assert (chosen["average"], chosen["modality"], chosen["seed"]) == (4, "confocal", 7)
    assert command.validate({"average": 4.0})["average"] == 4
    assert command.validate({"save_model": ""})["save_model"] is None


def test_one_value_is_checked_as_all_are():
    command = find("zs_deconvnet_train")
    assert command.valid("upsample", "1") == 1
    assert command.valid("gain", "") is None
    with pytest.raises(UserError, match=r"Gain: give a number of at least 0 .*, or nothing, not"):
        command.valid("gain", "-2")


def test_a_command_without_an_image_says_so_to_whoever_gives_one():
    with pytest.raises(TypeError, match="takes no image"):
        zsfiji.psf_generator([[1, 2], [3, 4]])
    with pytest.raises(TypeError, match="takes one image"):
        zsfiji.denoise()
