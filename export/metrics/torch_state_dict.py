"""Reads the weights of a PyTorch file as NumPy arrays, without PyTorch and without running code from the file.

`torch.save` pickles a state dict: a dict from names to tensors, which are views of storages. The storages lie behind
the pickle (the format before PyTorch 1.6), or beside it in a zip archive (since). The unpickler here knows the dict,
the tensors and the storages, and refuses every other global name.
"""

from __future__ import annotations

import collections
import dataclasses
import io
import os
import pickle
import struct
import zipfile

import numpy as np

from zoo.errors import RequestError

# First of the objects of a file in the older format.
_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


def read(path) -> dict[str, np.ndarray]:
    """The tensors of a state dict.

    Args:
      path: file that `torch.save(module.state_dict(), path)` wrote, on a little-endian machine.

    Returns:
      {name: array}, in the file's order and its dtypes.

    Raises:
      RequestError: where the file cannot be read, is damaged, or holds something else than a dict of tensors.
    """
    try:
        with open(path, "rb") as file:
            pending, storages = (_read_archive if zipfile.is_zipfile(file) else _read_stream)(file)
            return {name: _tensor(view, storages) for name, view in pending.items()}
    except OSError as error:
        raise RequestError(f"{os.fspath(path)}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # Of any type: a damaged pickle makes its reader fail in every way there is.
        why = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(f"{os.fspath(path)}: no state dict of PyTorch ({why[:200]})") from None


@dataclasses.dataclass
class _View:
    """A tensor: where it lies in a storage, counted in elements."""

    storage: tuple
    offset: int
    size: tuple
    stride: tuple


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *hooks: _View(storage, offset, size, stride)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *gradients: data
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not of a state dict")

    def persistent_load(self, identity):
        kind, dtype, key, _, count = identity[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"{kind!r} is not of a state dict")
        return key, dtype, count


def _views(unpickler):
    views = unpickler.load()
    if not isinstance(views, dict) or not all(isinstance(view, _View) for view in views.values()):
        raise ValueError("it holds something else than a dict of tensors")
    return views


def _read_stream(file):
    """(views, {key: storage}) of a file in the older format: pickles one after another, then the storages."""
    file.seek(0)
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("it does not begin like one")
    for _ in ("protocol", "sizes of integers"):
        _Unpickler(file).load()
    views = _views(_Unpickler(file))
    dtypes = {view.storage[0]: view.storage[1] for view in views.values()}
    storages = {}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = _whole(file.read(count * dtypes[key].itemsize), dtypes[key], count)
    return views, storages


def _read_archive(file):
    """(views, {key: storage}) of a zip archive: FOLDER/data.pkl beside FOLDER/data/KEY."""
    with zipfile.ZipFile(file) as archive:
        (name,) = (name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"])
        folder = name.split("/")[0]
        if f"{folder}/byteorder" in archive.namelist() and archive.read(f"{folder}/byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        views = _views(_Unpickler(io.BytesIO(archive.read(name))))
        needed = {view.storage[0]: view.storage for view in views.values()}
        return views, {
            key: _whole(archive.read(f"{folder}/data/{key}"), dtype, count) for key, dtype, count in needed.values()
        }


def _whole(content, dtype, count):
    if len(content) != count * dtype.itemsize:
        raise ValueError("it ends early")
    return np.frombuffer(content, dtype)


def _tensor(view, storages):
    values = storages[view.storage[0]]
    reach = sum((size - 1) * stride for size, stride in zip(view.size, view.stride))
    # Outside the storage a view would read foreign memory.
    if 0 not in view.size and not 0 <= view.offset <= view.offset + reach < len(values):
        raise ValueError("a tensor lies outside its storage")
    if min(view.stride, default=0) < 0:
        raise ValueError("a tensor has a negative stride")
    strides = [stride * values.itemsize for stride in view.stride]
    return np.lib.stride_tricks.as_strided(values[view.offset :], view.size, strides).copy()
