import io

import numpy as np
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
