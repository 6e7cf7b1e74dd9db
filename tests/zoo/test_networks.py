"""Every family, size and normalisation: shapes, ranges, features, configs, initialisation, refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import RequestError
from zoo.families import FAMILIES, IMAGE_SIZES, NORMALIZATIONS

#: Options that keep a network small.
SMALL = {"dcgan": {"base_filters": 2}, "mlp": {"hidden_units": (6, 5)}, "resnet": {"base_filters": 2}}


def generator(family, shape, **options):
    return FAMILIES[family].generator_class()(shape, latent_dim=3, **{**SMALL[family], **options})


def critic(family, shape, **options):
    return FAMILIES[family].critic_class()(shape, **{**SMALL[family], **options})


def latents(count=4, size=3, scale=1.0):
    return (scale * np.random.default_rng(0).normal(size=(count, size))).astype(np.float32)


def examples(shape, count=4):
    return np.random.default_rng(1).uniform(-1, 1, (count, *shape)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", IMAGE_SIZES)
def test_dcgan_makes_and_reads_images_of_every_size(size, channels):
    shape = (size, size, channels)
    images = generator("dcgan", shape)(latents(), training=True)
    assert images.shape == (4, *shape)
    assert images.dtype == tf.float32
    assert float(tf.reduce_max(tf.abs(images))) <= 1.0
    network = critic("dcgan", shape)
    scores = network(images, training=True)
    assert scores.shape == (4, 1)
    assert scores.dtype == tf.float32
    # The critic halves the map, rounding up, until it is 4×4 (2×2 for 8 pixels), and doubles the channels from 2 on.
    smallest, channels = {8: (2, 4), 16: (4, 4), 28: (4, 8), 32: (4, 8), 64: (4, 16), 128: (4, 32)}[size]
    assert network.features(images).shape == (4, smallest**2 * channels)


@pytest.mark.parametrize("shape", [(1,), (2,), (8, 8, 3)])
def test_mlp_makes_and_reads_examples_of_any_shape(shape):
    points = generator("mlp", shape)(latents(scale=50.0))
    assert points.shape == (4, *shape)
    assert points.dtype == tf.float32
    # Points are unbounded, images are in the data's range.
    assert (float(tf.reduce_max(tf.abs(points))) <= 1.0) == (len(shape) == 3)
    network = critic("mlp", shape)
    assert network(points).shape == (4, 1)
    assert network.features(points).shape == (4, 5)


def test_an_images_generator_can_reach_both_ends_of_the_range():
    for family in SMALL:
        network = generator(family, (8, 8, 1))
        network.set_weights([30.0 * weight for weight in network.get_weights()])
        images = network(latents(64, scale=30.0), training=True).numpy()
        assert images.min() < -0.99
        assert images.max() > 0.99
        assert np.abs(images).max() <= 1.0


@pytest.mark.parametrize("family", SMALL)
@pytest.mark.parametrize("normalization", ["batch", "layer", "none", "spectral"])
def test_features_are_the_layer_before_the_head(family, normalization):
    network = critic(family, (8, 8, 1), normalization=normalization)
    x = examples((8, 8, 1))
    for training in (False, True):
        assert network.features(x, training=training).shape.rank == 2
    features = network.features(x).numpy().astype(np.float64)
    scores = network(x).numpy()
    (dense,) = network.head.layers
    kernel, bias = (dense.layer if normalization == "spectral" else dense).get_weights()
    if normalization == "spectral":
        kernel = kernel / np.linalg.norm(kernel)
    np.testing.assert_allclose(scores, features @ kernel + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", SMALL)
def test_a_critic_gives_as_many_numbers_as_it_is_asked_for(family):
    network = critic(family, (8, 8, 1), output_dim=3)
    assert network(examples((8, 8, 1))).shape == (4, 3)
    assert type(network).from_config(network.get_config()).output_dim == 3


@pytest.mark.parametrize("family", SMALL)
@pytest.mark.parametrize("player", ["generator", "critic"])
@pytest.mark.parametrize("normalization", ["batch", "layer", "none", "spectral"])
def test_config_round_trip_gives_the_same_function(family, player, normalization):
    if player == "generator":
        normalization = {"spectral": "none"}.get(normalization, normalization)
        network, x = generator(family, (8, 8, 1), normalization=normalization), latents()
    else:
        network, x = critic(family, (8, 8, 1), normalization=normalization), examples((8, 8, 1))
    network(x, training=True)  # so that moving statistics are not those of a fresh network
    again = type(network).from_config(network.get_config())
    assert again.get_config() == network.get_config()
    assert not np.array_equal(again(x), network(x))
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(x), network(x))


def test_perceptrons_start_orthogonal_where_asked_and_a_critic_scales_what_it_reads():
    options = {"hidden_units": (6, 6), "orthogonal_gain": 0.8}
    scaled, plain = critic("mlp", (2,), input_scale=0.25, **options), critic("mlp", (2,), **options)
    for network in (generator("mlp", (2,), **options), scaled):
        # QᵀQ = 0.8² I of the smaller side, in float32.
        for kernel in (weight.numpy() for weight in network.weights if weight.shape.rank == 2):
            gram = kernel @ kernel.T if kernel.shape[0] < kernel.shape[1] else kernel.T @ kernel
            np.testing.assert_allclose(gram, 0.64 * np.eye(len(gram)), atol=1e-6)
        assert type(network).from_config(network.get_config()).get_config() == network.get_config()
    plain.set_weights(scaled.get_weights())
    x = examples((2,))
    np.testing.assert_allclose(scaled(x), plain(0.25 * x), rtol=1e-6)


@pytest.mark.parametrize("family", SMALL)
def test_normalisations_differ_and_only_batch_mixes_examples(family):
    x = examples((8, 8, 1))
    changed = x.copy()
    changed[1:] = -changed[1:]
    # Of two channels all may be negative, and the ReLU behind them constant.
    options = {} if family == "mlp" else {"base_filters": 8}
    for normalization in NORMALIZATIONS:
        keras.utils.set_random_seed(0)
        network = critic(family, (8, 8, 1), normalization=normalization, **options)
        network.set_weights([10.0 * w for w in network.get_weights()])  # scores far above rounding
        states = network.get_weights()
        first = network(x, training=True)[0].numpy()
        network.set_weights(states)
        second = network(changed, training=True)[0].numpy()
        mixes = not np.allclose(first, second, rtol=1e-4, atol=1e-6)
        assert mixes == (normalization == "batch"), normalization


def test_dcgan_initialisation_is_the_papers():
    for network in (zoo.DCGANGenerator((32, 32, 3)), zoo.DCGANCritic((32, 32, 3))):
        kernels = [variable.numpy() for variable in network.trainable_variables if "kernel" in variable.path]
        assert len(kernels) == 4
        for kernel in kernels:
            # N(0, 0.02²): four standard errors of the mean and of the deviation.
            assert abs(kernel.mean()) < 4 * 0.02 / np.sqrt(kernel.size)
            assert abs(kernel.std() - 0.02) < 4 * 0.02 / np.sqrt(2 * kernel.size)
        scales = np.concatenate([v.numpy() for v in network.trainable_variables if "gamma" in v.path])
        assert abs(scales.mean() - 1.0) < 4 * 0.02 / np.sqrt(scales.size)
        assert all(np.all(v.numpy() == 0.0) for v in network.trainable_variables if "bias" in v.path)


def test_dcgan_normalises_neither_the_critics_input_nor_the_generators_output():
    kinds = [type(layer).__name__ for layer in zoo.DCGANCritic((32, 32, 1)).trunk.layers]
    assert kinds == ["Conv2D", "LeakyReLU", *["Conv2D", "BatchNormalization", "LeakyReLU"] * 2, "Flatten"]
    kinds = [type(layer).__name__ for layer in zoo.DCGANGenerator((32, 32, 1)).layout.layers]
    hidden = ["BatchNormalization", "ReLU", "Conv2DTranspose"]
    assert kinds == ["Dense", "Reshape", *hidden * 3, "Activation"]


def test_the_generator_of_28_pixels_is_small():
    assert 500_000 < zoo.DCGANGenerator((28, 28, 1)).count_params() < 600_000


@pytest.mark.parametrize("network", ["DCGANGenerator", "DCGANCritic"])
@pytest.mark.parametrize(
    "shape, message",
    [
        ((30, 30, 1), "30x30 pixels; the networks for images make square images of 8, 16, 28, 32, 64, 128"),
        ((32, 28, 1), "32x28 pixels"),
        ((2,), r"\(2,\) are not images"),
    ],
)
def test_dcgan_refuses_shapes_that_it_is_not_laid_out_for(network, shape, message):
    with pytest.raises(RequestError, match=message):
        getattr(zoo, network)(shape)


def test_dcgan_makes_images_of_colours_and_reads_more_channels():
    with pytest.raises(RequestError, match=r"4 channels; the networks for images make 1 \(grey\) or 3 \(RGB\)"):
        zoo.DCGANGenerator((32, 32, 4))
    # A channel more than colours holds a conditional critic's label.
    assert zoo.DCGANCritic((32, 32, 4), base_filters=2)(tf.zeros([2, 32, 32, 4])).shape == (2, 1)


@pytest.mark.parametrize("family", SMALL)
def test_unknown_normalisations_are_refused(family):
    for make in (generator, critic):
        with pytest.raises(RequestError, match="'groups'; expected one of"):
            make(family, (8, 8, 1), normalization="groups")


@pytest.mark.parametrize("family", SMALL)
def test_mixed_precision_computes_in_bfloat16_and_answers_in_float32(family):
    make, read = generator(family, (8, 8, 1), dtype="mixed_bfloat16"), critic(family, (8, 8, 1), dtype="mixed_bfloat16")
    images = make(latents(), training=True)
    assert images.dtype == tf.float32
    assert {variable.dtype for variable in [*make.variables, *read.variables]} <= {"float32", "uint32", "int64"}
    features = read.features(images)
    assert features.dtype == tf.bfloat16
    scores = read(images)
    assert scores.dtype == tf.float32
    # A bfloat16 score would have eight significant bits; these have more.
    assert np.any(scores != tf.cast(tf.cast(scores, tf.bfloat16), tf.float32))
    assert np.any(images != tf.cast(tf.cast(images, tf.bfloat16), tf.float32))


@pytest.mark.parametrize("family", SMALL)
def test_gradients_reach_every_weight(family):
    make, read = generator(family, (8, 8, 1), normalization="batch"), critic(family, (8, 8, 1), normalization="batch")
    with tf.GradientTape(persistent=True) as tape:
        scores = read(make(latents(16), training=True), training=True)
        loss = tf.reduce_sum(scores**2)
    for network in (make, read):
        for variable in network.trainable_variables:
            gradient = tape.gradient(loss, variable.value)
            assert gradient is not None, variable.path
            # A bias in front of a batch normalisation has no effect; every other weight has.
            if "bias" not in variable.path:
                assert float(tf.reduce_max(tf.abs(gradient))) > 0.0, variable.path


def test_a_saved_network_loads_as_itself(tmp_path):
    network = generator("dcgan", (8, 8, 1))
    network.save(tmp_path / "generator.keras")
    again = keras.saving.load_model(tmp_path / "generator.keras")
    assert isinstance(again, zoo.DCGANGenerator)
    np.testing.assert_array_equal(again(latents()), network(latents()))


def test_names_of_the_former_release_lead_to_the_networks_with_a_warning():
    for former in ("MLPDiscriminator", "DCGANDiscriminator", "MixtureDiscriminator"):
        now = former.replace("Discriminator", "Critic")
        with pytest.warns(FutureWarning, match=f"zoo.{former} is called zoo.{now} now"):
            assert getattr(zoo, former) is getattr(zoo, now)
        assert former not in zoo.__all__
