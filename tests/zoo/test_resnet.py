"""Residual networks: a block against NumPy, the paper's tables, what is built of them."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import build as building
from trainers import config as config_checks
from trainers import training
from zoo.resnet import ResidualBlock

#: Channels of the generator's maps, smallest first; channels and sides after the critic's blocks; for 64 base filters.
#: 32 pixels: Miyato et al. 2018, table 4; 128: table 6; 64: the code of Miyato & Koyama 2018.
TABLES = {
    8: ([256] * 2, [128] * 4, [4, 2, 2, 2]),
    16: ([256] * 3, [128] * 4, [8, 4, 4, 4]),
    28: ([256] * 3, [128] * 4, [14, 7, 7, 7]),
    32: ([256] * 4, [128] * 4, [16, 8, 8, 8]),
    64: ([1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024], [32, 16, 8, 4, 2]),
    128: ([1024, 1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024, 1024], [64, 32, 16, 8, 4, 4]),
}


def convolved(x, kernel, bias):
    """Stride 1, zeros around: each kernel position multiplies the shifted image."""
    side = kernel.shape[0]
    wide = np.pad(x, [(0, 0), (side // 2,) * 2, (side // 2,) * 2, (0, 0)])
    height, width = x.shape[1:3]
    shifts = np.ndindex(side, side)
    return bias + sum(wide[:, i : i + height, j : j + width] @ kernel[i, j] for i, j in shifts)


def larger(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def smaller(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def normalised(x, gamma, beta):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def expected(block, x):
    """The block in NumPy, its shortcut in the order of the released code: resampled, then convolved; or the reverse."""

    def behind(x, norm):
        if block.normalization == "batch":
            x = normalised(x, norm.gamma.numpy(), norm.beta.numpy())
        return np.maximum(x, 0)

    def by(layer, x):
        return convolved(x, layer.kernel.numpy(), layer.bias.numpy())

    up = larger if block.resample == "up" else lambda x: x
    down = smaller if block.resample == "down" else lambda x: x
    inner = by(block.first, up(x if block.bare else behind(x, block.first_norm)))
    inner = down(by(block.second, behind(inner, block.second_norm)))
    return inner + (x if block.shortcut is None else down(by(block.shortcut, up(x))))


@pytest.mark.parametrize(
    "options",
    [
        {"filters": 3, "hidden": 5, "resample": "up", "normalization": "batch"},
        {"filters": 4, "hidden": 4, "resample": "up"},
        {"filters": 5, "hidden": 5, "resample": "down", "bare": True, "normalization": "batch"},
        {"filters": 5, "hidden": 4, "resample": "down", "normalization": "batch"},
        {"filters": 5, "hidden": 4},
        {"filters": 4, "hidden": 3, "normalization": "batch"},
    ],
    ids=str,
)
def test_a_block_is_the_papers(options):
    block = ResidualBlock.from_config(ResidualBlock(**options, dtype="float64").get_config())
    x, rng = np.random.default_rng(0).normal(size=(2, 6, 8, 4)), np.random.default_rng(1)
    shape = block(x).shape
    assert bool(block.first_norm.weights) == (block.normalization == "batch" and not block.bare)
    assert (block.shortcut is None) == (options.get("resample") is None and options["filters"] == 4)
    block.set_weights(
        [rng.uniform(0.5, 1.5, weight.shape) - 0.3 * (weight.ndim == 4) for weight in block.get_weights()]
    )
    found = block(x, training=True)
    assert shape == found.shape == block.compute_output_shape(x.shape)
    # Oracle: NumPy, float64 rounding.
    np.testing.assert_allclose(found, expected(block, x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", TABLES)
def test_the_networks_are_the_tables(size):
    channels, filters, sides = TABLES[size]
    maker, reader = (network((size, size, 3), base_filters=64) for network in (zoo.ResNetGenerator, zoo.ResNetCritic))
    start = size // 2 ** (len(channels) - 1)
    blocks = [layer for layer in maker.layout.layers if isinstance(layer, ResidualBlock)]
    assert [block.filters for block in blocks] == channels[1:]
    trunk = reader.trunk.layers[:-2]
    assert [block.output.shape[1:] for block in trunk] == [(n, n, count) for n, count in zip(sides, filters)]
    assert maker.layout.output_shape == (None, size, size, 3)
    # Numbers of weights: convolutions with biases; scales and shifts of batch normalisation; shortcuts that resample or
    # change the channels.
    of_maker = (128 + 1) * start**2 * channels[0] + 2 * channels[-1] + (9 * channels[-1] + 1) * 3
    for a, b in itertools.pairwise(channels):
        of_maker += 2 * a + (9 * a + 1) * b + 2 * b + (9 * b + 1) * b + (a + 1) * b
    of_reader = filters[-1] + 1
    for level, (a, b) in enumerate(zip([3, *filters], filters)):
        hidden = a if level else b
        of_reader += (9 * a + 1) * hidden + (9 * hidden + 1) * b
        of_reader += (a + 1) * b if a != b or level < (2 if size <= 32 else 5) else 0
    for network, count in ((maker, of_maker), (reader, of_reader)):
        assert sum(int(np.prod(variable.shape)) for variable in network.trainable_variables) == count
    if size == 32:
        assert (of_maker, of_reader) == (4_276_739, 1_053_825)


def test_a_critics_features_are_sums_of_what_is_positive_and_a_generators_output_is_bounded():
    critic = zoo.ResNetCritic((8, 8, 1), base_filters=2, normalization="none", dtype="float64")
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 1))
    last = x
    for block in critic.trunk.layers[:-2]:
        last = block(last)
    np.testing.assert_allclose(critic.features(x), np.maximum(last, 0).sum((1, 2)), rtol=1e-12)
    kinds = [type(layer).__name__ for layer in zoo.ResNetGenerator((8, 8, 1), base_filters=1).layout.layers]
    assert kinds == ["Dense", "Reshape", "ResidualBlock", "BatchNormalization", "ReLU", "Conv2D", "Activation"]
    critic = zoo.ResNetCritic((8, 8, 1), base_filters=1)
    assert critic.normalization == "spectral"
    kernels = [each for each in critic._flatten_layers() if isinstance(each, (keras.layers.Conv2D, keras.layers.Dense))]
    wrapped = [each.layer for each in critic._flatten_layers() if isinstance(each, zoo.layers.SpectralNormalization)]
    assert set(map(id, kernels)) == set(map(id, wrapped)) and len(kernels) == 11


def test_initial_kernels_have_the_released_codes_bounds():
    for layer in zoo.ResNetCritic((32, 32, 3), normalization="none")._flatten_layers():
        if isinstance(layer, keras.layers.Conv2D):
            side, _, inputs, outputs = layer.kernel.shape
            bound = np.sqrt(6 / (side**2 * (inputs + outputs))) * (np.sqrt(2) if side == 3 else 1)
            # Uniform: the largest of hundreds of draws is near the bound.
            assert 0.97 * bound < np.abs(layer.kernel).max() <= bound


def test_labels_and_mixtures_compose():
    options, shape, z = {"base_filters": 1, "normalization": "none"}, (8, 8, 1), {"latent_dim": 3}
    make = zoo.ConditionalGenerator(shape, 3, "resnet", {**options, **z}, 2)
    images = make(tf.zeros([4, 4]), label=tf.constant([0, 1, 2, 0]))
    assert images.shape == (4, *shape)
    for told_by in ("projection", "concatenation"):
        read = zoo.ConditionalCritic(shape, 3, "resnet", options, told_by=told_by)
        assert read(images, label=tf.constant([0, 1, 2, 0])).shape == (4, 1)
    mixed = zoo.MixtureGenerator(shape, 2, "resnet", {**options, **z}, shared_layers=2)
    # The projection of the latents and the first block; each component has its ReLU and convolution of its own.
    assert [type(layer).__name__ for layer in mixed.shared.layers][:3] == ["Dense", "Reshape", "ResidualBlock"]
    assert mixed(tf.zeros([4, mixed.latent_dim])).shape == (4, *shape)


@pytest.fixture
def config():
    from configs import digits

    config = digits.get_config()
    config.generator = {"family": "resnet", "latent_dim": 4, "base_filters": 1}
    config.critic = {"family": "resnet", "base_filters": 1, "normalization": "auto"}
    config.train.update(batch_size=8, steps=2, precision="float64")
    for player in ("generator_optimizer", "critic_optimizer"):
        config[player] = {"name": "sgd", "learning_rate": 0.05}
    return config


def test_the_objective_or_else_the_family_decides_the_critics_normalisation(config):
    found = {}
    for objective, family in (("non_saturating", "resnet"), ("wasserstein_gp", "resnet"), ("non_saturating", "dcgan")):
        config.objective, config.critic.family = objective, family
        found[objective, family] = building.resolve(config).critic.normalization
    assert list(found.values()) == ["spectral", "layer", "batch"]


def test_two_replicas_learn_what_one_learns(config, two_replicas):
    # Inside the blocks too the statistics must be those of the global batch.
    config.critic.normalization = "batch"
    found = []
    for strategy in (None, two_replicas):
        run = building.build(config, config_checks.check(config), **({"strategy": strategy} if strategy else {}))
        steps, data = run.model.make_train_function(), iter(training.batches(run, 0))
        steps(data)
        found.append([variable.numpy() for variable in run.model.variables if "float" in variable.dtype])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
