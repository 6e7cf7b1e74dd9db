"""Named and versioned feature extractors, in whose feature space samples are compared with data.

A Fréchet distance or a precision depends on its feature space, so every report names the extractor and the checksum of
its weights. There are these kinds:

- classifiers that the package ships for known data sets (`shipped()`), recognised by the data's fingerprint;
- classifiers trained on demand for other labelled sets of grey images, and cached (`train_classifier`);
- EfficientNet-Lite0 with ImageNet weights, which the package ships, for colour images and for images without labels;
- Inception-v3 with ImageNet weights, Keras' and TF-GAN's, where the weights are found or can be downloaded;
- DINOv2's vision transformers, where the weights are found.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import os
import pathlib
import tempfile
import time
from collections.abc import Iterable, Iterator

import numpy as np
from absl import logging

from export.metrics import cache, dinov2, efficientnet_lite0, inception
from zoo.errors import RequestError
from zoo.pixels import to_float, to_uint8

# Part of the cache key. Raise it whenever the network or its training changes.
_RECIPE_VERSION = 1
_FINGERPRINT_IMAGES = 1000
# Steps, not epochs: 1,500 images are trained on for as long as 60,000.
TRAINING_STEPS = 1900
# Least `skill`: below _USELESS a trained classifier is refused as feature space, below _WEAK a warning is given. Both
# are conventions. A skill of 0.5 is an accuracy of 55 % with ten classes of equal size, 75 % with two.
_USELESS, _WEAK = 0.2, 0.5
# Most images that the linear classifier on an extractor's features is trained and tested on.
_LINEAR_IMAGES = {"train": 10_000, "test": 2_000}
# Limit on the training images, held in memory as uint8.
_TRAINING_BYTES = 512 * 2**20


class FeatureExtractor:
    """A classifier used as a feature space.

    Attributes:
      name: such as "fashion_mnist_cnn_v1".
      version: integer; features of different versions are not comparable.
      checksum: SHA-256 of the weight file, in hexadecimal. Name, version and checksum tell the function from images to
        features: features of real images are kept on disk by them (`export.metrics.real_features`).
      dim: width d of the features.
      num_classes: number of logits K; 0 where there is no classifier.
      test_accuracy: accuracy in [0, 1] on the test images of the classifier's training data; None where unknown.
      chance: share of the commonest class among those test images: the accuracy of always predicting it.
      skill: (test_accuracy - chance) / (1 - chance), at most 1; None where the accuracy is unknown.
      data_shape: (height, width, channels) of the images it takes; None for a free size.
      class_names: tuple of K strings, or None.
      metadata: all of the above except `skill`, and the recipe, as a report records them.
      network: the `small_cnn.SmallCNN`; None for others.
      classify: function from features to logits, where these are a function of the features alone; else None.
    """

    def __init__(self, metadata: dict, forward, network=None, classify=None):
        """Args: metadata, keyed by the attributes; forward, a function from float32 images to (features, logits), or to
        features alone where `classify` is given, a function from float32 [n, dim] to float32 [n, num_classes]."""
        self.metadata = dict(metadata)
        self.name, self.version = metadata["name"], metadata["version"]
        self.checksum, self.dim, self.num_classes = metadata["checksum"], metadata["dim"], metadata["num_classes"]
        self.test_accuracy = metadata.get("test_accuracy")
        # Metadata of older classifiers lacks it: assume classes of equal size.
        self.chance = metadata.get("chance", 1 / self.num_classes if self.num_classes else None)
        self.skill = None
        if self.test_accuracy is not None:
            self.skill = (self.test_accuracy - self.chance) / (1 - self.chance) if self.chance < 1 else 0.0
        self.data_shape = tuple(metadata["data_shape"])
        self.class_names = tuple(metadata["class_names"]) if metadata.get("class_names") else None
        self._forward, self.network, self.classify = forward, network, classify
        self._remembered = []

    def __repr__(self):
        return f"FeatureExtractor({self.name!r}, dim={self.dim}, checksum={self.checksum[:12]}…)"

    def __call__(self, images) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits of one batch.

        An image's features do not depend on the rest of its batch, beyond rounding.

        Args:
          images: [n, H, W, C], uint8 or float32 in [-1, 1].

        Returns:
          (features float32 [n, dim], logits float32 [n, num_classes]).

        Raises:
          RequestError: on images of another shape or outside the range.
        """
        images = self._checked(images)
        if not len(images):
            return np.zeros((0, self.dim), np.float32), np.zeros((0, self.num_classes), np.float32)
        if self.classify is not None:
            features = np.asarray(self._forward(images))
            return features, self.classify(features)
        features, logits = self._forward(images)
        return np.asarray(features), np.asarray(logits)

    def logits_of(self, features, batch_size: int = 256) -> np.ndarray:
        """Logits of features, in the same batches as `extract`; only where `classify` is not None.

        Args:
          features: float32 [N, dim].
          batch_size: as of `extract`.

        Returns:
          float32 [N, num_classes].
        """
        starts = range(0, len(features), batch_size)
        logits = [self.classify(features[start : start + batch_size]) for start in starts]
        return np.concatenate(logits or [np.zeros((0, self.num_classes), np.float32)])

    def remember(self, dataset, split, found):
        """Keeps `real_features.RealFeatures` of a data set's split, for `remembered` to give back."""
        self._remembered.append((dataset, split, found))

    def remembered(self, dataset, split):
        """What was kept of a split of this very data set, or None."""
        return next((found for data, part, found in self._remembered if data is dataset and part == split), None)

    def knows_classes_of(self, dataset) -> bool:
        """Whether its logits are of a data set's classes, as far as can be told: of as many, and not ImageNet's."""
        of_imagenet = self.metadata.get("data") == "ImageNet" and "classifier" not in self.metadata
        return not of_imagenet and self.num_classes == dataset.num_classes

    def stream(self, images, batch_size: int = 256) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Like `extract`, but yields (features, logits) of at most `batch_size` images at a time."""
        for batch in _batches(images):
            for start in range(0, len(batch), batch_size):
                yield self(batch[start : start + batch_size])

    def extract(self, images, batch_size: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits of many images, computed in batches.

        Args:
          images: an array as for `__call__`, or an iterable of such arrays or of (images, labels) pairs.
          batch_size: largest number of images in a forward pass.

        Returns:
          (features float32 [N, dim], logits float32 [N, num_classes]).
        """
        parts = list(self.stream(images, batch_size))
        features = [features for features, _ in parts] or [np.zeros((0, self.dim), np.float32)]
        logits = [logits for _, logits in parts] or [np.zeros((0, self.num_classes), np.float32)]
        return np.concatenate(features), np.concatenate(logits)

    def accuracy(self, images, labels) -> float:
        """Top-1 accuracy in [0, 1]. Args: images as for `extract`; labels int [N]."""
        return float((self.extract(images)[1].argmax(axis=1) == np.asarray(labels)).mean())

    def accepts(self, data_shape) -> bool:
        """Whether it takes images of this shape (height, width, channels)."""
        return len(data_shape) == 3 and all(
            want is None or want == have for want, have in zip(self.data_shape, data_shape)
        )

    def weakness(self) -> str | None:
        """A warning in a sentence or two where `skill` is below 0.5 or the classes are not known, else None."""
        if "no_classes" in self.metadata:
            return self.metadata["no_classes"]
        if "classifier" in self.metadata and self.skill < _WEAK:
            return (
                f"The linear classifier on the features names {self.test_accuracy:.1%} of the test images rightly, "
                f"where naming the commonest class always gets {self.chance:.1%}: what is said of classes says little."
            )
        if self.skill is None or self.skill >= _WEAK:
            return None
        return (
            f"The classifier {self.name} names {self.test_accuracy:.1%} of its test images rightly, where naming the "
            f"commonest class always gets {self.chance:.1%}: what is measured in its features says little."
        )

    def _checked(self, images):
        images = np.asarray(images)
        if images.ndim != 4 or not (self.accepts(images.shape[1:])):
            want = "×".join("any" if size is None else str(size) for size in self.data_shape)
            raise RequestError(f"features {self.name!r}: images have shape {images.shape[1:]}, expected {want}")
        if images.dtype == np.uint8:
            return to_float(images)
        images = images.astype(np.float32, copy=False)
        # Tolerance of 0.001 for the rounding of resizing and decoding. NaN fails the comparison too.
        if images.size and not (images.min() >= -1.001 and images.max() <= 1.001):
            raise RequestError(
                f"features {self.name!r}: images lie in [{images.min():.4g}, {images.max():.4g}], "
                "expected uint8 or float32 in [-1, 1]"
            )
        return images


