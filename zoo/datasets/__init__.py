"""Data sets: toy densities and images, all through `load`.

    data = zoo.datasets.load("idx:/usr/share/datasets/fashion-mnist", image_size=32)
    data.data_shape, data.num_classes, data.num_examples("train")      # (32, 32, 1), 10, 60000
    for batch in data.batches("train", 64, seed=0, start_batch=1000):
        batch.x                                                        # float32 [64, 32, 32, 1] in [-1, 1]
    x, y = data.arrays("test", 10_000)

Importing this module and calling `load` do not import TensorFlow; the first batch does.
"""

import difflib

from etils import epath

from zoo.datasets import digits, folder, idx, shapes, tfds, toy
from zoo.datasets.dataset import Dataset, DataSpec, undecodable
from zoo.errors import RequestError

__all__ = ["DataSpec", "Dataset", "load", "undecodable"]

_FORMS = (*toy.FAMILIES, "digits", "shapes", "tfds:NAME", "idx:DIR", "folder:DIR")


def load(source, *, image_size=None, channels=None, on_corrupt="error", data_dir=None):
    """Opens a data set and checks it.

    Args:
        source: One of

            - ``ring``, ``grid``, ``swiss_roll``, ``uniform``, ``two_segments``: toy densities (`zoo.datasets.toy`),
              with parameters where wanted: ``ring?modes=10&std=0.05``;
            - ``digits``: 1,797 images of 8x8 that scikit-learn carries;
            - ``shapes``: toy scenes with captions, made here (`zoo.datasets.shapes`);
            - ``tfds:NAME``: images of TensorFlow Datasets, prepared before (`zoo.datasets.tfds`);
            - ``idx:DIR``: files of MNIST's format (`zoo.datasets.idx`);
            - ``folder:DIR``: images, in class folders or not, with captions or not (`zoo.datasets.folder`).
        image_size: Side of the square that images are cropped (centrally) and resized (bilinearly, antialiased) to;
            None leaves their size, which ``folder:`` does not allow.
        channels: 1 (grey) or 3 (colour), converted where needed; None leaves the data's own, 3 for ``folder:``.
        on_corrupt: For ``folder:``. 'error' raises for a damaged image and names it; 'skip' leaves it out.
        data_dir: For ``tfds:``. Directory of the prepared data; None for TFDS' default.

    Returns:
        A `Dataset`. It is a `zoo.datasets.toy.ToyDataset`, with modes and log-density, for the toy densities.

    Raises:
        RequestError: One line that names what is wrong with the request or with the data.
    """
    if image_size is not None and image_size < 1:
        raise RequestError(f"data.image_size {image_size}: expected a number of pixels, 1 or more")
    if channels not in (None, 1, 3):
        raise RequestError(f"data.channels {channels}: expected 1 (grey), 3 (colour) or None (the data's own)")
    if on_corrupt not in ("error", "skip"):
        raise RequestError(f"data.on_corrupt '{on_corrupt}': expected 'error' or 'skip'")

    if source.partition("?")[0] in toy.FAMILIES:
        if image_size is not None or channels is not None:
            key, value = ("image_size", image_size) if image_size is not None else ("channels", channels)
            raise RequestError(f"data.{key} {value}: '{source}' gives points, not images; expected None")
        return toy.load(source)
    if source == "digits":
        return digits.load(source, image_size=image_size, channels=channels)
    if source == "shapes":
        return shapes.load(source, image_size=image_size, channels=channels)
    kind, colon, rest = source.partition(":")
    if colon and rest:
        if kind == "tfds":
            return tfds.load(source, rest, image_size=image_size, channels=channels, data_dir=data_dir)
        if kind == "idx":
            return idx.load(source, epath.Path(rest).expanduser(), image_size=image_size, channels=channels)
        if kind == "folder":
            directory = epath.Path(rest).expanduser()
            return folder.load(source, directory, image_size=image_size, channels=channels, on_corrupt=on_corrupt)
    forms = {form.partition(":")[0]: form for form in _FORMS}
    near = [forms[name] for name in difflib.get_close_matches(kind.partition("?")[0], forms, 3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(_FORMS)}"
    raise RequestError(f"data.source '{source}': no such data set; {hint}")
