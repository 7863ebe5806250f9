"""The house keeps its rules: style, types, direction of imports, and what stays private."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
TOOLS = {
    "ruff": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "importlinter": ["-c", LINT_IMPORTS],
}

LIGHT = """
import sys
import zsfiji.bridge.scripts, zsfiji.bridge.stock.worker, zsfiji.cli.listing, zsfiji.parameters
from zsfiji.commands import example_line, parse, table
for command in table().values():
    command.validate({p.key: "1" for p in command.parameters if p.needed})
heavy = {"torch", "jpype", "scyjava", "imagej"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_has_nothing_to_say(name):
    if importlib.util.find_spec(name.split()[0]) is None:
        pytest.skip(f"{name} is not installed; pip install -e '.[test]' brings it")
    words = [sys.executable, *TOOLS[name]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_commands_is_there_without_torch_and_without_java():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def private_uses(path: Path, module: str) -> list[str]:
    """Names with a leading underscore that a file takes from elsewhere in zsfiji.

    A private module may be used in its own package, a private name in its own module alone.
    """
    tree = ast.parse(path.read_text())
    found, modules = [], set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("zsfiji"):
            continue
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            modules.add(alias.asname or alias.name)
            owner, private, _ = full.partition("._")
            if private and alias.name != "__version__" and not module.startswith(f"{owner}."):
                found.append(f"{module}, line {node.lineno}: {full}")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        ):
            found.append(f"{module}, line {node.lineno}: {node.value.id}.{node.attr}")
    return found


def test_nothing_private_is_used_from_outside(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from zsfiji.images._secret import name\n"
        "from zsfiji.images.tiff import _strips\n"
        "from zsfiji.images import tiff\n"
        "tiff._strips()\n"
    )
    assert len(private_uses(bad, "zsfiji.cli.run")) == 3
    found = []
    for path in [*(ROOT / "zsfiji").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        found += private_uses(path, ".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert not found, "\n".join(found)
