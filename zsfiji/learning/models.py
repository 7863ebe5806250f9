"""Models: what was learnt from an image, in memory and as files.

A model has one unit for each part of the image that was fitted separately (a channel, or a plane).
In a file (safetensors) the weights of unit n have the prefix ``n.``, and a JSON header has all the
rest: the settings, what the model was fitted to, and a record of each unit. The header is written
and read only here; its types are the dataclasses of the methods.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import safetensors
import safetensors.torch
import torch
import xarray as xr
from pydantic import TypeAdapter, ValidationError
from torch import nn

from zsfiji.errors import UserError
from zsfiji.images.files import replacing
from zsfiji.version import __version__

FORMAT = 3
"""Version of the file format; raised when an older zsfiji would read the file wrongly."""

_KEY = "zsfiji"

_HISTORY = ("losses",)
"""Fields of records that are not in the digest: the times at which the loss is read differ."""


class Unit(Protocol):
    """What was learnt about one channel (or one plane, or one stack)."""

    @property
    def record(self) -> Any:
        """Everything but the tensors: a frozen dataclass of types that pydantic writes as JSON."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Its weights, and other arrays."""


S = TypeVar("S")
U = TypeVar("U", bound=Unit)
S_co = TypeVar("S_co", covariant=True)
U_co = TypeVar("U_co", bound=Unit, covariant=True)


class Kind(Protocol[S_co, U_co]):
    """What is needed of a method to read its models."""

    @property
    def name(self) -> str:
        """Name of the method in model files, such as "fm2s"."""

    @property
    def settings_type(self) -> type[S_co]:
        """The dataclass of its settings."""

    @property
    def record_type(self) -> Any:
        """The dataclass of the records of its units, or a union of several."""

    def unit(self, record: Any, tensors: Mapping[str, torch.Tensor]) -> U_co:
        """Make a unit again from its record and its tensors, on the CPU.

        Raises
        ------
        UserError
            If they do not fit each other.
        """


@dataclass(frozen=True)
class Fitted:
    """What a model was fitted to.

    Attributes
    ----------
    title : str
        Title of the image.
    dims : tuple of str
        Its axes.
    shape : tuple of int
        Their lengths.
    """

    title: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, image: xr.DataArray) -> Fitted:
        """Describe an image."""
        dims = tuple(str(d) for d in image.dims)
        return cls(str(image.attrs.get("title", "")), dims, tuple(int(n) for n in image.shape))

    def size(self, dim: str) -> int:
        """Length of an axis; 1 where there was none."""
        return dict(zip(self.dims, self.shape, strict=True)).get(dim, 1)


@dataclass(frozen=True)
class Model(Generic[S, U]):
    """A trained model of one of the methods.

    Attributes
    ----------
    method : str
        Name of the method, such as "fm2s".
    settings : object
        The dataclass of the method's settings.
    fitted_to : Fitted
        The image.
    units : tuple
        What was learnt: one unit for each channel, or for each plane (or stack) of the image.
    version : str
        The version of zsfiji that trained it.
    stored : bool
        Whether it was read from a file: then it may be applied to other images.
    """

    method: str
    settings: S
    fitted_to: Fitted
    units: tuple[U, ...]
    version: str = __version__
    stored: bool = False


def model_of(kind: Kind[S, U], settings: S, image: xr.DataArray, units: Sequence[U]) -> Model[S, U]:
    """Put the units that were fitted to an image into a model.

    They are made again from the content that a file would have, so that a model gives the same
    pixels before and after saving. Their networks are then on the CPU.
    """
    kept = []
    for unit in units:
        record = _adapter(kind.record_type).validate_python(_plain(unit.record))
        kept.append(kind.unit(record, _stored(unit)))
    return Model(kind.name, settings, Fitted.of(image), tuple(kept))


