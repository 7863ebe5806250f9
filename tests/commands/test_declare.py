"""The command table: what everybody reads off a declaration."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Annotated, Literal

import pytest
from pydantic import Field

import zsfiji
from zsfiji.commands import find, table
from zsfiji.commands.declare import command
from zsfiji.commands.outcome import Outcome
from zsfiji.errors import UserError
from zsfiji.parameters.camera import CameraOptions
from zsfiji.parameters.declare import ParameterGroup, Shown
from zsfiji.parameters.source import Source
from zsfiji.services.deconvolve import settings as deconvolve_settings
from zsfiji.services.denoise import settings as denoise_settings
from zsfiji.services.fm2s import settings as fm2s_settings
from zsfiji.services.zs_deconvnet import settings as zs_settings

COMMANDS = list(table().values())
ids = [command.name for command in COMMANDS]
BOTH = pytest.mark.parametrize("command", COMMANDS, ids=ids)


@BOTH
def test_labels_are_what_imagej_users_expect(command):
    assert command.label.endswith("...")
    assert re.fullmatch(r"[A-Za-z0-9 +-]+\.\.\.", command.label)
    assert command.menu == "Plugins>Zero-Shot"


def test_the_menu_begins_with_our_own_commands_before_the_published_methods():
    assert [command.label for command in COMMANDS][:8] == [
        "Zero-Shot Denoise...",
        "Zero-Shot Deconvolve...",
        "Zero-Shot SIM...",
        "Blind SIM...",
        "FM2S Denoise...",
        "ZS-DeconvNet Restore...",
        "ZS-DeconvNet Train...",
        "ZS-DeconvNet Predict...",
    ]


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
    needed = {p.key: f"{p.key}.tif" for p in command.parameters if p.needed}
    chosen = command.validate(needed)
    assert command.defaults.items() - dict.fromkeys(needed).items() <= chosen.items()
    assert chosen.keys() == {p.key for p in command.parameters}
    assert command.validate(chosen) == chosen


@BOTH
def test_what_is_needed_is_asked_for_by_its_label(command):
    for parameter in command.parameters:
        if parameter.needed:
            others = {p.key: f"{p.key}.tif" for p in command.parameters if p.needed}
            for nothing in ({}, {parameter.key: ""}):
                given = {**{k: v for k, v in others.items() if k != parameter.key}, **nothing}
                with pytest.raises(UserError, match=f"{parameter.label}: .*{parameter.key}="):
                    command.validate(given)


@BOTH
def test_a_model_is_applied_or_trained_and_never_both_in_silence(command):
    keys = {p.key for p in command.parameters}
    training = keys & {"save_model", "start_model", "more_images"}
    if "apply_model" not in keys:
        return
    assert command.validate({"apply_model": "m", **dict.fromkeys(training, "")})
    for key in training:
        with pytest.raises(UserError, match=f"'{key}' .* 'apply_model' nothing is trained"):
            command.validate({"apply_model": "m", key: "other"})


@BOTH
def test_every_method_that_trains_has_the_keys_that_replay_and_reuse_need(command):
    keys = {p.key for p in command.parameters}
    if "quality" in keys and "standard" in command.parameter("quality").choices:
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
        ("fm2s", {"modality": "confocl"}, r'Modality: choose one of base.*not "confocl"'),
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


@dataclass(frozen=True, kw_only=True)
class Filter(ParameterGroup):
    """A group with a field of each sort."""

    shape: Annotated[Literal[3, 5], Field(description="Edge."), Shown("Shape")]
    sigma: Annotated[float, Field(ge=0, description="Width."), Shown("Sigma", unit="px")] = 2.0
    kept: Annotated[Source | None, Field(description="Image."), Shown("Kept", advanced=True)] = None
    order: Annotated[int, Field(ge=0, le=2, description="Only from Python.")] = 1


@dataclass(frozen=True, kw_only=True)
class Masks(ParameterGroup):
    """A second group."""

    invert: Annotated[bool, Field(description="Swap."), Shown("Invert")] = False


Size = Annotated[int, Field(ge=1, description="Edge."), Shown("Size")]


def declared(function, **extra):
    return command(label="Test...", **extra)(function)


def grouped(**extra):
    called = []

    def grouped(image, *, size: Size = 4, filtering: Filter, masks: Masks):
        called.append((size, filtering, masks))
        return Outcome()

    return declared(grouped, **extra), called


def test_groups_are_taken_apart_in_the_order_of_their_fields_and_put_together_again():
    function, called = grouped()
    keys = [p.key for p in function.command.parameters]
    assert keys == ["size", "shape", "sigma", "kept", "invert"]
    assert list(inspect.signature(function).parameters) == ["image", *keys]
    assert all(f"\n{key} : " in function.__doc__ for key in keys)
    assert "filtering" not in function.__doc__
    assert "order" not in function.__doc__
    function([[1, 2], [3, 4]], shape="5", invert=True)
    assert called == [(4, Filter(shape=5), Masks(invert=True))]


def test_a_field_of_a_group_without_a_default_has_to_be_given():
    function, called = grouped()
    assert function.command.parameter("shape").required
    assert "shape" not in function.command.defaults
    with pytest.raises(UserError, match=r'Shape: choose one of 3, 5, as "shape=\.\.\."'):
        function([[1, 2], [3, 4]])
    assert not called


def test_a_default_of_the_command_has_the_defaults_of_its_fields():
    usual = Filter(shape=3, sigma=0.5, order=2)
    called = []

    def narrow(image, *, filtering: Filter = usual):
        called.append(filtering)
        return Outcome()

    function = declared(narrow)
    assert function.command.defaults == {"shape": 3, "sigma": 0.5, "kept": None}
    function([[1, 2], [3, 4]], sigma=1)
    assert called == [replace(usual, sigma=1.0)]


def test_a_key_that_two_parameters_have_is_refused_when_the_command_is_declared():
    def twice(image, *, sigma: Size = 1, filtering: Filter): ...

    def hidden(image, *, a: Size = 1, filtering: Filter): ...

    with pytest.raises(ValueError, match="'sigma' is declared twice"):
        declared(twice)
    # ImageJ would find "a=" in "sigma=".
    with pytest.raises(ValueError, match="'a' is upper-case or the tail of another one"):
        declared(hidden)


def test_a_type_that_no_dialog_can_show_is_refused_when_the_command_is_declared():
    def bare(image, *, size: int = 1): ...

    def strange(image, *, size: Annotated[bytes, Field(description="B."), Shown("B")] = b""): ...

    with pytest.raises(TypeError, match="'size' is neither a group nor has a Shown"):
        declared(bare)
    with pytest.raises(TypeError, match="'size' has the type <class 'bytes'>"):
        declared(strange)


def test_checks_and_durations_take_the_arguments_of_the_command_that_they_name():
    def check(*, masks: Masks, filtering: Filter):
        if masks.invert and filtering.shape == 5:
            raise UserError("not together")

    def duration(sizes, *, size: Size):
        return float(size * sizes["row"])

    function, called = grouped(check=check, duration=duration)
    with pytest.raises(UserError, match="not together"):
        function([[1, 2], [3, 4]], shape=5, invert=True)
    assert not called
    # What a duration does not name need not be there, as before a required value is entered.
    assert function.command.duration({"row": 10}, {"size": 3}) == 30


def test_checks_and_durations_that_want_what_the_command_has_not_are_refused():
    def other_name(*, mask: Masks): ...

    def other_type(*, masks: Filter): ...

    for check in (other_name, other_type):
        with pytest.raises(
            TypeError, match=r"wants 'masks?', and the command has no such argument"
        ):
            grouped(check=check)


@pytest.mark.parametrize(
    ("group", "wrong", "words"),
    [
        (Filter, {"shape": 4}, "Shape: choose one of 3, 5, not 4"),
        (Filter, {"shape": 3, "sigma": -1}, "Sigma: give a number of at least 0"),
        (Filter, {"shape": 3, "order": 3}, "order: give a whole number from 0 to 2, not 3"),
        (denoise_settings.Settings, {"quality": "paper"}, "Quality: .* quick, standard, best"),
        (fm2s_settings.Settings, {"average": 3}, "Averaged captures: choose one of 1, 2, 4, 8"),
        (deconvolve_settings.Settings, {"quality": "best"}, "Quality: choose one of quick, stan"),
        (zs_settings.Settings, {"loss": "huber"}, "loss: choose one of mae, mse"),
        (CameraOptions, {"gain": -1}, "Gain: give a number of at least 0"),
    ],
)
def test_a_group_made_in_python_checks_its_values_in_the_words_of_the_dialog(group, wrong, words):
    with pytest.raises(UserError, match=words):
        group(**wrong)


def test_a_group_has_values_of_the_declared_types_and_cannot_be_changed():
    made = Filter(shape="5", sigma="1.5", kept="dark.tif")
    assert (made.shape, made.sigma, made.kept) == (5, 1.5, Source("dark.tif"))
    with pytest.raises(FrozenInstanceError):
        made.sigma = 3.0
    with pytest.raises(UserError, match="Sigma"):
        replace(made, sigma=-1)


def test_a_field_that_no_dialog_shows_needs_a_default():
    @dataclass(frozen=True, kw_only=True)
    class Lacking(ParameterGroup):
        order: Annotated[int, Field(description="Only from Python.")]

    with pytest.raises(TypeError, match=r"Lacking\.order has neither a Shown nor a default"):
        Lacking(order=1)


def test_the_settings_of_a_method_are_declared_without_torch():
    code = """
