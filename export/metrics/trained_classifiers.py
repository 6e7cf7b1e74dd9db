"""Classifiers that serve as feature extractors: shipped with the package, or trained on a data set and cached.

A classifier is two files: `NAME.npz` with the weights, and `NAME.json` with the metadata, among them the weights'
checksum and the fingerprint of the images that it was trained on.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import tempfile
import time

import numpy as np
from absl import logging

from export.metrics import cache
from export.metrics.feature_extractor import FeatureExtractor
from zoo.errors import RequestError
from zoo.pixels import to_uint8

# Part of the cache key. Raise it whenever the network or its training changes.
_RECIPE_VERSION = 1
_FINGERPRINT_IMAGES = 1000
# Steps, not epochs: 1,500 images are trained on for as long as 60,000.
TRAINING_STEPS = 1900
# Limit on the training images, held in memory as uint8.
_TRAINING_BYTES = 512 * 2**20


def shipped() -> list[str]:
    """Names of the classifiers that the package ships."""
    return sorted(path.stem for path in weights_dir().glob("*.json"))


def cache_dir() -> pathlib.Path:
    """Directory of trained classifiers and of Inception's weights; it need not exist.

    `$TF_GAN_ZOO_CACHE/features`, or `~/.cache/tf-gan-zoo/features` where the variable is not set.
    """
    return cache.folder("features")


def fingerprint(dataset) -> str:
    """SHA-256 of an image set's shape and first 1,000 training images, independent of its path.

    Args:
      dataset: a `zoo.datasets.Dataset` of images.

    Returns:
      Hexadecimal, 64 characters.
    """
    return _fingerprint(dataset)[0]


def train_classifier(
    dataset, name: str | None = None, directory=None, steps: int = TRAINING_STEPS, seed: int = 0, recipe: str = ""
) -> FeatureExtractor:
    """Trains a classifier on a labelled image set, or loads it if the directory already holds it.

    The test accuracy is measured with the stored float16 weights. `NAME.npz` (weights) and `NAME.json` (metadata) are
    written to a temporary folder and renamed into place.

    Args:
      dataset: a labelled `zoo.datasets.Dataset` of images. Without a test split, a tenth of the training images is held
        out to measure the accuracy.
      name: name of the extractor; if None, derived from the data's fingerprint, labels, steps and seed.
      directory: output directory; `cache_dir()` if None.
      steps: training steps, rounded to whole epochs.
      seed: seeds weights, dropout and order.
      recipe: the command to record, to reproduce the classifier.

    Returns:
      The `FeatureExtractor`.

    Raises:
      RequestError: where the data are not images, have no labels or a single class, or the directory is not writable.
    """
    if len(dataset.data_shape) != 3 or not dataset.num_classes:
        raise RequestError(f"data {dataset.name!r}: a classifier needs labelled images [H, W, C]")
    data_print, label_print = _fingerprint(dataset)
    key = {"data": data_print, "labels": label_print, "steps": steps, "seed": seed, "recipe": _RECIPE_VERSION}
    key_hash = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    name = name or f"cnn_{key_hash[:16]}_v{_RECIPE_VERSION}"
    directory = pathlib.Path(directory) if directory is not None else cache_dir()
    if (directory / f"{name}.json").is_file():
        try:
            extractor = load_classifier(directory, name)
            if extractor.metadata.get("training_key") == key_hash:
                return extractor
        except RequestError as error:
            logging.warning("%s; training it again", error)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise RequestError(f"features: {str(directory)!r} cannot be written ({error.strerror})") from None

    from export.metrics import small_cnn

    images, labels, test_images, test_labels = _training_arrays(dataset, seed)
    if labels.min() == labels.max():
        raise RequestError(f"data {dataset.name!r}: one class alone gives nothing to train a classifier on")
    batch_size = min(256, max(1, len(images) // 8))
    epochs = max(1, round(steps / (len(images) // batch_size)))
    logging.info("training the classifier %s on %d images of %s, %d epochs", name, len(images), dataset.name, epochs)
    start = time.monotonic()
    model = small_cnn.fit(images, labels, dataset.num_classes, epochs, batch_size, seed=seed)
    logging.info("trained %s in %.0f s", name, time.monotonic() - start)

    weights = {f"{index:02d}": np.asarray(value, np.float16) for index, value in enumerate(model.get_weights())}
    with tempfile.TemporaryDirectory(dir=directory, prefix=f".{name}-") as building:
        building = pathlib.Path(building)
        np.savez_compressed(building / f"{name}.npz", **weights)
        metadata = {
            "name": name,
            "version": _RECIPE_VERSION,
            "network": {
                key: model.get_config()[key] for key in ("data_shape", "num_classes", "feature_dim", "filters")
            },
            "data_shape": list(dataset.data_shape),
            "num_classes": int(dataset.num_classes),
            "class_names": list(dataset.class_names) if dataset.class_names else None,
            "dim": model.feature_dim,
            "data": dataset.name,
            "data_fingerprint": data_print,
            "training_key": key_hash,
            "training": {"images": len(images), "epochs": epochs, "batch_size": batch_size, "seed": seed},
            "recipe": recipe,
            "test_images": len(test_images),
            "chance": chance(test_labels),
            "checksum": _sha256([building / f"{name}.npz"]),
        }
        _write_json(building / f"{name}.json", metadata)
        metadata["test_accuracy"] = round(load_classifier(building, name).accuracy(test_images, test_labels), 6)
        _write_json(building / f"{name}.json", metadata)
        # Metadata last: only then is the name listed. Its checksum shows whether the two files belong together.
        for suffix in ("npz", "json"):
            os.replace(building / f"{name}.{suffix}", directory / f"{name}.{suffix}")
    logging.info("%s: %.2f %% of %d test images right", name, 100 * metadata["test_accuracy"], len(test_images))
    return load_classifier(directory, name)


def load_classifier(directory, name) -> FeatureExtractor:
    """The classifier with a name from a directory. Raises RequestError where its files are damaged."""
    metadata = read_metadata(directory, name)
    path = directory / f"{name}.npz"
    checksum = _sha256([path]) if path.is_file() else "no file"
    if checksum != metadata.get("checksum"):
        raise RequestError(
            f"features: {str(path)!r} has SHA-256 {checksum}, expected {metadata.get('checksum')} of {name}.json"
        )
    # Imported here, so that wrong requests fail before TensorFlow is imported.
    import tensorflow as tf

    from export.metrics import small_cnn

    model = small_cnn.SmallCNN(**metadata["network"])
    model(np.zeros((1, *model.data_shape), np.float32))
    with np.load(path) as weights:
        model.set_weights([weights[key].astype(np.float32) for key in sorted(weights.files)])
    signature = [tf.TensorSpec((None, *model.data_shape), tf.float32)]
    return FeatureExtractor(metadata, tf.function(model.features_and_logits, input_signature=signature), model)


def read_metadata(directory, name):
    """The metadata of a classifier in a directory, a dict. Raises RequestError where the file is damaged."""
    path = directory / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RequestError(f"features: {str(path)!r} is damaged, expected the metadata of {name!r}") from None


def chance(labels):
    """Share of the commonest class, rounded as metadata has it."""
    return round(float(np.bincount(labels).max() / len(labels)), 6)


def weights_dir() -> pathlib.Path:
    """Directory of the classifiers that the package ships."""
    return pathlib.Path(__file__).parent / "weights"


def _fingerprint(dataset):
    """(hash of the shape and the first training images, hash of the number of classes and those images' labels)."""
    images, labels = dataset.arrays("train", min(_FINGERPRINT_IMAGES, dataset.num_examples("train")))
    # 8-bit levels do not depend on the rounding of the conversion to [-1, 1].
    levels = to_uint8(np.asarray(images))
    of_images = hashlib.sha256(repr(tuple(int(size) for size in dataset.data_shape)).encode() + levels.tobytes())
    labels = b"" if labels is None else np.asarray(labels, "<i8").tobytes()
    of_labels = hashlib.sha256(repr(int(dataset.num_classes or 0)).encode() + labels)
    return of_images.hexdigest(), of_labels.hexdigest()


def _training_arrays(dataset, seed):
    """(images uint8, labels int64, test images uint8, test labels int64)."""
    limit = max(1, _TRAINING_BYTES // int(np.prod(dataset.data_shape)))
    images, labels = _gather(dataset, "train", limit, seed)
    if dataset.num_examples("test"):
        return images, labels, *_gather(dataset, "test", limit, seed)
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = order[: max(1, len(images) // 10)], order[max(1, len(images) // 10) :]
    return images[train], labels[train], images[test], labels[test]


def _gather(dataset, split, limit, seed):
    """Images uint8 and labels int64 of a split: all, or whole batches of at most `limit` in shuffled order."""
    count = dataset.num_examples(split)
    if count <= limit:
        images, labels = dataset.arrays(split)
        return to_uint8(images), np.asarray(labels, np.int64)
    images, labels, batch_size = [], [], 256
    for index, batch in enumerate(dataset.batches(split, batch_size, seed=seed, labels=True)):
        if index == limit // batch_size:
            break
        images.append(to_uint8(np.asarray(batch.x)))
        labels.append(np.asarray(batch.conditions["label"], np.int64))
    return np.concatenate(images), np.concatenate(labels)


def _sha256(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
