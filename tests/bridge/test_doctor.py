"""The report on what works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from zsfiji.bridge.start import doctor
from zsfiji.bridge.start.doctor import Check


def by_name(checks):
    return {check.name: check for check in checks}


@pytest.mark.jvm
def test_a_sound_computer_gets_a_sound_report_without_java_in_this_process(ij, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import jpype; from zsfiji.bridge.start import doctor;"
            "print(doctor.format(doctor.report('none')));"
            "assert not jpype.isJVMStarted()",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = {line[5:].split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    for name in ("Java", "ImageJ files", "ImageJ", "torch", "Device", "Processor", "Cache"):
        assert lines[name].startswith("ok "), lines[name]
    assert "1.54p" in lines["ImageJ"]
    assert str(tmp_path) in lines["This folder"]
    assert "BAD" not in done.stdout


def test_the_text_shows_what_to_do_below_what_is_wrong():
    text = doctor.format(
        [Check("Java", False, "none", "Install one."), Check("Memory", True, "lots")]
    )
    assert text.splitlines() == [
        "BAD  Java    none",
        "             -> Install one.",
        "ok   Memory  lots",
    ]


@pytest.mark.jvm
def test_an_imagej_that_runs_here_is_not_started_once_more(ij, monkeypatch):
    monkeypatch.setattr(doctor.subprocess, "run", None)
    assert by_name(doctor._imagej("none"))["ImageJ"].found == ij.version


@pytest.mark.jvm
def test_the_java_that_runs_here_is_told_alike_in_both_lines(ij):
    # It was found on the PATH, perhaps, and JAVA_HOME names it since.
    assert os.environ["JAVA_HOME"]
    assert by_name(doctor._java("none"))["Java"].found == ij.java
    assert ij.java in by_name(doctor._imagej("none"))["ImageJ"].found


def test_files_that_the_start_has_fetched_are_there(monkeypatch, tmp_path):
    there = []

    def fetch(*_arguments, **_named):
        there.extend(doctor.jars.PINNED)
        return subprocess.CompletedProcess((), 0, "ImageJ 1.54p\n", "")

    monkeypatch.setattr(doctor.host, "current", lambda: None)
    monkeypatch.setattr(doctor.jars, "present", lambda: there)
    monkeypatch.setattr(doctor.subprocess, "run", fetch)
    checks = by_name(doctor._imagej("none"))
    assert checks["ImageJ"].ok
    assert checks["ImageJ files"].ok
    assert checks["ImageJ files"].found.startswith("7 of 7")


def test_a_launcher_that_calls_itself_python_is_seen_through(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/Fiji/fiji-linux-x64")
    assert "python" in doctor._python()
    assert subprocess.run([doctor._python(), "-c", "print(1)"], capture_output=True).stdout


def test_an_imagej_that_does_not_start_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.host, "current", lambda: None)
    monkeypatch.setenv("ZSFIJI_CACHE", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    checks = by_name(doctor._imagej("none"))
    assert checks["ImageJ files"].ok is None
    assert checks["ImageJ files"].found.startswith("0 of 7")
    assert checks["ImageJ"].ok is False
    assert "connect to the internet" in checks["ImageJ"].remedy


def test_a_fiji_that_is_none_is_a_problem_and_no_fiji_is_not(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.fiji, "usual_places", list)
    monkeypatch.delenv("ZSFIJI_FIJI", raising=False)
    monkeypatch.setenv("ZSFIJI_CONFIG", str(tmp_path))
    assert doctor._fiji(None)[0].ok is None
    (check,) = doctor._fiji(str(tmp_path / "gone"))
    assert check.ok is False
    assert "is not there" in check.remedy


def test_the_java_is_the_one_that_the_chosen_fiji_gets(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(doctor.host, "current", lambda: None)
    monkeypatch.setattr(
        doctor.java, "find", lambda **given: asked.append(given["fiji"]) or ("", ())
    )
    for jar in ("ij-1.54p.jar", "imagej-legacy-2.0.3.jar"):
        (tmp_path / "jars").mkdir(exist_ok=True)
        (tmp_path / "jars" / jar).touch()
    for named in (str(tmp_path), str(tmp_path / "gone"), "none", "sc.fiji:fiji:2.16.0"):
        assert doctor._java(named)[0].ok
    assert asked == [tmp_path.resolve(), None, None, None]


def test_a_computer_without_display_is_told_what_works_without(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    (check,) = doctor._display()
    assert check.ok is None
    assert "zsfiji run" in check.remedy


def test_little_memory_is_noticed(monkeypatch):
    memory = psutil.virtual_memory()._replace(available=2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert by_name(doctor._computer())["Memory"].ok is False


def test_folders_that_cannot_be_written_are_noticed(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(doctor, "_can_write", lambda folder: False)
    monkeypatch.chdir(tmp_path)
    checks = by_name(doctor._folders())
    assert checks["Cache"].ok is False
    assert "ZSFIJI_CACHE" in checks["Cache"].remedy
    assert checks["This folder"].ok is False


def test_folders_that_cannot_be_entered_do_not_stop_the_doctor(monkeypatch, locked):
    monkeypatch.setenv("ZSFIJI_CACHE", str(locked / "cache"))

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.shutil, "disk_usage", refuse)
    checks = by_name(doctor._folders())
    assert checks["Cache"].found.endswith("0 MB")
    assert checks["This folder"].ok is False
    assert "Permission denied" in checks["This folder"].found


def test_a_drive_that_is_missing_cannot_be_written(monkeypatch):
    monkeypatch.setattr(os.path, "exists", lambda _: False)

    def missing(dir):
        raise FileNotFoundError(2, "No such file or directory", dir)

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", missing)
    assert not doctor._can_write(Path("/no/drive"))


def test_writing_is_tried_where_the_folder_would_be(tmp_path):
    assert doctor._can_write(tmp_path / "not" / "yet")
    (tmp_path / "file").touch()
    assert not doctor._can_write(tmp_path / "file")


def test_a_broken_torch_is_a_problem_with_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (check,) = doctor._torch()
    assert check.ok is False
    assert "pip install" in check.remedy


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", ("numpy", "no-such-package"))
    check = by_name(doctor._versions())["Packages"]
    assert check.ok is False
    assert "no-such-package" in check.found
