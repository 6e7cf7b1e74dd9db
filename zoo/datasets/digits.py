"""The 8x8 handwritten digits that scikit-learn carries (1,797 of the UCI set): images without a download."""

import gzip
import importlib.util
import pathlib

import numpy as np

from zoo.datasets.arrays import ArrayDataset

_HELD_OUT = 6  # every sixth image of each class


def load(source, *, image_size=None, channels=None):
    """Loads the digits, 0..16 scaled to 0..255, with a sixth of each class held out by a fixed permutation.

    Args:
        source: The source string, for messages.
        image_size: As of `zoo.datasets.load`.
        channels: As of `zoo.datasets.load`.

    Returns:
        An `ArrayDataset` of ten classes.
    """
    # `sklearn.datasets.load_digits` reads this very file, after more than a second of imports.
    package = pathlib.Path(importlib.util.find_spec("sklearn").origin).parent
    with gzip.open(package / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    x = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    y = table[:, -1].astype(np.int64)
    order = np.random.RandomState(0).permutation(len(x))  # the one generator whose stream NumPy never changes
    test = np.zeros(len(x), bool)
    for label in range(10):
        test[order[y[order] == label][::_HELD_OUT]] = True
    data = {"train": (x[~test], y[~test]), "test": (x[test], y[test])}
    names = tuple(str(digit) for digit in range(10))
    return ArrayDataset(source, data, image_size=image_size, channels=channels, num_classes=10, class_names=names)
