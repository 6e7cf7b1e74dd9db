"""State dicts in PyTorch's two file formats, written here by the formats' description: PyTorch is not needed."""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import pytest

from export.metrics import torch_state_dict
from zoo.errors import RequestError

_KINDS = {"<f4": "FloatStorage", "<f2": "HalfStorage", "<f8": "DoubleStorage", "<i8": "LongStorage"}


class _Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class _Tensor:
    """A view of a storage, pickled as PyTorch pickles a tensor."""

    def __init__(self, storage, offset, size, stride):
        self.content = (storage, offset, size, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.content


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, _Storage):
            kind = getattr(sys.modules["torch"], _KINDS[value.values.dtype.str])
            return "storage", kind, value.key, "cpu", value.values.size
        return None


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    """Modules whose names the pickles refer to."""
    modules = {name: types.ModuleType(name) for name in ("torch", "torch._utils")}
    for name in _KINDS.values():
        setattr(modules["torch"], name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is pickled")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def pickled(value):
    buffer = io.BytesIO()
    _Pickler(buffer, 2).dump(value)
    return buffer.getvalue()


def stream(state, storages):
    """The format before PyTorch 1.6."""
    parts = [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled({"little_endian": True}), pickled(state)]
    parts.append(pickled([storage.key for storage in storages]))
    for storage in storages:
        parts += [struct.pack("<q", storage.values.size), storage.values.tobytes()]
    return b"".join(parts)


def archive(state, storages):
    """The zip archive since."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("model/data.pkl", pickled(state))
        file.writestr("model/byteorder", "little")
        for storage in storages:
            file.writestr(f"model/data/{storage.key}", storage.values.tobytes())
    return buffer.getvalue()


@pytest.fixture
def content():
    """(state dict, storages, the arrays that it should be read as)."""
    rng = np.random.default_rng(0)
    floats, halves = _Storage("0", rng.normal(size=30).astype("<f4")), _Storage("1", np.arange(4).astype("<f2"))
    whole = _Storage("2", np.array([7], "<i8"))
    state = collections.OrderedDict(
        row_major=_Tensor(floats, 0, (4, 3), (3, 1)),
        transposed=_Tensor(floats, 12, (3, 6), (1, 3)),
        halves=_Tensor(halves, 1, (3,), (1,)),
        scalar=_Tensor(whole, 0, (), ()),
        empty=_Tensor(halves, 0, (0, 5), (5, 1)),
    )
    arrays = {
        "row_major": floats.values[:12].reshape(4, 3),
        "transposed": floats.values[12:].reshape(6, 3).T,
        "halves": np.float16([1, 2, 3]),
        "scalar": np.int64(7),
        "empty": np.zeros((0, 5), np.float16),
    }
    return state, [floats, halves, whole], arrays


@pytest.mark.parametrize("written", [stream, archive])
def test_both_formats_are_read(content, tmp_path, written):
    state, storages, arrays = content
    (tmp_path / "state.pth").write_bytes(written(state, storages))
    found = torch_state_dict.read(tmp_path / "state.pth")
    assert list(found) == list(arrays)
    for name, expected in arrays.items():
        assert found[name].dtype == expected.dtype and found[name].shape == expected.shape
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize("written", [stream, archive])
def test_no_code_of_a_file_is_run(content, tmp_path, written):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    (tmp_path / "evil.pth").write_bytes(written({"weight": Evil()}, content[1]))
    with pytest.raises(RequestError, match=r"evil\.pth: .* \(__builtin__\.print is not of a state dict"):
        torch_state_dict.read(tmp_path / "evil.pth")


@pytest.mark.parametrize("written", [stream, archive])
@pytest.mark.parametrize(
    ("offset", "size", "stride"), [(28, (3,), (1,)), (0, (2, 2), (29, 1)), (-1, (3,), (1,)), (0, (3, 2), (2, -1))]
)
def test_no_memory_beside_a_storage_is_read(content, tmp_path, written, offset, size, stride):
    view = {"weight": _Tensor(content[1][0], offset, size, stride)}
    (tmp_path / "state.pth").write_bytes(written(view, content[1][:1]))
    with pytest.raises(RequestError, match=r"a tensor lies outside its storage|negative stride"):
        torch_state_dict.read(tmp_path / "state.pth")


@pytest.mark.parametrize("written", [stream, archive])
def test_damaged_and_other_files_are_refused(content, tmp_path, written):
    state, storages, _ = content
    path = tmp_path / "state.pth"
    for damaged in (written(state, storages)[:-5], written([1, 2], []), b"", b"no state dict", pickled(3)):
        path.write_bytes(damaged)
        with pytest.raises(RequestError, match=r"state\.pth: no state dict of PyTorch") as caught:
            torch_state_dict.read(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(stream(state, storages)[:-8])  # a whole number less
    with pytest.raises(RequestError, match="it ends early"):
        torch_state_dict.read(path)
    with pytest.raises(RequestError, match=r"missing\.pth: cannot be read \(No such file"):
        torch_state_dict.read(tmp_path / "missing.pth")
