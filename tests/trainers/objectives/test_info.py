"""InfoGAN: the bound and the losses in NumPy, the moves of a step, what may not be asked."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

import zoo
from trainers import build as building
from trainers import objectives
from trainers.techniques.weight_clipping import WeightClipping
from zoo.batch import Batch
from zoo.codes import information
from zoo.datasets import DataSpec
from zoo.errors import RequestError

CATEGORIES, CONTINUOUS, NOISE = (3, 2), 2, 2
RATE = 0.125


def info(make, **options):
    """Linear generator and critic trunk, and a linear recognition network, so that NumPy is short."""
    options = {"categories": CATEGORIES, "continuous": CONTINUOUS, "hidden_units": (), **options}
    return make("info", hidden=(), generator_hidden=(), **options)


def codes(latents):
    """Values of the categorical codes [N, k], continuous codes [N, c], and the inner generator's input."""
    # Compared with their definition in tests/zoo/test_codes.py.
    generator = zoo.CodedGenerator((3,), CATEGORIES, CONTINUOUS, "mlp", {"latent_dim": NOISE}, dtype="float64")
    chosen, values = (code.numpy() for code in generator.codes(tf.constant(latents)))
    one_hot = [np.eye(size)[chosen[:, code]] for code, size in enumerate(CATEGORIES)]
    return chosen, values, np.concatenate([*one_hot, values, latents[:, len(CATEGORIES) + CONTINUOUS :]], axis=1)


def bound(posterior, chosen, values, categories=CATEGORIES, scale=None):
    """L_I of both kinds of codes, means over examples: log Q + H, each density written out by SciPy."""
    continuous, start, of_categorical = values.shape[1], 0, 0.0
    for code, size in enumerate(categories):
        log_q = special.log_softmax(posterior[:, start : start + size], axis=1)
        of_categorical += np.log(size) + log_q[np.arange(len(chosen)), chosen[:, code]].mean()
        start += size
    means = posterior[:, start : start + continuous]
    deviations = np.exp(posterior[:, start + continuous :]) if scale is None else np.full_like(means, scale)
    densities = stats.norm.logpdf(values, means, deviations)
    return of_categorical, (np.log(2.0) + densities).sum(axis=1).mean()


def apply(weights, x):
    return x @ weights[0] + weights[1]


@pytest.mark.parametrize("scale", [None, 0.5])
def test_the_bound_and_its_gradient_in_closed_form(scale, value_and_gradient):
    rng, count = np.random.default_rng(0), 7
    latents = rng.normal(size=(count, 6)).astype(np.float32)
    chosen, values, _ = codes(latents)
    outputs = sum(CATEGORIES) + CONTINUOUS * (2 if scale is None else 1)
    posterior = rng.normal(size=(count, outputs))

    def mean_of(kind):
        def value(parameters):
            return tf.reduce_mean(
                information(parameters, tf.constant(chosen), tf.constant(values), CATEGORIES, scale)[kind]
            )

        return value

    # Oracle: closed forms in NumPy, float64. Softmax: one-hot - Q. Gaussian: (c - μ)/s² for the mean, ((c - μ)/s)² - 1
    # for the logarithm of s.
    q = [special.softmax(posterior[:, :3], axis=1), special.softmax(posterior[:, 3:5], axis=1)]
    of_categorical = np.zeros_like(posterior)
    of_categorical[:, :5] = np.concatenate([np.eye(3)[chosen[:, 0]] - q[0], np.eye(2)[chosen[:, 1]] - q[1]], axis=1)
    deviations = np.exp(posterior[:, 7:]) if scale is None else scale
    errors = (values - posterior[:, 5:7]) / deviations
    of_continuous = np.zeros_like(posterior)
    of_continuous[:, 5:7] = errors / deviations
    if scale is None:
        of_continuous[:, 7:] = errors**2 - 1.0
    expected = bound(posterior, chosen, values, scale=scale)
    for kind, gradient in enumerate((of_categorical, of_continuous)):
        value, (found,) = value_and_gradient(mean_of(kind), [posterior])
        np.testing.assert_allclose(value, expected[kind], rtol=1e-12)
        np.testing.assert_allclose(found, gradient / count, rtol=1e-10, atol=1e-15)


