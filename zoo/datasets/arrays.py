"""Images held in memory as bytes."""

import abc
import hashlib
import threading

import numpy as np

from zoo.datasets import images
from zoo.datasets.dataset import ImageDataset


class InMemoryDataset(ImageDataset):
    """Images that a subclass loads one whole split at a time, when the split is first used."""

    _CHUNK = 4096

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._loaded, self._checksums = {}, {}
        self._lock = threading.Lock()

    @abc.abstractmethod
    def _load(self, split):
        """All of a split, an iterable of chunks: uint8 ``[b, *data_shape]``, int64 ``[b]`` (zeros if unlabelled)."""

    def class_shares(self):
        _, y = self._tensors("train")
        return np.bincount(y.numpy(), minlength=self.num_classes) / len(y)

    def checksum(self, split):
        """SHA-256 of the shape, the pixels and the labels."""
        self._check_split(split)
        if split not in self._checksums:
            x, y = self._tensors(split)
            digest = hashlib.sha256(repr((tuple(map(int, x.shape)), self.num_classes)).encode())
            for start in range(0, len(x), self._CHUNK):
                digest.update(x[start : start + self._CHUNK].numpy())
            digest.update(y.numpy())
            self._checksums[split] = digest.hexdigest()
        return self._checksums[split]

    def _tensors(self, split):
        """All of a split as tensors, loaded once: uint8 ``[n, *data_shape]``, int64 ``[n]``."""
        import tensorflow as tf

        with self._lock, tf.init_scope(), tf.device("CPU:0"):  # an accelerator must never hold the data set
            if split not in self._loaded:
                # Joined in TensorFlow: a tensor made of one NumPy array would keep a second copy of it.
                x, y = zip(*self._load(split))
                self._loaded[split] = tf.concat(x, 0), tf.concat(y, 0)
            return self._loaded[split]

    def _reader(self, split):
        import tensorflow as tf

        x, y = self._tensors(split)
        return lambda indices: (tf.gather(x, indices), tf.gather(y, indices))


class ArrayDataset(InMemoryDataset):
    """Images given as arrays.

    Args:
        name: The source string.
        data: ``{"train": (x, y), "test": (x, y)}`` with x uint8 ``[n, height, width, channels]`` and y int64 ``[n]`` or
            None.
        image_size: Side to crop and resize to, or None.
        channels: 1 or 3, or None for the data's own.
        num_classes: As of `Dataset`.
        class_names: As of `Dataset`.
    """

    def __init__(self, name, data, *, image_size=None, channels=None, num_classes=None, class_names=None):
        _, height, width, native = data["train"][0].shape
        shape = (image_size or height, image_size or width, channels or native)
        super().__init__(name, shape, num_classes, class_names)
        self._image_size = image_size
        self._sizes = {split: len(x) for split, (x, _) in data.items()}
        self._data = dict(data)

    def num_examples(self, split):
        self._check_split(split)
        return self._sizes[split]

    def _load(self, split):
        x, y = self._data.pop(split)  # the tensor takes its place
        y = np.zeros(len(x), np.int64) if y is None else y
        for start in range(0, len(x), self._CHUNK):
            chunk = x[start : start + self._CHUNK]
            if self._image_size is not None:
                chunk = images.fit(chunk, self._image_size)
            yield images.convert(chunk, self.data_shape[2]), y[start : start + self._CHUNK]
