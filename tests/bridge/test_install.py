"""Putting the commands into a folder laid out like a Fiji, and taking them out."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from pathlib import Path

import pytest

from zsfiji import folders
from zsfiji.bridge.stock import install as module
from zsfiji.bridge.stock import worker
from zsfiji.bridge.stock.install import install, uninstall
from zsfiji.cli import main
from zsfiji.commands import table
from zsfiji.errors import UserError


def laid_out(folder):
    for name in ("jars/ij-1.54p.jar", "jars/imagej-legacy-2.0.2.jar", "plugins/x.jar"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return folder


@pytest.fixture(params=["Fiji.app", "my 'Fiji' \"é ü\" 图"])
def fiji(tmp_path, request):
    if os.name == "nt" and '"' in request.param:
        pytest.skip("Windows has no such names")
    return laid_out(tmp_path / request.param)


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_installing_and_uninstalling_leaves_a_fiji_as_it_was(fiji):
    before = everything(fiji)
    report = install(fiji)
    entries = [p.name for p in (fiji / module.MENU).rglob("*.groovy")]
    labels = [*table(), "Zero-Shot Help...", "Zero-Shot Doctor...", "About zsfiji..."]
    assert sorted(entries) == sorted(f"{label.replace(' ', '_')}.groovy" for label in labels)
    assert json.loads((fiji / module.SETTINGS).read_text())["python"] == os.path.abspath(
        sys.executable
    )
    assert str(fiji) in str(report)
    assert uninstall(fiji).removed
    assert everything(fiji) == before
    assert not (fiji / module.FOLDER).exists()


def test_a_python_whose_path_has_quotes_is_written_as_it_is(tmp_path, monkeypatch):
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    python = tmp_path / """my "env" o'neil é""" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    fiji = laid_out(tmp_path / "Fiji.app")
    install(fiji)
    # Not where the link leads to: an environment would not find its packages there.
    assert json.loads((fiji / module.SETTINGS).read_text("utf-8"))["python"] == str(python)


def test_an_entry_shows_the_label_that_macros_call():
    for label in table():
        name = module.entry_name(label)
        assert "_" in name
        assert name.rpartition(".")[0].replace("_", " ") == label


def test_the_recommended_command_comes_first_in_a_menu_that_fiji_sorts_by_name(tmp_path):
    install(laid_out(tmp_path))
    shown = sorted(p.stem.replace("_", " ") for p in (tmp_path / module.MENU).iterdir())
    assert shown[0] == next(iter(table())) == "Zero-Shot Denoise..."
    assert shown[-1] == "Zero-Shot Methods and Tools"


def test_the_help_is_installed_and_promises_nothing_that_this_way_lacks(tmp_path):
    install(laid_out(tmp_path))
    page = (tmp_path / module.HELP_PAGE).read_text("utf-8")
    assert all(label.rstrip(".") in page for label in table())
    assert "Ext." not in page


def test_installing_again_replaces_what_an_older_version_wrote(tmp_path, monkeypatch):
    fiji = laid_out(tmp_path)
    monkeypatch.setattr(module, "_WRITTEN_FROM", "// Of an older version.")
    install(fiji)
    older = fiji / module.MENU / "Gone_Command....groovy"
    older.write_text("// removed since")
    manifest = json.loads((fiji / module.MANIFEST).read_text())
    manifest["files"][f"{module.MENU}/{older.name}"] = module._digest(older.read_bytes())
    (fiji / module.MANIFEST).write_text(json.dumps(manifest))
    monkeypatch.undo()
    report = install(fiji)
    assert report.kept == []
    assert not older.exists()
    assert not any("older version" in str(text) for text in everything(fiji).values())


def test_a_script_that_somebody_has_changed_is_never_lost(tmp_path):
    fiji = laid_out(tmp_path)
    install(fiji)
    changed = fiji / module.FOLDER / "Zero-Shot_Denoise.groovy"
    for number, text in enumerate(("// first change", "// second change")):
        changed.write_text(text)
        report = install(fiji)
        assert [p.read_text() for p in report.kept] == [text]
        assert str(report.kept[0]) in str(report)
        assert changed.read_text() != text, number
    changed.write_text("// third change")
    report = uninstall(fiji)
    assert [p.read_text() for p in report.kept] == ["// third change"]
    kept = {p.read_text() for p in fiji.rglob("*.bak")}
    assert kept == {"// first change", "// second change", "// third change"}


def test_a_file_of_the_same_name_from_elsewhere_is_kept(tmp_path):
    fiji = laid_out(tmp_path)
    mine = fiji / module.MORE / "FM2S_Denoise....groovy"
    mine.parent.mkdir(parents=True)
    mine.write_text("// mine")
    assert [p.read_text() for p in install(fiji).kept] == ["// mine"]


