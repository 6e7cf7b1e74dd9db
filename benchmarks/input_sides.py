"""Which side images should be resized to for EfficientNet-Lite0: speed, accuracy of a linear classifier, and whether
Fréchet distances rank sets of corrupted images as at 224 pixels.

    python -m benchmarks.input_sides --data=folder:DIR --image_size=32
"""

import io
import time

import numpy as np
from absl import flags
from PIL import Image
from scipy import stats
from scipy.ndimage import gaussian_filter

from export.metrics import efficientnet_lite0, frechet, linear_classifier
from trainers import program
from zoo import datasets
from zoo.pixels import to_float, to_uint8

_SIDES = (224, 128, 96, 64)
_TRAINING, _HELD_OUT, _SET = 2500, 1000, 500

_DATA = flags.DEFINE_string("data", None, "Labelled source of colour images.", required=True)
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 32, "Side to bring the images to.", lower_bound=16)


def corrupted(images, others, labels_of_others):
    """Sets of images, {name: uint8 [n, H, W, 3]}: corruptions of `images`, and of `others` those of fewer classes."""
    rng = np.random.default_rng(0)
    sets = {"none": images}
    for sigma in (4, 16, 64):
        sets[f"noise {sigma}"] = _levels(images + rng.normal(0, sigma, images.shape))
    for sigma in (0.4, 0.7, 1.2):
        sets[f"blur {sigma}"] = _levels(gaussian_filter(images.astype(float), (0, sigma, sigma, 0)))
    for quality in (60, 15, 5):
        sets[f"JPEG {quality}"] = np.stack([_jpeg(image, quality) for image in images])
    for count in (1, 3, 8):
        sets[f"swaps {count}"] = np.stack([_swapped(image, count, rng) for image in images])
    for count in (1, 4, 8):
        kept = others[labels_of_others >= count]
        sets[f"without {count} classes"] = kept[rng.integers(0, len(kept), len(images))]
    return sets


def _levels(values):
    return np.uint8(np.clip(np.rint(values), 0, 255))


def _jpeg(image, quality):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _swapped(image, count, rng):
    """The image with pairs of patches, a quarter of a side, exchanged."""
    image, size = image.copy(), len(image) // 4
    for _ in range(count):
        y, x, v, u = rng.integers(0, len(image) - size, 4)
        patch = image[y : y + size, x : x + size].copy()
        image[y : y + size, x : x + size] = image[v : v + size, u : u + size]
        image[v : v + size, u : u + size] = patch
    return image


def main(argv):
    del argv
    data = datasets.load(_DATA.value, image_size=_IMAGE_SIZE.value, channels=3)
    program.start_tensorflow()
    images, labels = data.arrays("train", _TRAINING)
    test, test_labels = data.arrays("test", _HELD_OUT + 4 * _SET)
    images, test = to_uint8(np.asarray(images)), to_uint8(np.asarray(test))
    held_out, held_out_labels = test[:_HELD_OUT], test_labels[:_HELD_OUT]
    rest = test[_HELD_OUT:]
    sets = corrupted(rest[:_SET], rest[_SET:], test_labels[_HELD_OUT + _SET :])
    _, forward, _ = efficientnet_lite0.load()
    by_side = {}
    for side in _SIDES:

        def features(pixels, side=side):
            return forward(to_float(pixels), side)

        features(images[:256])
        began = time.monotonic()
        of_training = features(images)
        speed = len(images) / (time.monotonic() - began)
        real = features(held_out)
        classify = linear_classifier.fit(of_training, labels, data.num_classes)
        accuracy = (classify(real).argmax(axis=1) == held_out_labels).mean()
        reference = frechet.GaussianStatistics.from_features(real)
        by_side[side] = [
            frechet.frechet_distance(frechet.GaussianStatistics.from_features(features(each)), reference)
            for each in sets.values()
        ]
        rank = stats.spearmanr(by_side[side], by_side[_SIDES[0]]).statistic
        print(f"{side}: {speed:.0f} images/s, accuracy {accuracy:.1%}, rank correlation {rank:.3f}", flush=True)
        print("   " + ", ".join(f"{name} {value:.1f}" for name, value in zip(sets, by_side[side])), flush=True)


if __name__ == "__main__":
    program.run(main)