def shipped() -> list[str]:
    """Names of the classifiers that the package ships."""
    return sorted(path.stem for path in _weights_dir().glob("*.json"))


def available() -> list[str]:
    """All names that `load_features` takes: shipped and cached classifiers, and the networks of other data."""
    cached = sorted(path.stem for path in cache_dir().glob("*.json"))
    return [*shipped(), *cached, efficientnet_lite0.NAME, *inception.NAMES, *dinov2.NAMES]


def cache_dir() -> pathlib.Path:
    """Directory of trained classifiers and of Inception's weights; it need not exist.

    `$TF_GAN_ZOO_CACHE/features`, or `~/.cache/tf-gan-zoo/features` where the variable is not set.
    """
    return cache.folder("features")


def load_features(name: str) -> FeatureExtractor:
    """The extractor with a name from `available()`.

    Raises:
      RequestError: for an unknown name, damaged weights, or weights that are neither found nor downloadable.
    """
    if name == efficientnet_lite0.NAME:
        metadata, forward, classify = efficientnet_lite0.load()
        return FeatureExtractor(metadata, forward, classify=classify)
    if name in dinov2.NAMES:
        return FeatureExtractor(*dinov2.load(name, cache_dir()), classify=dinov2.no_classes)
    if name in inception.NAMES:
        return FeatureExtractor(*inception.load(name, cache_dir()))
    for directory in (_weights_dir(), cache_dir()):
        if name and os.path.basename(name) == name and (directory / f"{name}.json").is_file():
            return _load_classifier(directory, name)
    near = difflib.get_close_matches(str(name), available(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise RequestError(f"features: {name!r} is no extractor{hint}; known: {', '.join(available())}")


def features_for(dataset, name: str | None = None) -> FeatureExtractor:
    """The extractor for an image set: the named one, or an automatic choice.

    The automatic choice is, in this order: a shipped classifier that was trained on the same images, whatever their
    path; for grey images with labels, a classifier trained on the set (some minutes, then cached) if its skill is 0.2
    or more; EfficientNet-Lite0.

    EfficientNet-Lite0 knows ImageNet's classes, DINOv2 none. Where the set has labels, a linear classifier on their
    features, trained on up to 10,000 training images, takes the place of the logits. Where that has a skill below 0.2,
    what needs the set's classes is not measured, and `weakness` says why.

    Args:
      dataset: a `zoo.datasets.Dataset` of images.
      name: as for `load_features`; None or "auto" to choose.

    Returns:
      A `FeatureExtractor` that takes the set's images.

    Raises:
      RequestError: where the named extractor takes another shape, or the data are not images.
    """
    shape = tuple(dataset.data_shape)
    if len(shape) != 3:
        raise RequestError(f"data {dataset.name!r}: shape {shape} is no image; features are for images [H, W, C]")
    if name in (None, "auto"):
        classifier = _shipped_for(dataset)
        if classifier is None and shape[2] == 1 and _has_classes(dataset):
            classifier = train_classifier(dataset)
        if classifier is not None and classifier.skill >= _USELESS:
            return classifier
        name = efficientnet_lite0.NAME
    extractor = load_features(name)
    if not extractor.accepts(shape):
        want = "×".join("any" if size is None else str(size) for size in extractor.data_shape)
        raise RequestError(f"features: {name!r} takes images of {want}, data {dataset.name!r} has {shape}")
    if name in (efficientnet_lite0.NAME, *dinov2.NAMES) and _has_classes(dataset):
        return _with_classes(extractor, dataset)
    return extractor


def classifier_for(dataset) -> FeatureExtractor:
    """A classifier of an image set's classes: shipped and trained on the same images, or trained on the set.

    Args:
      dataset: a labelled `zoo.datasets.Dataset` of images.

    Returns:
      The `FeatureExtractor`, with a `network`.

    Raises:
      RequestError: as of `train_classifier`; or the classifier has a skill below 0.2.
    """
    extractor = _shipped_for(dataset) or train_classifier(dataset)
    if extractor.skill < _USELESS:
        raise RequestError(f"data {dataset.name!r}: {extractor.weakness()}")
    return extractor


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
            extractor = _load_classifier(directory, name)
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
            "chance": _chance(test_labels),
            "checksum": _sha256([building / f"{name}.npz"]),
        }
        _write_json(building / f"{name}.json", metadata)
        metadata["test_accuracy"] = round(_load_classifier(building, name).accuracy(test_images, test_labels), 6)
        _write_json(building / f"{name}.json", metadata)
        # Metadata last: only then is the name listed. Its checksum shows whether the two files belong together.
        for suffix in ("npz", "json"):
            os.replace(building / f"{name}.{suffix}", directory / f"{name}.{suffix}")
    logging.info("%s: %.2f %% of %d test images right", name, 100 * metadata["test_accuracy"], len(test_images))
    return _load_classifier(directory, name)


def _shipped_for(dataset):
    """The shipped classifier that was trained on the same images, or None."""
    print_of_data = fingerprint(dataset)
    for name in shipped():
        if _read_metadata(_weights_dir(), name)["data_fingerprint"] == print_of_data:
            return load_features(name)
    return None


def _has_classes(dataset):
    """Whether there are training images of two classes or more."""
    return bool(dataset.num_classes) and np.count_nonzero(dataset.class_shares()) > 1


def _with_classes(extractor, dataset):
    """The extractor with a linear classifier of the data's classes, trained on its features, in place of its own."""
    from export.metrics import linear_classifier, real_features

    splits = {split: min(most, dataset.num_examples(split)) for split, most in _LINEAR_IMAGES.items()}
    found = {split: real_features.read(extractor, dataset, split, count) for split, count in splits.items() if count}
    (features, labels), (test_features, test_labels) = _training_features(found)
    logging.info("Training a linear classifier on the features of %d images of %s", len(labels), dataset.name)
    classify = linear_classifier.fit(features, labels, dataset.num_classes)
    metadata = extractor.metadata | {
        "num_classes": int(dataset.num_classes),
        "class_names": list(dataset.class_names) if dataset.class_names else None,
        "test_accuracy": round(float((classify(test_features).argmax(axis=1) == test_labels).mean()), 6),
        "chance": _chance(test_labels),
        "test_images": len(test_labels),
        "classifier": {
            "kind": "multinomial logistic regression on the features",
            "data": dataset.name,
            "images": len(labels),
            "penalty": linear_classifier.PENALTY,
        },
    }
    classifying = FeatureExtractor(metadata, extractor._forward, classify=classify)
    if classifying.skill < _USELESS:
        why = f"{classifying.weakness()} Metrics that need classes are left out."
        classifying = FeatureExtractor(
            extractor.metadata | {"no_classes": why}, extractor._forward, classify=extractor.classify
        )
    for split, images in found.items():
        logits = classifying.logits_of(images.features)
        classifying.remember(dataset, split, dataclasses.replace(images, logits=logits))
    return classifying


def _chance(labels):
    """Share of the commonest class."""
    return round(float(np.bincount(labels).max() / len(labels)), 6)


def _training_features(found):
    """((features, labels), (test features, test labels)); without a test split a tenth of the images is held out."""
    train = found["train"]
    if "test" in found:
        return (train.features, train.labels), (found["test"].features, found["test"].labels)
    # They are in random order.
    test = max(1, len(train) // 10)
    return (train.features[test:], train.labels[test:]), (train.features[:test], train.labels[:test])


def _weights_dir():
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


def _batches(images) -> Iterable[np.ndarray]:
    if hasattr(images, "shape"):
        return [np.asarray(images)]
    return (np.asarray(element[0] if isinstance(element, tuple) else element) for element in images)


def _sha256(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_metadata(directory, name):
    path = directory / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RequestError(f"features: {str(path)!r} is damaged, expected the metadata of {name!r}") from None


def _load_classifier(directory, name):
    metadata = _read_metadata(directory, name)
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
