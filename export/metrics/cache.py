"""The user's cache directory: classifiers trained for data sets, downloaded weights, and features of real images.

`$TF_GAN_ZOO_CACHE` where the variable is set, else `~/.cache/tf-gan-zoo`.
"""

import os
import pathlib


def folder(name):
    """A folder of the cache, a `pathlib.Path`; it need not exist."""
    root = os.environ.get("TF_GAN_ZOO_CACHE") or pathlib.Path.home() / ".cache" / "tf-gan-zoo"
    return pathlib.Path(root) / name
