"""Features of a data set's images, kept in the user's cache: the next evaluation of the same data finds them there.

A file holds the features of the first images of one shuffled epoch of a split, with their labels. Its name is a hash of
what the features depend on: the data (`zoo.datasets.dataset.Dataset.checksum`), and the extractor's name, version,
checksum and preprocessing. It lies in the folder `real_features` of the cache (`export.metrics.cache`). A damaged file
is computed again. Together the files take at most 2 GiB: those not used for longest go first. The environment variable
TF_GAN_ZOO_FEATURE_CACHE=off leaves the disk alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import zipfile

import numpy as np
from absl import logging

from export.metrics import cache
from zoo.files import write_whole
from zoo.pixels import to_uint8
from zoo.progress import Progress

#: Images a forward pass. Features are taken over from a file in whole batches, so that their last bits do not depend on
#: what the cache holds.
BATCH = 256
#: Images kept themselves, for a report to show.
SHOWN = 64
#: Part of the key: raise it where the order of the images or the file's format changes.
_VERSION = 1
_MOST_BYTES = 2 * 2**30
_NAMES = {"test": "test images", "train": "training images"}


@dataclasses.dataclass(eq=False)
class RealFeatures:
    """Images of a data set as an extractor sees them.

    Attributes:
      features: float32 [N, d].
      logits: float32 [N, K].
      labels: int64 [N], or None where the data has none.
      shown: uint8 [min(64, N), H, W, C], the first images themselves.
    """

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray | None
    shown: np.ndarray

    def __len__(self):
        return len(self.features)

    def first(self, count):
        """Those of the first `count` images, at least as many as are shown."""
        labels = None if self.labels is None else self.labels[:count]
        return RealFeatures(self.features[:count], self.logits[:count], labels, self.shown)

    def followed_by(self, other):
        """These and the `RealFeatures` of the images after them."""
        labels = None if self.labels is None else np.concatenate([self.labels, other.labels])
        features, logits = np.concatenate([self.features, other.features]), np.concatenate([self.logits, other.logits])
        return RealFeatures(features, logits, labels, self.shown)


def read(extractor, dataset, split, count):
    """Features of the first images of one shuffled epoch, from the cache as far as it has them.

    Args:
      extractor: `export.metrics.feature_extractor.FeatureExtractor`.
      dataset: `zoo.datasets.Dataset` of images.
      split: "train" or "test".
      count: how many images, at most as many as there are.

    Returns:
      `RealFeatures` of `count` images.
    """
    key = _key(extractor, dataset, split)
    path = None if key is None else _folder() / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"
    known = extractor.remembered(dataset, split)
    if path is not None and (known is None or len(known) < count):
        known = _load(path, key, extractor, dataset) or known
    have = 0 if known is None else len(known)
    if have == count:
        return known
    whole = min(have, count) // BATCH * BATCH
    found = known.first(whole) if whole else None
    if whole < count:
        rest = _computed(extractor, dataset, split, whole, count)
        found = found.followed_by(rest) if whole else rest
    if path is not None and have < count:
        _save(path, key, extractor, found)
    return found


def pixels(dataset, split, count, labels=None, start=0):
    """The images that `read` gives the features of.

    Args:
      dataset, split, count: as of `read`.
      labels: list that takes the labels of each batch, int64 [n]; None without.
      start: leaves out so many of the first images, a multiple of 256.

    Yields:
      NumPy uint8 [n, H, W, C], n at most 256.
    """
    batches = dataset.batches(split, BATCH, seed=0, start_batch=start // BATCH, labels=labels is not None)
    for first, batch in zip(range(start, count, BATCH), batches):
        if labels is not None:
            labels.extend(label.numpy()[: count - first] for label in batch.conditions.values())
        yield to_uint8(batch.x).numpy()[: count - first]


def _computed(extractor, dataset, split, start, count):
    labels = [] if dataset.num_classes is not None else None
    features, logits, shown = [], [], None
    with Progress(count, _NAMES[split], "image", start) as progress:
        for batch in pixels(dataset, split, count, labels, start):
            of_features, of_classes = extractor(batch)
            features.append(of_features)
            logits.append(of_classes)
            shown = batch[:SHOWN] if shown is None else shown
            progress.update(progress.done + len(batch))
    labels = np.concatenate(labels) if labels else None
    return RealFeatures(np.concatenate(features), np.concatenate(logits), labels, shown)


def _folder():
    return cache.folder("real_features")


def _key(extractor, dataset, split):
    """What the features depend on, as JSON; None where the cache is off or the data has no checksum."""
    if os.environ.get("TF_GAN_ZOO_FEATURE_CACHE", "").lower() in ("off", "0"):
        return None
    checksum = dataset.checksum(split)
    if checksum is None:
        return None
    of_extractor = {name: extractor.metadata.get(name) for name in ("name", "version", "checksum", "preprocessing")}
    key = {"version": _VERSION, "extractor": of_extractor, "data": checksum, "split": split}
    return json.dumps(key, sort_keys=True)


def _load(path, key, extractor, dataset):
    """`RealFeatures` of a file; None where it is not there or is damaged."""
    try:
        # The archive has a checksum of each member, which reading it checks.
        with np.load(path) as file:
            if str(file["key"]) != key:
                raise ValueError("it belongs to another key")
            features, shown = file["features"], file["shown"]
            logits = file["logits"] if extractor.classify is None else extractor.logits_of(features, BATCH)
            labels = file["labels"] if dataset.num_classes is not None else None
        shapes_agree = features.shape[1:] == (extractor.dim,) and shown.shape[1:] == tuple(dataset.data_shape)
        if not shapes_agree or len({len(features), len(logits), len(features if labels is None else labels)}) > 1:
            raise ValueError("its arrays have other shapes")
        os.utime(path)  # the time of the last use
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logging.warning("%s is damaged (%s); computing it again", path, " ".join(str(error).split())[:200])
        return None
    return RealFeatures(features, logits, labels, shown)


def _save(path, key, extractor, found):
    """Writes a file; where that fails, says so and goes on."""
    arrays = {"key": np.array(key), "features": found.features, "shown": found.shown}
    if found.labels is not None:
        arrays["labels"] = found.labels
    if extractor.classify is None:
        arrays["logits"] = found.logits
    content = io.BytesIO()
    np.savez(content, **arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.getbuffer())
        _prune(path)
    except OSError as error:
        logging.warning("Features are not kept for the next evaluation: %s (%s)", path, error.strerror or error)


def _prune(newest):
    """Removes files, those not used for longest first, until the rest takes less than `_MOST_BYTES`."""
    files = {file: file.stat() for file in newest.parent.glob("*.npz") if file != newest}
    total = newest.stat().st_size + sum(status.st_size for status in files.values())
    for file, status in sorted(files.items(), key=lambda item: item[1].st_mtime):
        if total <= _MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= status.st_size
