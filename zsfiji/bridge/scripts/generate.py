"""The commands as Python scripts with ``#@`` parameters, for Fiji's script menu and editor.

``python -m zsfiji.bridge.scripts [folder]`` writes one script a command. A script only states its
parameters and hands them to :func:`call`; it prints nothing, for ``print`` fails in scripts that
Fiji starts from a menu or a macro.
"""

from __future__ import annotations

from pathlib import Path

from zsfiji.commands import Command, Parameter, table
from zsfiji.images.files import replacing
from zsfiji.parameters.declare import FILES

FOLDER = "fiji-scripts"

_TYPES = {
    "boolean": "Boolean",
    "integer": "Integer",
    "number": "Double",
    "choice": "String",
    "open": "File",
    "save": "File",
    "folder": "File",
    "image": "String",
    "text": "String",
}


def file_name(command: Command) -> str:
    """Name of the script of a command. Without the underscore Fiji puts it into no menu."""
    name = command.label.rstrip(".").replace(" ", "_")
    return f"{name}.py" if "_" in name else f"{name}_.py"


def source(command: Command) -> str:
    """Text of the script of a command.

    Parameters
    ----------
    command : Command
        The command.

    Returns
    -------
    str
        Python, with its parameters as ``#@`` lines.
    """
    label = command.label.rstrip(".")
    lines = [
        f"#@script(label={quoted(label)}, description={quoted(command.summary)}, "
        'language="python", headless=true)',
    ]
    if command.takes_image:
        lines.append('#@ ImagePlus (label="Image") input')
    lines += [parameter_line(command, parameter) for parameter in command.parameters]
    image = "input" if command.takes_image else "None"
    names = ", ".join(f'"{p.key}": {p.key}' for p in command.parameters)
    lines += [
        "",
        f"# {command.summary}",
        "# Written from zsfiji's table of commands by: python -m zsfiji.bridge.scripts",
        "",
        "from zsfiji.bridge.scripts import call",
        "",
        f"call({quoted(command.label)}, {image}, {{{names}}})",
    ]
    return "\n".join(lines) + "\n"


def parameter_line(command: Command, parameter: Parameter, *, persist: bool = True) -> str:
    """The ``#@`` line of a parameter.

    Parameters
    ----------
    command : Command
        The command.
    parameter : Parameter
        One of its parameters.
    persist : bool
        Whether SciJava keeps its last value, also of runs without a dialog.

    Returns
    -------
    str
        The line.
    """
    label = parameter.label + (f" ({parameter.unit})" if parameter.unit else "")
    if parameter.kind == "image":
        label += " (open image or file)"
    parts = [f"label={quoted(label)}", f"description={quoted(parameter.help)}"]
    if parameter.kind == "choice":
        parts.append("choices={" + ", ".join(map(quoted, parameter.choices)) + "}")
    if parameter.kind in FILES:
        style = "directory" if parameter.kind == "folder" else parameter.kind
        parts.append(f'style="{style}"')
    if parameter.default is None:
        # A file kept from the last time would be used, or overwritten, without anybody's asking.
        parts += [f"required={'true' if parameter.required else 'false'}", "persist=false"]
    else:
        value = parameter.text(parameter.default)
        text = parameter.kind in ("choice", "text")
        parts.append(f"value={quoted(value) if text else value}")
        # SciJava keeps last values under the bare name unless told otherwise, for all scripts.
        parts.append(f'persistKey="zsfiji.{command.name}.{parameter.key}"')
        if not persist:
            parts.append("persist=false")
    if _type(parameter) != "String":
        bounds = {"min": parameter.minimum, "max": parameter.maximum}
        parts += [f"{k}={parameter.text(v)}" for k, v in bounds.items() if v is not None]
    return f"#@ {_type(parameter)} ({', '.join(parts)}) {parameter.key}"


def _type(parameter: Parameter) -> str:
    # SciJava's field for a number is never empty: it would give the minimum for nothing.
    free = parameter.may_be_empty and parameter.kind in ("integer", "number")
    return "String" if free else _TYPES[parameter.kind]


def quoted(text: str) -> str:
    """`text` as a string of one line, in Python, Groovy and ``#@`` lines alike."""
    return '"' + " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def write(folder: Path) -> list[Path]:
    """Write the scripts of all commands.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        The scripts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for command in table().values():
        path = folder / file_name(command)
        with replacing(path) as temporary:
            temporary.write_text(source(command), encoding="utf-8", newline="\n")
        written.append(path)
    return written
