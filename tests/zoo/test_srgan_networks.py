"""Networks of SRGAN, and the resizing that they rest on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from zoo import datasets
from zoo.errors import RequestError
from zoo.noise import Noise
from zoo.resampling import bicubic_matrix, resize
from zoo.super_resolution import HELD, PixelShuffle, Skip, downscale


@pytest.mark.parametrize("size, resized", [((32, 24), (8, 6)), ((7, 8), (28, 32)), ((5, 9), (7, 4))])
def test_bicubic_resizing_is_pillows(size, resized):
    images = np.random.default_rng(0).uniform(-1, 1, [2, *size, 3])
    found = resize(images, *resized)
    assert found.dtype == np.float64 and bicubic_matrix(size[0], resized[0]).shape == (resized[0], size[0])
    for image, small in zip(
        np.moveaxis(images, -1, 1).reshape(6, *size), np.moveaxis(found, -1, 1).reshape(6, *resized)
    ):
        # Pillow computes in float32 between its two passes, of values up to 2.
        pillow = Image.fromarray(image.astype(np.float32)).resize(resized[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_allclose(small, np.asarray(pillow), atol=1e-6)
    of_tensor = resize(tf.constant(images), *resized)
    assert of_tensor.dtype == tf.float64
    np.testing.assert_allclose(of_tensor, found, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(resize(np.ones([1, *size, 1]), *resized), 1.0, rtol=1e-12)


def test_low_resolution_images_stay_in_range():
    # An edge, which the kernel's negative lobes overshoot.
    edge = np.where(np.arange(16) < 7, -1.0, 1.0)[:, None] * np.ones([1, 16, 16, 1])
    assert np.abs(resize(edge, 4, 4)).max() > 1.0
    small = downscale(edge)
    np.testing.assert_array_equal(small, np.clip(resize(edge, 4, 4), -1, 1))
    np.testing.assert_allclose(downscale(tf.constant(edge)), small, rtol=1e-12)


def test_pixel_shuffle_is_a_transposition():
    x = np.random.default_rng(0).normal(size=[2, 3, 5, 12])
    expected = x.reshape(2, 3, 5, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 6, 10, 3)
    layer = PixelShuffle(dtype="float64")
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape((2, 3, 5, 12)) == expected.shape
    assert layer.compute_output_shape((None, None, None, 12)) == (None, None, None, 3)


def test_a_skip_adds_its_input():
    inner = keras.layers.Conv2D(2, 3, padding="same", dtype="float64")
    layer, x = Skip(2, [inner], dtype="float64"), np.random.default_rng(0).normal(size=[2, 3, 4, 2])
    np.testing.assert_allclose(layer(x) - inner(x), x, rtol=1e-12)


def convolutions(network):
    layers = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.Conv2D)]
    return sorted((layer.filters, layer.kernel_size[0], layer.strides[0]) for layer in layers)


def test_the_papers_generator():
    generator = zoo.SRGANGenerator((8, 8, 3))
    # Figure 4: k9n64, 16 blocks of two k3n64 and one more behind them, two k3n256, k9n3; all with stride 1.
    assert convolutions(generator) == sorted([(64, 9, 1), *[(64, 3, 1)] * 33, *[(256, 3, 1)] * 2, (3, 9, 1)])
    activations = [layer for layer in generator._flatten_layers() if isinstance(layer, keras.layers.PReLU)]
    assert [tuple(layer.alpha.shape) for layer in activations] == [(1, 1, 64)] * (1 + 16 + 2)
    norms = [layer for layer in generator._flatten_layers() if type(layer) is zoo.layers.BatchNormalization]
    assert len(norms) == 33


def test_the_papers_critic():
    critic = zoo.SRGANCritic((16, 16, 3))
    expected = [(64 * 2**level, 3, stride) for level in range(4) for stride in (1, 2)]
    assert convolutions(critic) == sorted(expected)
    norms = [layer for layer in critic._flatten_layers() if type(layer) is zoo.layers.BatchNormalization]
    assert len(norms) == 7
    assert critic.trunk.output_shape == (None, 1024) and critic(np.zeros([2, 16, 16, 3])).shape == (2, 1)
    # As in the paper, stride 2 follows stride 1.
    found = [layer.strides[0] for layer in critic.trunk.layers if isinstance(layer, keras.layers.Conv2D)]
    assert found == [1, 2] * 4


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(0)
    return zoo.SRGANGenerator((8, 8, 1), blocks=1, base_filters=4, dtype="float64")


def test_images_of_any_size_are_upscaled(generator):
    rng = np.random.default_rng(0)
    for height, width in ((2, 2), (5, 3), (1, 7)):
        images = rng.uniform(-1, 1, [2, height, width, 1])
        found = generator.upscale(images)
        assert found.shape == (2, 4 * height, 4 * width, 1) and np.abs(found).max() <= 1
        assert found.numpy().min() < 0 < found.numpy().max()
        np.testing.assert_array_equal(generator(np.zeros([2, 1]), low_resolution=images), found)
        np.testing.assert_allclose(generator.upscale(images[1:]), found[1:], rtol=1e-9)


def test_seeds_choose_among_held_out_images(generator):
    data = datasets.load("digits")
    generator.adapt(data)
    test, _ = data.arrays("test", HELD)
    np.testing.assert_allclose(generator.held, downscale(test), atol=1e-6)
    latents = Noise.of_seeds(range(2000)).latents(generator.latent_dim)
    chosen = generator.low_resolution(latents).numpy()
    numbers = [int(np.flatnonzero((image == generator.held.numpy()).all(axis=(1, 2, 3)))[0]) for image in chosen[:100]]
    assert len(set(numbers)) > 60
    np.testing.assert_array_equal(generator(latents[:7]), generator.upscale(chosen[:7]))
    # Each with the same probability: the normal CDF of the latent says which.
    assert abs(np.mean(chosen.mean(axis=(1, 2, 3))) - np.mean(generator.held)) < 0.02


def test_few_images_are_held_repeatedly(generator):
    class Few:
        smallest = None

        def num_examples(self, split):
            return {"train": 3, "test": 0}[split]

        def arrays(self, split, num):
            assert split == "train"
            return np.linspace(-1, 1, 3)[:, None, None, None] * np.ones([3, 8, 8, 1]), None

    generator.adapt(Few())
    np.testing.assert_allclose(np.unique(np.round(generator.held, 9)), [-1, 0, 1], atol=1e-9)


def test_images_smaller_than_those_to_be_made_are_refused(tmp_path):
    for number, side in enumerate((16, 20, 15, 18)):
        Image.new("RGB", (side, 24), (number, 0, 0)).save(tmp_path / f"{number}.png")
    Image.new("RGB", (40, 14)).save(tmp_path / "4.jpg")
    generator = zoo.SRGANGenerator((16, 16, 3), blocks=1, base_filters=4)
    data = datasets.load(f"folder:{tmp_path}", image_size=16)
    with pytest.raises(RequestError, match=r"4\.jpg has a side of 14 pixels; 4x super-resolution to 16 pixels"):
        generator.adapt(data)
    (tmp_path / "4.jpg").unlink()
    with pytest.raises(RequestError, match=r"2\.png has a side of 15 pixels"):
        generator.adapt(datasets.load(f"folder:{tmp_path}", image_size=16))
    (tmp_path / "2.png").unlink()
    generator.adapt(datasets.load(f"folder:{tmp_path}", image_size=16))


@pytest.mark.parametrize(
    "shape, message",
    [
        ((2,), r"\(2,\) are not images"),
        ((30, 30, 3), "30x30 pixels; 4x super-resolution needs sides that are multiples of 4, 8 or more"),
        ((32, 30, 3), "32x30 pixels"),
        ((4, 4, 1), "4x4 pixels"),
        ((8, 8, 2), "2 channels"),
    ],
)
def test_other_data_is_refused(shape, message):
    for network in (zoo.SRGANGenerator, zoo.SRGANCritic):
        with pytest.raises(RequestError, match=f"data_shape: {message}"):
            network(shape)
