"""Feature extractors: shipped classifiers, classifiers trained on demand, and Inception weights that are missing."""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from export.metrics import features, inception, trained_classifiers
from export.metrics.feature_extractor import FeatureExtractor
from zoo import datasets
from zoo.datasets.arrays import ArrayDataset
from zoo.errors import RequestError

_ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def extractor():
    return features.load_features("digits_cnn_v1")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, empty; and no home directory to find weights in."""
    monkeypatch.setenv("TF_GAN_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "cache" / "features"


class _SmallSet:
    """Two classes of 8×8 images, bright above or bright below: what `train_classifier` asks of a data set."""

    name, data_shape, class_names = "halves", (8, 8, 1), ("above", "below")

    def __init__(self, labelled=True, test=41):
        self.num_classes = 2 if labelled else None
        self._sizes = {"train": 200, "test": test}

    def num_examples(self, split):
        return self._sizes[split]

    def arrays(self, split, num=None):
        rng = np.random.default_rng(len(split))
        labels = np.arange(self._sizes[split]) % 2
        images = rng.uniform(-1.0, 0.0, (len(labels), 8, 8, 1)).astype(np.float32)
        for image, label in zip(images, labels):
            image[4 * label : 4 * label + 4] += 0.9
        return images[:num], labels[:num] if self.num_classes else None

    def class_shares(self):
        return np.array([0.5, 0.5])


def test_shipped_metadata_and_weights_belong_together():
    assert {"digits_cnn_v1", "fashion_mnist_cnn_v1"} <= set(trained_classifiers.shipped())
    for name in trained_classifiers.shipped():
        weights = pathlib.Path(features.__file__).parent / "weights" / f"{name}.npz"
        metadata = json.loads(weights.with_suffix(".json").read_text())
        assert hashlib.sha256(weights.read_bytes()).hexdigest() == metadata["checksum"]
        assert weights.stat().st_size < 2e6
        assert metadata["recipe"].startswith("python -m export.metrics.train_classifier --data=")
        loaded = features.load_features(name)
        assert (loaded.name, loaded.version, loaded.checksum) == (name, 1, metadata["checksum"])
        assert (loaded.dim, loaded.num_classes) == (128, 10)
        assert loaded.test_accuracy > 0.9


def test_shipped_digits_classifier_reaches_its_accuracy(digits, extractor):
    assert extractor.test_accuracy >= 0.97
    # One percent of 304 images is three images: tolerance for another machine's rounding.
    assert extractor.accuracy(*digits.arrays("test")) >= extractor.test_accuracy - 0.01


def test_features_do_not_depend_on_the_batch(digits, extractor):
    images, _ = digits.arrays("test")
    together, logits = extractor.extract(images)
    assert together.dtype == logits.dtype == np.float32
    assert together.shape == (len(images), 128) and logits.shape == (len(images), 10)
    for split in (extractor.extract(images, batch_size=37), extractor.extract([images[:5], (images[5:], None)])):
        # float32 sums in another order, over some hundred terms.
        np.testing.assert_allclose(split[0], together, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(split[1], logits, rtol=1e-4, atol=1e-4)
    assert sum(len(part) for part, _ in extractor.stream(images, 100)) == len(images)
    assert extractor.extract([])[0].shape == (0, 128)


def test_bytes_and_floats_give_the_same_features(extractor):
    levels = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), np.uint8)
    floats = levels * np.float32(1 / 127.5) - np.float32(1.0)
    np.testing.assert_array_equal(extractor(levels)[0], extractor(floats)[0])


def test_wrong_images_are_refused(extractor):
    with pytest.raises(RequestError, match=r"\(28, 28, 1\), expected 8×8×1"):
        extractor(np.zeros((2, 28, 28, 1), np.float32))
    with pytest.raises(RequestError, match=r"lie in \[0, 255\], expected uint8 or float32 in \[-1, 1\]"):
        extractor(np.linspace(0.0, 255.0, 64, dtype=np.float32).reshape(1, 8, 8, 1))
    with pytest.raises(RequestError, match="nan"):
        extractor(np.full((1, 8, 8, 1), np.nan, np.float32))


def test_data_are_recognised_by_their_images(digits):
    assert features.features_for(digits).name == "digits_cnn_v1"
    assert features.features_for(digits, "auto").name == "digits_cnn_v1"
    metadata = features.features_for(digits).metadata
    assert (
        metadata["data_fingerprint"]
        == trained_classifiers.fingerprint(digits)
        != trained_classifiers.fingerprint(_SmallSet())
    )


def test_named_features_must_take_the_images(digits):
    with pytest.raises(
        RequestError, match=r"'fashion_mnist_cnn_v1' takes images of 28×28×1, data 'digits' has \(8, 8, 1\)"
    ):
        features.features_for(digits, "fashion_mnist_cnn_v1")


def test_unknown_names_are_refused():
    with pytest.raises(RequestError, match=r"did you mean 'digits_cnn_v1'.*inception_v3_tfgan"):
        features.load_features("digit_cnn_v1")
    for name in ("", "../weights/digits_cnn_v1"):
        with pytest.raises(RequestError, match="is no extractor"):
            features.load_features(name)


def test_a_labelled_set_is_learnt_once_and_cached(cache, monkeypatch):
    first = trained_classifiers.train_classifier(_SmallSet(), steps=30)
    assert first.test_accuracy > 0.95
    assert first.class_names == ("above", "below")
    assert first.chance == round(21 / 41, 6) and first.skill > 0.9 and first.weakness() is None
    assert sorted(path.name for path in cache.iterdir()) == [f"{first.name}.json", f"{first.name}.npz"]

    from export.metrics import small_cnn

    def no_training(*args, **kwargs):
        raise AssertionError("trained although cached")

    fit = small_cnn.fit
    monkeypatch.setattr(small_cnn, "fit", no_training)
    again = trained_classifiers.train_classifier(_SmallSet(), steps=30)
    assert again.checksum == first.checksum
    assert features.load_features(first.name).checksum == first.checksum

    # A damaged file is noticed by its checksum, and replaced.
    (cache / f"{first.name}.npz").write_bytes(b"damaged")
    with pytest.raises(RequestError, match="expected " + first.checksum):
        features.load_features(first.name)
    monkeypatch.setattr(small_cnn, "fit", fit)
    assert (
        trained_classifiers.train_classifier(_SmallSet(), steps=30).checksum == first.checksum
    )  # and training repeats


def test_without_a_test_split_some_training_images_are_kept_back():
    images, labels, test_images, test_labels = trained_classifiers._training_arrays(_SmallSet(test=0), seed=0)
    assert images.shape == (180, 8, 8, 1) and test_images.shape == (20, 8, 8, 1)
    assert images.dtype == test_images.dtype == np.uint8
    # Each image once, with its own label, which its brightness encodes.
    assert len(np.unique(np.concatenate([images, test_images]), axis=0)) == 200
    for some_images, some_labels in ((images, labels), (test_images, test_labels)):
        above, below = some_images[:, :4].mean(axis=(1, 2, 3)), some_images[:, 4:].mean(axis=(1, 2, 3))
        np.testing.assert_array_equal(some_labels, below > above)


def test_a_set_larger_than_memory_allows_is_sampled(digits, monkeypatch):
    monkeypatch.setattr(trained_classifiers, "_TRAINING_BYTES", 64 * 600)
    images, labels, test_images, _ = trained_classifiers._training_arrays(digits, seed=0)
    assert len(images) == len(labels) == 512 and len(test_images) == 304
    assert len(np.unique(labels)) == 10
    accuracy = features.load_features("digits_cnn_v1").accuracy(images, labels)
    assert accuracy > 0.95  # images and labels still belong together


def test_a_directory_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        trained_classifiers.train_classifier(_SmallSet(), directory=tmp_path / "file" / "below", steps=5)


def test_without_inception_its_place_is_named(monkeypatch):
    def no_network(*args, **kwargs):
        raise Exception("URL fetch failure")

    import keras

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    with pytest.raises(RequestError, match=r"no weights at .*inception_v3_weights.*\.h5.*put https://") as caught:
        features.load_features("inception_v3")
    assert "\n" not in str(caught.value)


def test_images_without_labels_are_seen_by_efficientnet():
    found = features.features_for(_SmallSet(labelled=False))
    assert (found.name, found.dim, found.num_classes, found.test_accuracy) == ("efficientnet_lite0", 1280, 1000, None)
    assert found.weakness() is None and not found.knows_classes_of(_SmallSet())
    # ImageNet's classes are not those of other data of a thousand.
    assert not found.knows_classes_of(datasets.DataSpec((8, 8, 3), 1000))
    with pytest.raises(RequestError, match="needs labelled images"):
        trained_classifiers.train_classifier(_SmallSet(labelled=False))


class _OneClass(_SmallSet):
    def arrays(self, split, num=None):
        images, labels = super().arrays(split, num)
        return images, 0 * labels

    def class_shares(self):
        return np.array([1.0, 0.0])


def test_one_class_alone_trains_nothing(monkeypatch):
    from export.metrics import linear_classifier, small_cnn

    monkeypatch.setattr(small_cnn, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    monkeypatch.setattr(linear_classifier, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    found = features.features_for(_OneClass())
    assert found.name == "efficientnet_lite0" and not found.knows_classes_of(_OneClass())
    with pytest.raises(RequestError, match="'halves': one class alone gives nothing to train a classifier on"):
        features.classifier_for(_OneClass())


def coloured(of_images, test=40):
    """120 training and some test images of 8×8 colour pixels: red above and blue below, or the other way round.

    Args:
        of_images: function of (labels, generator) → the labels that the images show.
    """
    rng, data = np.random.default_rng(0), {}
    for split, count in (("train", 120), ("test", test)):
        labels = np.arange(count) % 2
        x = rng.integers(0, 60, (count, 8, 8, 3))
        for image, shown in zip(x, of_images(labels, rng)):
            image[:4, :, 2 * shown] += 180
            image[4:, :, 2 - 2 * shown] += 180
        data[split] = np.uint8(x), labels
    return ArrayDataset("coloured", data, num_classes=2, class_names=("red", "blue"))


def test_colour_images_with_labels_have_a_linear_classifier(monkeypatch):
    monkeypatch.setattr(features, "train_classifier", lambda *args: pytest.fail("trained a network"))
    data = coloured(lambda labels, rng: labels)
    found = features.features_for(data)
    assert (found.name, found.version, found.dim) == ("efficientnet_lite0", 1, 1280)
    assert found.checksum == features.load_features("efficientnet_lite0").checksum
    assert found.knows_classes_of(data) and found.class_names == ("red", "blue") and found.weakness() is None
    images, labels = data.arrays("test")
    # What it says of itself is what it does, and is more than the commonest class.
    assert found.test_accuracy == pytest.approx(found.accuracy(images, labels), abs=1e-6) and found.test_accuracy > 0.95
    assert found.chance == 0.5 and found.metadata["test_images"] == 40
    assert found.metadata["classifier"]["images"] == 120 and found.metadata["classifier"]["data"] == "coloured"
    # Features are the network's own; the training images are not read again.
    np.testing.assert_array_equal(found(images)[0], features.load_features("efficientnet_lite0")(images)[0])
    for split in ("train", "test"):
        kept = found.remembered(data, split)
        np.testing.assert_array_equal(kept.logits, found.logits_of(kept.features))
    # By its name too, and where there are no test images on a tenth of the others.
    few = features.features_for(coloured(lambda labels, rng: labels, test=0), "efficientnet_lite0")
    assert few.metadata["test_images"] == 12 and few.metadata["classifier"]["images"] == 108
    assert few.test_accuracy > 0.9


def test_classes_that_cannot_be_told_are_left_out():
    data = coloured(lambda labels, rng: rng.integers(0, 2, len(labels)))
    found = features.features_for(data)
    assert not found.knows_classes_of(data) and found.test_accuracy is None and found.num_classes == 1000
    assert re.match(r"The linear classifier .* names \d+\.\d% .* always gets 50\.0%: .* left out", found.weakness())
    assert found.metadata["no_classes"] == found.weakness()


@pytest.mark.parametrize(("accuracy", "chance", "verdict"), [(0.58, 0.5, "refused"), (0.3, 0.1, "warned of"),
                                                             (0.7, 0.1, "good"), (1.0, 1.0, "refused")])  # fmt: skip
def test_a_classifier_is_held_against_chance(extractor, monkeypatch, accuracy, chance, verdict):
    trained = FeatureExtractor({**extractor.metadata, "test_accuracy": accuracy, "chance": chance}, None)
    monkeypatch.setattr(features, "train_classifier", lambda dataset: trained)
    if verdict == "refused":
        monkeypatch.setattr(features, "_with_classes", lambda extractor, dataset: (extractor.name, dataset.name))
        assert features.features_for(_SmallSet()) == ("efficientnet_lite0", "halves")
        with pytest.raises(RequestError, match=rf"'halves': .* {accuracy:.1%} of its test images .* {chance:.1%}: "):
            features.classifier_for(_SmallSet())
    else:
        assert features.classifier_for(_SmallSet()) is trained
        assert features.features_for(_SmallSet()) is trained
        assert (trained.weakness() is None) == (verdict == "good")


def test_inception_is_downloaded_and_read_from_where_it_is_put(cache, tmp_path, monkeypatch, digits):
    import keras

    # Random weights in Keras' format and under its file name, from a file:// URL, because there may be no network.
    keras.applications.InceptionV3(weights=None, classifier_activation=None).save(tmp_path / inception.KERAS_WEIGHTS)
    content = (tmp_path / inception.KERAS_WEIGHTS).read_bytes()
    monkeypatch.setattr(inception, "KERAS_URL", (tmp_path / inception.KERAS_WEIGHTS).as_uri())
    monkeypatch.setattr(inception, "KERAS_MD5", hashlib.md5(content).hexdigest())
    downloaded = features.load_features("inception_v3")
    assert downloaded.name == "inception_v3" and downloaded.checksum == hashlib.sha256(content).hexdigest()
    assert (cache / inception.KERAS_WEIGHTS).read_bytes() == content
    found, logits = downloaded(digits.arrays("test", 2)[0])
    assert found.shape == (2, 2048) and logits.shape == (2, 1000)
    # Downloaded once: an existing file is used as it is.
    monkeypatch.setattr(inception, "KERAS_URL", "file:///no/such/file")
    monkeypatch.setattr(keras.applications, "InceptionV3", lambda weights, **options: pytest.fail(weights))
    with pytest.raises(pytest.fail.Exception, match=str(cache / inception.KERAS_WEIGHTS)):
        features.load_features("inception_v3")


def test_damaged_inception_weights_are_refused(cache):
    cache.mkdir(parents=True)
    (cache / inception.KERAS_WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(RequestError, match="holds other weights") as caught:
        features.load_features("inception_v3")
    assert "\n" not in str(caught.value)


def test_tfgan_module_is_taken_from_the_cache(cache, digits):
    import tensorflow as tf

    class Module(tf.Module):
        """The outputs of TF-GAN's module, from means instead of a network."""

        @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3), tf.float32)])
        def __call__(self, images):
            means = tf.reduce_mean(images, axis=(1, 2))
            return {"pool_3": tf.tile(means, (1, 4))[:, None, None, :], "logits": means}

    cache.mkdir(parents=True)
    tf.saved_model.save(Module(), str(cache / "inception_v3_tfgan"))
    loaded = features.load_features("inception_v3_tfgan")
    images, _ = digits.arrays("test", 3)
    found, logits = loaded(images)
    assert (loaded.dim, loaded.num_classes, logits.shape) == (12, 3, (3, 3))
    # Resizing 8 to 299 weighs the border pixels a little differently.
    np.testing.assert_allclose(found, np.repeat(images.mean(axis=(1, 2)), 12, axis=1), atol=0.02)
    # Of larger images no pixel is passed over: without antialiasing every third would be seen, white.
    stripes = np.tile(np.float32([-1, 1, -1]), 299)[None, :, None, None] * np.ones((1, 1, 897, 3), np.float32)
    assert loaded.version == 2
    np.testing.assert_allclose(loaded(stripes)[0], -1 / 3, atol=0.01)

    shutil.rmtree(cache / "inception_v3_tfgan")
    import tensorflow_hub

    def no_network(handle):
        raise OSError(f"cannot reach {handle}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensorflow_hub, "resolve", no_network)
        with pytest.raises(RequestError, match=r"no SavedModel at .* unpack"):
            features.load_features("inception_v3_tfgan")


def test_metrics_are_imported_without_tensorflow():
    modules = [
        "classifier_score",
        "convert_efficientnet_lite0",
        "dinov2",
        "efficientnet_lite0",
        "features",
        "frechet",
        "inception",
        "intervals",
        "kernel",
        "linear_classifier",
        "precision_recall",
        "real_features",
        "tfgan",
        "torch_state_dict",
        "toy",
    ]
    code = "import sys\n" + "".join(f"import export.metrics.{module}\n" for module in modules)
    code += "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=False).returncode == 0


def test_the_program_trains_and_records_how(tmp_path):
    arguments = ["--data=digits", "--name=some_v1", f"--out={tmp_path / 'out'}", "--steps=20"]
    command = [sys.executable, "-m", "export.metrics.train_classifier", *arguments]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    metadata = json.loads((tmp_path / "out" / "some_v1.json").read_text())
    assert metadata["recipe"] == "python -m export.metrics.train_classifier " + " ".join(arguments)
    assert f"test accuracy {metadata['test_accuracy']:.4f}" in result.stdout
    # Only this package's log lines, without those that TensorFlow's libraries print on loading.
    assert result.stderr and all(
        re.match(r"I\d{4} \S+ \d+ (trained_classifiers|progress)\.py:", line) for line in result.stderr.splitlines()
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["some_v1.json", "some_v1.npz"]


def test_the_program_answers_a_wrong_source_with_one_line():
    command = [sys.executable, "-m", "export.metrics.train_classifier", "--data=idx:/no/such/directory"]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "/no/such/directory" in result.stderr and len(result.stderr.strip().splitlines()) == 1