@pytest.mark.parametrize("content", ["", "[]", '{"files": 3}', '{"files": {"../jars/x": "0"}}'])
def test_a_damaged_manifest_removes_nothing_else(tmp_path, content):
    fiji = laid_out(tmp_path)
    before = everything(fiji)
    install(fiji)
    (fiji / module.MANIFEST).write_text(content)
    assert uninstall(fiji).removed
    assert everything(fiji) == before


def test_a_damaged_manifest_loses_no_change(tmp_path):
    fiji = laid_out(tmp_path)
    install(fiji)
    (fiji / module.MANIFEST).write_text("")
    (fiji / module.entry_path(table()["Zero-Shot Denoise..."])).write_text("// changed")
    assert [p.read_text() for p in uninstall(fiji).kept] == ["// changed"]
    assert not list((fiji / module.MENU).rglob("*.groovy"))


def test_a_folder_that_is_no_fiji_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no Fiji"):
        install(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        uninstall(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_fiji_that_must_not_be_written_to_is_told(tmp_path, monkeypatch):
    fiji = laid_out(tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(fiji / "scripts"))

    # Root may write everywhere, so permissions alone would test nothing there.
    monkeypatch.setattr(type(fiji), "mkdir", refuse)
    with pytest.raises(UserError, match="cannot be written: Permission denied"):
        install(fiji)


def test_the_command_line_installs_and_keeps_the_setting(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZSFIJI_CONFIG", str(tmp_path / "settings"))
    fiji = laid_out(tmp_path / "Fiji.app")
    assert main(["install", str(fiji)]) == 0
    assert "Plugins > Zero-Shot" in capsys.readouterr().out
    assert main(["config", "fiji", str(fiji)]) == 0
    assert folders.setting("fiji") == str(fiji.resolve())
    assert main(["config", "fiji", "none"]) == 0
    assert folders.setting("fiji") is None
    assert main(["config", "fiji", str(tmp_path)]) == 2
    assert main(["uninstall", str(fiji)]) == 0
    assert main(["install", str(tmp_path / "nowhere")]) == 2


def test_scijava_reads_the_parameters_of_the_scripts(ij):
    from jpype import JClass

    context = JClass("org.scijava.Context")(JClass("org.scijava.script.ScriptService"))
    for command in table().values():
        reader = JClass("java.io.StringReader")(module.script(command))
        info = JClass("org.scijava.script.ScriptInfo")(context, "a_b.groovy", reader)
        inputs = {str(item.getName()): item for item in info.inputs()}
        assert {"context", "input", "output"} < inputs.keys()
        shown = {"explanation": command.summary}
        if command.takes_image:
            shown["subject"] = "active image"
        for name, text in shown.items():
            assert str(inputs[name].getVisibility()) == "MESSAGE"
            assert text.replace("'", "&#x27;") in str(inputs[name].getDefaultValue())
            # Else it would ask for it in a macro.
            assert not inputs[name].isRequired()
        for parameter in command.parameters:
            item = inputs[parameter.key]
            assert str(item.getDescription()) == " ".join(parameter.help.split())
            assert parameter.label in str(item.getLabel())
            assert tuple(str(c) for c in item.getChoices() or ()) == parameter.choices
            if parameter.minimum is not None and not parameter.may_be_empty:
                assert float(item.getMinimumValue()) == parameter.minimum
            if parameter.default is not None:
                assert str(item.getPersistKey()) == f"zsfiji.{command.name}.{parameter.key}"
            assert not item.isPersisted()
        reader = JClass("java.io.StringReader")(module.entry(command))
        info = JClass("org.scijava.script.ScriptInfo")(context, "a_b.groovy", reader)
        # SciJava would open a dialog for a parameter that a macro leaves out.
        assert [str(item.getName()) for item in info.inputs()] == ["context"]
    context.dispose()


def test_each_text_and_each_function_that_groovy_asks_for_is_there(fiji):
    root = Path(module.__file__).parent
    groovy = (root / "ZeroShot.groovy").read_text(encoding="utf-8")
    install(fiji)
    settings = json.loads((fiji / module.SETTINGS).read_text(encoding="utf-8"))
    asked = set(re.findall(r'phrase\("(\w+)"|\btexts\.(?!py\b)(\w+)', groovy))
    assert len(asked) > 8
    assert {one or other for one, other in asked} <= set(settings["texts"])
    for name, given in re.findall(r"\bworker\.(\w+)\(([\w, ]+)\)", groovy):
        parameters = list(inspect.signature(getattr(worker, name)).parameters)
        assert given.split(", ") == parameters[: len(given.split(", "))]
