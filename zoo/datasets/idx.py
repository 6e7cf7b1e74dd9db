"""IDX files, the format of MNIST and of its drop-in replacements (http://yann.lecun.com/exdb/mnist)."""

import gzip
import math
import zlib

import numpy as np

from zoo.datasets.arrays import ArrayDataset
from zoo.errors import RequestError
from zoo.files import check_regular

_PREFIX = {"train": "train", "test": "t10k"}


def load(source, directory, *, image_size=None, channels=None):
    """Reads ``train-images-idx3-ubyte``, ``t10k-images-idx3-ubyte`` and, where present, the two ``labels-idx1`` files.

    Each may end in ``.gz``, and may be spelt ``train-images.idx3-ubyte``. Images are grey, or have a last dimension of
    1 or 3 (``idx4``). Labels count from 0. Headers, shapes and file lengths are checked here.

    Args:
        source: The source string, for messages.
        directory: An `epath.Path`.
        image_size: As of `zoo.datasets.load`.
        channels: As of `zoo.datasets.load`.

    Returns:
        An `ArrayDataset`.

    Raises:
        RequestError: A directory or file is missing, is not IDX, has another type or shape, or is too short or long.
    """
    if not directory.is_dir():
        raise RequestError(f"data.source '{source}': no such directory")
    data = {}
    for split, prefix in _PREFIX.items():
        path = _find(directory, f"{prefix}-images", ("idx3", "idx4"))
        if path is None:
            raise RequestError(f"data.source '{source}': no {prefix}-images-idx3-ubyte or .gz of it in {directory}")
        x = read(path)
        if x.ndim == 3:
            x = x[..., None]
        if x.ndim != 4 or x.shape[-1] not in (1, 3) or 0 in x.shape:
            raise RequestError(
                f"{path}: images of shape {x.shape}, expected (number, height, width) and none of them 0"
            )
        path = _find(directory, f"{prefix}-labels", ("idx1",))
        y = None if path is None else read(path).astype(np.int64)
        if y is not None and y.shape != x.shape[:1]:
            raise RequestError(f"{path}: labels of shape {y.shape} beside {len(x)} images, expected ({len(x)},)")
        data[split] = (x, y)
    (train_x, train_y), (test_x, test_y) = data["train"], data["test"]
    if train_x.shape[1:] != test_x.shape[1:]:
        raise RequestError(
            f"data.source '{source}': training images are {train_x.shape[1:]}, test images {test_x.shape[1:]}"
        )
    if (train_y is None) != (test_y is None):
        raise RequestError(f"data.source '{source}': labels for one of the train and t10k files only; both or neither")
    num_classes = None if train_y is None else 1 + int(max(train_y.max(), test_y.max()))
    return ArrayDataset(source, data, image_size=image_size, channels=channels, num_classes=num_classes)


def read(path):
    """Reads one IDX file of unsigned bytes.

    Args:
        path: An `epath.Path`; a name that ends in ``.gz`` is decompressed.

    Returns:
        A uint8 array of the file's own shape.

    Raises:
        RequestError: It cannot be read, is not IDX of unsigned bytes, or its length is not what its header says.
    """
    cut = ""
    try:
        check_regular(path)
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            try:
                content = gzip.decompress(content)
            except EOFError:  # read what is there, so that the message can say how much is missing
                content = zlib.decompressobj(wbits=31).decompress(content)
                cut = "the gzip stream ends early, after "
    except (OSError, zlib.error) as e:
        raise RequestError(f"{path}: cannot be read: {e}") from e
    # Magic: two zero bytes, the type (8 = unsigned byte), the number of dimensions; then each as a big-endian uint32.
    if len(content) < 4 or content[:2] != b"\0\0" or content[3] == 0:
        raise RequestError(f"{path}: not an IDX file: it starts with 0x{content[:4].hex()}, expected 0x000008NN")
    if content[2] != 8:
        raise RequestError(f"{path}: IDX element type 0x{content[2]:02x}, expected 0x08 (unsigned byte)")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise RequestError(f"{path}: {cut}{len(content)} bytes, expected a header of {start}")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", content[3], offset=4))
    expected = start + math.prod(shape)
    if cut or len(content) != expected:
        raise RequestError(
            f"{path}: {cut}{len(content)} bytes, expected {expected} for the shape {shape} in its header"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(directory, stem, kinds):
    for kind in kinds:
        for name in (f"{stem}-{kind}-ubyte", f"{stem}.{kind}-ubyte"):
            for path in (directory / name, directory / f"{name}.gz"):
                if path.exists():
                    return path
    return None