def save(model: Model[Any, Any], path: str | os.PathLike[str]) -> Path:
    """Write `model` to a file, completely or not at all.

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
    header = {"format": FORMAT, "version": model.version, **_header_of(model)}
    content = safetensors.torch.save(_tensors_of(model), metadata={_KEY: json.dumps(header)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def load(path: str | os.PathLike[str], kind: Kind[S, U]) -> Model[S, U]:
    """Read a model that :func:`save` wrote.

    Tensors are read from the file one by one, so that a model of hundreds of megabytes is in the
    memory only once.

    Parameters
    ----------
    path : path_like
        The file.
    kind : Kind
        The method that the model must belong to.

    Returns
    -------
    Model
        The model, its networks on the CPU.

    Raises
    ------
    UserError
        If the file is missing, damaged, not a model of zsfiji, of another method or format.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise UserError(f"There is no model file {path}.")
    _refuse_pickle(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = _header(path, (file.metadata() or {}).get(_KEY))
            _require(path, header, kind.name)
            names: defaultdict[str, list[str]] = defaultdict(list)
            for whole in file.keys():  # noqa: SIM118
                number, _, name = whole.partition(".")
                names[number].append(name)
            units = []
            for index, stored in enumerate(header["units"]):
                own = {name: file.get_tensor(f"{index}.{name}") for name in names[str(index)]}
                units.append(kind.unit(_adapter(kind.record_type).validate_python(stored), own))
            settings = _adapter(kind.settings_type).validate_python(header["settings"])
            fitted_to = _adapter(Fitted).validate_python(header["fitted_to"])
    except OSError as error:
        raise UserError(f"The model file {path} cannot be read ({error.strerror}).") from error
    except (safetensors.SafetensorError, ValidationError, KeyError, TypeError) as error:
        raise UserError(
            f"The file {path} is not a model of zsfiji, or it is damaged. "
            "Choose another file, or train the model again."
        ) from error
    return Model(kind.name, settings, fitted_to, tuple(units), header["version"], stored=True)


def digest(model: Model[Any, Any]) -> str:
    """Hash of a model's content: equal for equal models, also after saving and loading.

    The losses are not included: they are read at times that differ between trainings.
    """
    content = hashlib.sha256()
    header = _header_of(model)
    header["units"] = [
        {key: value for key, value in unit.items() if key not in _HISTORY}
        for unit in header["units"]
    ]
    content.update(json.dumps([model.version, header], sort_keys=True).encode())
    tensors = _tensors_of(model)
    for name in sorted(tensors):
        tensor = tensors[name]
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        content.update(tensor.flatten().view(torch.uint8).numpy().data)
    return content.hexdigest()[:12]


def load_weights(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give a network the weights of a file; it is left in evaluation mode.

    Raises
    ------
    UserError
        If they do not fit the network.
    """
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise UserError("The model is damaged: its weights do not fit.") from error
    network.eval()


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """What reads and writes a type. Making one takes 2 ms, and a model may have many units."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _plain(value: Any) -> Any:
    """A dataclass in types that JSON has."""
    return _adapter(type(value)).dump_python(value, mode="json")


def _stored(unit: Unit) -> dict[str, torch.Tensor]:
    """The tensors of a unit as a file has them; copied only if necessary."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in unit.tensors().items()}


def _header_of(model: Model[Any, Any]) -> dict[str, Any]:
    """Everything of a model but the tensors, in types that JSON has."""
    return {
        "method": model.method,
        "settings": _plain(model.settings),
        "fitted_to": _plain(model.fitted_to),
        "units": [_plain(unit.record) for unit in model.units],
    }


def _tensors_of(model: Model[Any, Any]) -> dict[str, torch.Tensor]:
    return {
        f"{number}.{name}": tensor
        for number, unit in enumerate(model.units)
        for name, tensor in _stored(unit).items()
    }


def _refuse_pickle(path: Path) -> None:
    """Refuse the files of torch and of Python, which may run any program when they are read."""
    try:
        with path.open("rb") as file:
            first = file.read(4)
    except OSError:
        return  # The reader of safetensors says why.
    if first.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise UserError(
            f"The file {path} is a pickle, as .pt, .pth and .pkl files are. Such a file can run "
            "any program when it is opened, so zsfiji does not: it takes models that it has saved."
        )


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
        raise UserError(f"The file {path} is not a model of zsfiji. Choose another file.")
    return header


def _require(path: Path, header: dict[str, Any], method: str) -> None:
    """Refuse a model of another method, or of a format that this zsfiji cannot read."""
    if header["format"] > FORMAT:
        raise UserError(
            f"The model {path} was written by zsfiji {header['version']}, which is newer than this "
            f"one ({__version__}). Update zsfiji to use it."
        )
    if header["method"] != method:
        raise UserError(
            f"The model {path} belongs to the method '{header['method']}', not to '{method}'. "
            "Choose a model of this method."
        )
    if header["format"] < FORMAT:
        raise UserError(
            f"The model {path} was written by an earlier version of zsfiji ({header['version']}), "
            "in a format that this one cannot read. Train it again."
        )