def test_the_bound_is_the_mutual_information_where_q_is_the_posterior():
    # A code of two values, read through a channel that flips it with probability 0.1.
    chosen = np.array([0] * 10 + [1] * 10)[:, None]
    posterior = np.log(np.where(np.arange(2) == chosen, 0.9, 0.1))
    posterior[[9, 19]] = posterior[[9, 19], ::-1]
    found, none = information(tf.constant(posterior), tf.constant(chosen), tf.zeros([20, 0], tf.float64), (2,))
    expected = math.log(2.0) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    np.testing.assert_allclose(tf.reduce_mean(found), expected, rtol=1e-12)
    np.testing.assert_array_equal(none, 0.0)


def losses(generator, critic, recognition, real, latents, weights=(0.7, 0.3), scale=None):
    chosen, values, inputs = codes(latents)
    fake = apply(generator, inputs)
    of_categorical, of_continuous = bound(apply(recognition, fake), chosen, values, scale=scale)
    told = weights[0] * of_categorical + weights[1] * of_continuous
    on_real, on_fake = apply(critic, real), apply(critic, fake)
    of_critic = np.logaddexp(0, -on_real).mean() + np.logaddexp(0, on_fake).mean()
    return of_critic - told, np.logaddexp(0, -on_fake).mean() - told


@pytest.mark.parametrize("scale", [None, 0.5])
def test_losses_and_gradients(scale, make, points, noise_of, weight_gradient, differences, assert_gradients):
    gan, (real, _) = info(make, categorical_weight=0.7, continuous_weight=0.3, scale=scale), points(6)
    latents = np.random.default_rng(5).normal(size=(6, gan.latent_dim)).astype(np.float32)
    assert gan.latent_dim == 2 + 2 + 2
    generator, critic, recognition = (network.get_weights() for network in (gan.generator, gan.critic, gan.recognition))

    def total(kind):
        def loss():
            fake = Batch(gan.generator(tf.constant(latents), training=True), latents=tf.constant(latents))
            return (gan.critic_total_loss, gan.generator_total_loss)[kind](Batch(tf.constant(real)), fake, noise_of(6))

        return loss

    def of_critic(*weights):
        return losses(generator, weights[:2], weights[2:], real, latents, scale=scale)[0]

    def of_generator(*weights):
        return losses(weights, critic, recognition, real, latents, scale=scale)[1]

    # Oracle: NumPy, float64 rounding; gradients by central differences. The critic's player moves the recognition too.
    assert gan.players["critic"].networks == (gan.critic, gan.recognition)
    value, found = weight_gradient(total(0), *gan.players["critic"].networks)
    np.testing.assert_allclose(value, of_critic(*critic, *recognition), rtol=1e-12)
    assert_gradients(found, differences(of_critic, [*critic, *recognition]))
    value, found = weight_gradient(total(1), *gan.players["generator"].networks)
    np.testing.assert_allclose(value, of_generator(*generator), rtol=1e-12)
    assert_gradients(found, differences(of_generator, generator))


def test_the_critics_trunk_learns_from_the_bound(make, points, noise_of, weight_gradient):
    (real, made), noise = points(6), noise_of(6)

    def gradients(weight):
        gan = make("info", categories=(3,), continuous=0, categorical_weight=weight)
        latents = tf.constant(np.random.default_rng(5).normal(size=(6, gan.latent_dim)))
        fake = Batch(tf.constant(made), latents=latents)
        return weight_gradient(
            lambda: gan.critic_total_loss(Batch(tf.constant(real)), fake, noise), gan.critic.trunk, gan.critic.head
        )[1]

    without, told = gradients(0.0), gradients(1.0)
    assert all(np.abs(one - other).max() > 1e-3 for one, other in zip(without[:2], told[:2]))
    for one, other in zip(without[2:], told[2:]):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("scale, outputs", [(None, 3 + 2 + 2 * 2), (0.5, 3 + 2 + 2)])
def test_the_recognition_network_is_in_checkpoints_and_reads_examples(make, scale, outputs):
    gan, x = info(make, scale=scale), np.random.default_rng(0).normal(size=(4, 3))
    assert gan.state()["recognition"] is gan.recognition
    assert gan.posterior(x).shape == (4, outputs)
    np.testing.assert_array_equal(gan.posterior(x), gan.recognition(gan.critic.features(x)))


