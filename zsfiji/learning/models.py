"""Models as files: safetensors with a JSON header that tells all about their making."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

import zsfiji
from zsfiji.errors import UserError
from zsfiji.images.files import replacing

FORMAT = 1
"""Version of the file format; raised when an older zsfiji could not read the file rightly."""

_KEY = "zsfiji"


@dataclass
class Model:
    """A trained model of one of the methods.

    Attributes
    ----------
    method : str
        Name of the method, such as "fm2s".
    settings : dict
        Every parameter, noise calibration, seed, version and what it was fitted to; only what JSON
        can hold, with strings as keys.
    tensors : dict of str to torch.Tensor
        The weights.
    """

    method: str
    settings: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def save(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write `model` to a file, whole or not at all.

    Parameters
    ----------
    model : Model
        The model.
    path : path_like
        The file; an existing one is replaced. Its folder has to exist.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    path = Path(path)
    header = {
        "format": FORMAT,
        "version": zsfiji.__version__,
        "method": model.method,
        "settings": model.settings,
    }
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.tensors.items()}
    content = safetensors.torch.save(tensors, metadata={_KEY: json.dumps(header)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def load(path: str | os.PathLike[str], method: str) -> Model:
    """Read a model that :func:`save` wrote.

    Parameters
    ----------
    path : path_like
        The file.
    method : str
        The method that the model has to be of.

    Returns
    -------
    Model
        The model, its tensors on the CPU.

    Raises
    ------
    UserError
        If the file is missing, broken, no model of zsfiji, of another method or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no model file {path}.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise UserError(f"The model file {path} cannot be read ({error.strerror}).") from error
    except safetensors.SafetensorError as error:
        raise UserError(
            f"The file {path} is no model of zsfiji, or it is damaged. "
            "Choose another file, or train the model again."
        ) from error
    header = _header(path, text)
    if header["format"] > FORMAT:
        raise UserError(
            f"The model {path} was written by zsfiji {header['version']}, which is newer than this "
            f"one ({zsfiji.__version__}). Update zsfiji to use it."
        )
    if header["method"] != method:
        raise UserError(
            f"The model {path} belongs to the method '{header['method']}', not to '{method}'."
        )
    return Model(method, header["settings"], tensors)


def digest(model: Model) -> str:
    """Short name of a model's content: equal for equal models, also after saving and loading.

    The course of the loss does not count: it is read at times, which no two trainings share.
    """
    content = hashlib.sha256()
    settings = dict(model.settings)
    if "units" in settings:
        settings["units"] = [
            {key: value for key, value in unit.items() if key != "losses"}
            for unit in settings["units"]
        ]
    content.update(json.dumps([model.method, settings], sort_keys=True).encode())
    for name in sorted(model.tensors):
        tensor = model.tensors[name].detach().cpu().contiguous()
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        content.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()[:12]


def _header(path: Path, text: str | None) -> dict[str, Any]:
    """Decode the JSON header and check that it is one of ours."""
    kinds = {"format": int, "version": str, "method": str, "settings": dict}
    try:
        header = json.loads(text or "")
    except json.JSONDecodeError:
        header = None
    if not isinstance(header, dict) or not all(
        isinstance(header.get(key), kind) for key, kind in kinds.items()
    ):
        raise UserError(f"The file {path} is no model of zsfiji.")
    return header
