"""A feature extractor: a network as the feature space in which samples are compared with data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from zoo.errors import RequestError
from zoo.pixels import to_float

#: Least `skill` without a warning; a convention. A skill of 0.5 is an accuracy of 55 % with ten classes of equal size,
#: 75 % with two.
_WEAK = 0.5


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


def _batches(images) -> Iterable[np.ndarray]:
    if hasattr(images, "shape"):
        return [np.asarray(images)]
    return (np.asarray(element[0] if isinstance(element, tuple) else element) for element in images)
