"""Trains a feature extractor for a labelled image set and writes NAME.npz and NAME.json.

These commands trained the classifiers that the package ships, in about two minutes each on two CPU cores:

    python -m export.metrics.train_classifier --data=idx:/usr/share/datasets/fashion-mnist \
        --name=fashion_mnist_cnn_v1 --out=export/metrics/weights
    python -m export.metrics.train_classifier --data=digits --name=digits_cnn_v1 --out=export/metrics/weights

With --feature_maps=FILE.keras the maps of the classifier's last convolution are written too: a network of Keras' own
layers, for a content loss (`trainers.objectives.super_resolution`). Without --name and --out they are those of the
shipped classifier where there is one for the data, and else the classifier goes to the cache, for `export.evaluate
--features=NAME`; an evaluation of grey images takes the same one by itself.
"""

from __future__ import annotations

import shlex
import sys

from absl import flags, logging
from etils import epath

from export.metrics import features, trained_classifiers
from trainers import program
from zoo import datasets
from zoo.errors import RequestError
from zoo.files import check_writable, writing

_DATA = flags.DEFINE_string("data", None, "Labelled image source, as zoo.datasets.load takes.", required=True)
_NAME = flags.DEFINE_string("name", None, "Name of the extractor; from the data where not given.")
_OUT = flags.DEFINE_string("out", None, "Directory for the weights and metadata; the cache where not given.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", None, "Height and width to bring the images to.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", trained_classifiers.TRAINING_STEPS, "Training steps.", lower_bound=1)
# Layer seeds go up to 1000 · (seed + 1) - 1, and Keras takes 32 bits.
_SEED = flags.DEFINE_integer("seed", 0, "Seeds weights, dropout and order.", 0, 2**32 // 1000 - 1)
_MAPS = flags.DEFINE_string("feature_maps", None, "FILE.keras for the maps of the last convolution.")


def main(argv):
    del argv
    if _MAPS.value is not None:
        if not _MAPS.value.endswith(".keras"):
            raise RequestError(f"--feature_maps: {_MAPS.value!r}; expected FILE.keras")
        check_writable(epath.Path(_MAPS.value).expanduser().parent, "--feature_maps")
    logging.set_verbosity(logging.INFO)
    recipe = "python -m export.metrics.train_classifier " + shlex.join(sys.argv[1:])
    dataset = datasets.load(_DATA.value, image_size=_IMAGE_SIZE.value)
    program.start_tensorflow()
    if _MAPS.value is not None and _NAME.value is None and _OUT.value is None:
        extractor = features.classifier_for(dataset)
    else:
        extractor = trained_classifiers.train_classifier(
            dataset, _NAME.value, _OUT.value, steps=_STEPS.value, seed=_SEED.value, recipe=recipe
        )
    if _MAPS.value is not None:
        path = epath.Path(_MAPS.value).expanduser()
        with writing("--feature_maps", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            extractor.network.feature_maps().save(path)
    print(f"{extractor.name}: test accuracy {extractor.test_accuracy:.4f}, SHA-256 {extractor.checksum}")


def run():
    """Console entry point."""
    program.run(main)


if __name__ == "__main__":
    run()
