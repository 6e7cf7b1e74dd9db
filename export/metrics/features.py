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
import os

import numpy as np
from absl import logging

from export.metrics import dinov2, efficientnet_lite0, inception
from export.metrics.feature_extractor import FeatureExtractor
from export.metrics.trained_classifiers import (
    cache_dir,
    chance,
    fingerprint,
    load_classifier,
    read_metadata,
    shipped,
    train_classifier,
    weights_dir,
)
from zoo.errors import RequestError

# Least `skill`, below which a trained classifier is refused as feature space; a convention.
_USELESS = 0.2
# Most images that the linear classifier on an extractor's features is trained and tested on.
_LINEAR_IMAGES = {"train": 10_000, "test": 2_000}


def available() -> list[str]:
    """All names that `load_features` takes: shipped and cached classifiers, and the networks of other data."""
    cached = sorted(path.stem for path in cache_dir().glob("*.json"))
    return [*shipped(), *cached, efficientnet_lite0.NAME, *inception.NAMES, *dinov2.NAMES]


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
    for directory in (weights_dir(), cache_dir()):
        if name and os.path.basename(name) == name and (directory / f"{name}.json").is_file():
            return load_classifier(directory, name)
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


def _shipped_for(dataset):
    """The shipped classifier that was trained on the same images, or None."""
    print_of_data = fingerprint(dataset)
    for name in shipped():
        if read_metadata(weights_dir(), name)["data_fingerprint"] == print_of_data:
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
        "chance": chance(test_labels),
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


def _training_features(found):
    """((features, labels), (test features, test labels)); without a test split a tenth of the images is held out."""
    train = found["train"]
    if "test" in found:
        return (train.features, train.labels), (found["test"].features, found["test"].labels)
    # They are in random order.
    test = max(1, len(train) // 10)
    return (train.features[test:], train.labels[test:]), (train.features[:test], train.labels[:test])