def test_techniques_constrain_the_critic_and_not_the_recognition_network(make, points):
    gan = info(make, techniques=[WeightClipping(bound=0.01)])
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    gan.train_step((points(6)[0],))
    largest = [
        max(np.abs(weight).max() for weight in network.get_weights()) for network in gan.players["critic"].networks
    ]
    assert largest[0] <= 0.01 < 0.1 < largest[1]


def test_two_replicas_have_the_loss_of_one(make, points, noise_of, assert_replicas_agree):
    latents = np.random.default_rng(5).normal(size=(6, 6))

    def loss(gan, real, latents):
        fake = Batch(gan.generator(latents.x, training=True), latents=latents.x)
        return gan.generator_total_loss(real, fake, noise_of(3))

    assert_replicas_agree(lambda: info(make), loss, "generator", points(6)[0], latents)


def test_the_recognition_network_follows_the_critics_normalisation_but_not_its_tricks():
    for normalization, kept in (
        ("batch", "batch"),
        ("layer", "layer"),
        ("spectral", "none"),
        ("virtual_batch", "none"),
    ):
        critic = zoo.MLPCritic((3,), hidden_units=(7,), normalization=normalization)
        gan = objectives.METHODS.load("info")(zoo.MLPGenerator((3,), latent_dim=2), critic)
        expected = {"hidden_units": (128,), "normalization": kept, "activation": "leaky_relu"}
        assert gan.recognition.network == expected
        assert (gan.recognition.data_shape, gan.recognition.code_dim) == ((7,), 14)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"categories": (0,)}, r"config.objective_options.categories: \(0,\); expected a tuple of whole numbers"),
        ({"categories": 10}, "config.objective_options.categories: 10; expected a tuple of whole numbers"),
        ({"continuous": -1}, "config.objective_options.continuous: -1; expected a whole number"),
        ({"categorical_weight": -1}, "config.objective_options.categorical_weight: -1; expected a number, 0 or more"),
        ({"continuous_weight": -1}, "config.objective_options.continuous_weight: -1; expected a number, 0 or more"),
        ({"scale": 0}, "config.objective_options.scale: 0; expected a number above 0, or none"),
        ({"categories": (), "continuous": 0}, "categories: (), and continuous: 0; expected at least one code"),
    ],
)
def test_wrong_options_are_refused(options, message, make):
    with pytest.raises(RequestError, match="^" + message.replace("(),", r"\(\),")):
        make("info", **options)


def test_networks_that_cannot_have_codes_are_refused(make):
    load = objectives.METHODS.load("info")
    with pytest.raises(
        RequestError, match=r"config.critic.family: codes read off a MLPAutoencoder; use mlp, dcgan or resnet"
    ):
        make("info", critic=zoo.MLPAutoencoder((3,), hidden_units=(4,)))
    critic = zoo.MLPCritic((3,), hidden_units=(4,))
    with pytest.raises(
        RequestError, match=r"config.generator.family: 'gaussian' takes no codes; use mlp, dcgan or resnet"
    ):
        load(zoo.Gaussian((3,)), critic)
    with pytest.raises(
        RequestError, match=r"config.generator.family: codes for a ConditionalGenerator; use mlp, dcgan or resnet"
    ):
        load(zoo.ConditionalGenerator((3,), 2), critic)
    coded = zoo.CodedGenerator((3,), (4,), 1, "mlp", {"latent_dim": 2})
    with pytest.raises(RequestError, match=r"config.objective_options: .*; the generator has .*\(4,\)"):
        load(coded, critic)
    assert load(coded, critic, categories=[4], continuous=1).generator is coded


def test_a_code_has_at_most_as_many_values_as_the_data_has_classes(small_config):
    def built(classes, **options):
        config = small_config("info", {"objective_options": options})
        return building.build(config, spec=DataSpec((2,), classes)).model

    for categories in ((3, 4), [4, 3]):
        with pytest.raises(RequestError, match=r"^config.objective_options.categories: .*4.*; expected at most 3"):
            built(3, categories=categories)
        # As many as there are, and data without labels.
        for classes in (4, None):
            assert tuple(built(classes, categories=categories).categories) == tuple(categories)
    with pytest.raises(RequestError, match=r"categories: \(10,\); expected at most 8 values"):
        built(8)
    assert built(2, categories=()).continuous == 2
