import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export.generators import Generator
from zoo.noise import Noise


def test_a_seed_gives_the_same_pixels_in_any_batch(version):
    generator = Generator.load(version)
    seeds = np.arange(512)
    whole = generator.sample(seeds)
    assert whole.dtype == np.uint8 and whole.shape == (512, 32, 32, 3) and whole.std() > 20
    for size, count in ((1, 6), (3, 12), (8, 64), (64, 256), (100, 300)):
        parts = [generator.sample(seeds[start : start + size]) for start in range(0, count, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[:count])
    np.testing.assert_array_equal(generator.sample(seeds[::-1]), whole[::-1])
    assert generator.sample([]).shape == (0, 32, 32, 3)


def test_pixels_are_the_rounded_output_for_the_seeds_latents(version, sampler):
    # As many as travel together, so that the network rounds alike.
    latents = Noise.of_seeds(np.arange(32)).latents(8)
    expected = np.clip(np.rint((sampler(latents).numpy() + 1) * 127.5), 0, 255)
    np.testing.assert_array_equal(Generator.load(version).sample(np.arange(32)), expected)
    signature = tf.saved_model.load(version).signatures["latents"]
    np.testing.assert_array_equal(signature(seeds=tf.range(32, dtype=tf.int64))["latents"], latents)


def test_png_holds_the_pixels_of_sample(version):
    model = tf.saved_model.load(version)
    seeds = tf.constant([3, 4], tf.int64)
    encoded = model.signatures["png"](seeds=seeds)["png_bytes"].numpy()
    images = [np.asarray(Image.open(io.BytesIO(data))) for data in encoded]
    np.testing.assert_array_equal(images, model.signatures["sample"](seeds=seeds)["images"])


def test_a_seed_decides_the_label_unless_one_is_given(labelled_version, labelled_sampler):
    generator, seeds = Generator.load(labelled_version), np.arange(100)
    labels = generator.labels(seeds)
    expected = labelled_sampler.labels(Noise.of_seeds(seeds).latents(5))
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.int64 and set(labels) == {0, 1, 2}
    drawn = generator.sample(seeds)
    np.testing.assert_array_equal(generator.sample_with_labels(seeds, labels), drawn)
    others = generator.sample_with_labels(seeds, (labels + 1) % 3)
    assert np.all(np.any(others != drawn, axis=(1, 2, 3)))


def test_a_seed_and_a_label_give_the_same_pixels_in_any_batch(labelled_version):
    generator, seeds = Generator.load(labelled_version), np.arange(100)
    labels = seeds % 3
    whole = generator.sample_with_labels(seeds, labels)
    for size in (1, 7, 33):
        parts = [slice(start, start + size) for start in range(0, 100, size)]
        found = np.concatenate([generator.sample_with_labels(seeds[part], labels[part]) for part in parts])
        np.testing.assert_array_equal(found, whole)


def test_all_signatures_with_labels_agree(labelled_version, labelled_sampler):
    model = tf.saved_model.load(labelled_version)
    seeds, labels = tf.range(6, dtype=tf.int64), tf.constant([0, 1, 2, 2, 1, 0], tf.int64)
    drawn = model.signatures["sample_with_labels"](seeds=seeds, labels=labels)["images"]
    latents = model.signatures["latents"](seeds=seeds)["latents"]
    made = model.signatures["generate_with_labels"](latents=latents, labels=labels)["images"]
    np.testing.assert_allclose(made, labelled_sampler(latents, label=labels), rtol=1e-5, atol=1e-6)
    # Another number of rows passes through the network, which may round a pixel to its neighbour level.
    np.testing.assert_allclose(drawn, np.clip(np.rint((made.numpy() + 1) * 127.5), 0, 255), atol=1)
    encoded = model.signatures["png_with_labels"](seeds=seeds, labels=labels)["png_bytes"].numpy()
    images = [np.asarray(Image.open(io.BytesIO(data)))[..., None] for data in encoded]
    np.testing.assert_array_equal(images, drawn)


@pytest.mark.parametrize(
    "seeds, labels, message",
    [
        ([1, 2], [0, 3], r"labels: expected 0 to 2, found\] \[3\]"),
        ([1, 2], [-1, 0], r"labels: expected 0 to 2, found\] \[-1\]"),
        ([1, 2], [0], r"labels: expected\] \[2\] \[found\] \[1\]"),
    ],
)
def test_labels_that_there_are_not_are_refused(labelled_version, seeds, labels, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        Generator.load(labelled_version).sample_with_labels(seeds, labels)


def test_other_generators_have_no_signatures_for_labels(version):
    assert set(tf.saved_model.load(version).signatures) == {"serving_default", "sample", "latents", "png"}
    assert Generator.load(version).labels is None and Generator.load(version).sample_with_labels is None