import sys
import zsfiji.services.deconvolve.settings
import zsfiji.services.denoise.settings
import zsfiji.services.fm2s.settings
import zsfiji.services.zs_deconvnet.settings
sys.exit("torch" in sys.modules or "jpype" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_dialog_names_labels_where_a_macro_names_options():
    deconvolve = table()["Zero-Shot Deconvolve..."]
    with pytest.raises(UserError, match="It is needed without apply_model") as told:
        deconvolve.validate({})
    assert told.value.in_dialog == (
        "PSF: choose an open image or a file (PSF Generator... makes one). "
        'With "Apply saved model" (Advanced) none is needed.'
    )
    with pytest.raises(UserError, match="'apply_model' nothing is trained") as told:
        deconvolve.validate({"apply_model": "a.zsfiji", "save_model": "b.zsfiji"})
    assert told.value.in_dialog.startswith('"Save model as" is for a training, and with "Apply')
    restore = table()["ZS-DeconvNet Restore..."]
    with pytest.raises(UserError, match="needed without mode=sim") as told:
        restore.validate({})
    assert told.value.in_dialog.endswith('With "Kind of image: sim" none is needed.')
    with pytest.raises(UserError, match='as "save_model=') as told:
        table()["ZS-DeconvNet Train..."].validate({"psf": "a"})
    assert told.value.in_dialog == "Save model as: choose the file to write."
    with pytest.raises(UserError) as told:
        deconvolve.validate({"seed": "x", "psf": "a"})
    assert told.value.in_dialog == str(told.value)


def test_commands_for_raw_sim_images_refuse_a_single_plane_in_their_dialogs():
    plane = {"row": 256, "col": 256}
    asked = [c for c in COMMANDS if c.fits is not None]
    assert {c.label for c in COMMANDS if any(p.key == "order" for p in c.parameters)} == {
        c.label for c in asked
    }
    for one in asked:
        values = {p.key: p.default for p in one.parameters}
        if values.get("mode") == "widefield":
            one.fits(plane, values)
            values["mode"] = "sim"
        with pytest.raises(UserError, match="no raw SIM image"):
            one.fits(plane, values)
        one.fits({**plane, "pln": 9}, values)
