"""Fixtures of the objectives' tests: small float64 networks, gradients, and central differences to compare with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import objectives
from zoo.batch import Batch
from zoo.noise import Noise


def _make(name, dim=3, hidden=(5,), generator_hidden=(4,), critic=None, **options):
    keras.utils.set_random_seed(0)
    generator = zoo.MLPGenerator(
        (dim,), latent_dim=2, hidden_units=generator_hidden, activation="tanh", dtype="float64"
    )
    critic = critic or zoo.MLPCritic((dim,), hidden_units=hidden, activation="tanh", dtype="float64")
    gan = objectives.METHODS.load(name)(generator, critic, **options)
    rng = np.random.default_rng(7)
    for network in gan.networks.values():
        # Biases too: networks that start at zero would hide a term.
        network.set_weights([rng.normal(size=weight.shape) for weight in network.get_weights()])
    return gan


@pytest.fixture(scope="session")
def make():
    """The GAN of an objective on points [N, dim], float64, tanh, weights N(0, 1): make(name, hidden=(5,), clip=8.0)."""
    return _make


@pytest.fixture(scope="session")
def points():
    """Real and generated points: points(6) → two float64 arrays [6, 3]."""

    def points(count, dim=3, seed=2):
        return np.random.default_rng(seed).normal(size=(2, count, dim))

    return points


@pytest.fixture(scope="session")
def noise_of():
    """The noise of a step on one replica: noise_of(6)."""
    return lambda count: Noise.of_step(0, tf.constant(4, tf.int64), count)


@pytest.fixture(scope="session")
def value_and_gradient():
    """value_and_gradient(function, arrays) → the value, and the gradients by float64 arrays that it was called with."""

    def value_and_gradient(function, arrays):
        tensors = [tf.constant(array, tf.float64) for array in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        return value.numpy(), [gradient.numpy() for gradient in tape.gradient(value, tensors)]

    return value_and_gradient


@pytest.fixture(scope="session")
def weight_gradient():
    """weight_gradient(function, network) → the value of function(), and its gradients by the network's weights."""

    def weight_gradient(function, *networks):
        variables = [variable.value for network in networks for variable in network.trainable_variables]
        with tf.GradientTape() as tape:
            value = function()
        gradients = tape.gradient(value, variables, unconnected_gradients="zero")
        return value.numpy(), [gradient.numpy() for gradient in gradients]

    return weight_gradient


def _differences(function, arrays, step=1e-5):
    gradients = []
    for position, array in enumerate(arrays):
        gradient = np.empty_like(array)
        for index in np.ndindex(array.shape):
            values = []
            for sign in (1, -1):
                moved = [other.copy() for other in arrays]
                moved[position][index] += sign * step
                values.append(function(*moved))
            gradient[index] = (values[0] - values[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


@pytest.fixture(scope="session")
def differences():
    """Central differences: differences(function, arrays) → a list like `arrays`, good to about 1e-9 of the function."""
    return _differences


@pytest.fixture(scope="session")
def assert_gradients():
    """Asserts gradients equal to central differences: 1e-6 relative, 1e-8 absolute where they are nearly zero."""

    def assert_gradients(found, expected):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)

    return assert_gradients


@pytest.fixture(scope="session")
def assert_replicas_agree(two_replicas):
    """Asserts that loss and gradient are the same over two replicas: assert_replicas_agree(loss, player, *arrays).

    `loss(gan, *batches)` on the whole batch, against the mean over replicas of it on each half, with the mean gradient.
    """

    def assert_replicas_agree(build, loss, player, *arrays):
        def step(gan, *pieces):
            with tf.GradientTape() as tape:
                value = loss(gan, *map(Batch, pieces))
            return value, gan.players[player].gradients(tape, value)

        alone = build()
        value, gradients = step(alone, *map(tf.constant, arrays))
        with two_replicas.scope():
            gan = build()
        for name, network in alone.networks.items():
            getattr(gan, name).set_weights(network.get_weights())

        def piece(context):
            half = len(arrays[0]) // 2
            start = context.replica_id_in_sync_group * half
            return tuple(tf.constant(array[start : start + half]) for array in arrays)

        def values(context):
            return piece(context)

        pieces = two_replicas.experimental_distribute_values_from_function(values)

        @tf.function(autograph=False)
        def together():
            found, mean = two_replicas.run(lambda pieces: step(gan, *pieces), args=(pieces,))
            return two_replicas.reduce("MEAN", found, axis=None), [
                two_replicas.experimental_local_results(g)[0] for g in mean
            ]

        found, mean = together()
        # Float64, sums in another order.
        np.testing.assert_allclose(found, value, rtol=1e-12)
        for one, other in zip(mean, gradients):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)

    return assert_replicas_agree


@pytest.fixture(scope="session")
def penalised_critic():
    """D(x) = w·tanh(xK + b) + c in NumPy: penalised_critic(weights, x) → scores [N], squared gradient norms [N]."""

    def penalised_critic(weights, x):
        kernel, bias, head, offset = weights
        hidden = np.tanh(x @ kernel + bias)
        slopes = ((1.0 - hidden**2) * head[:, 0]) @ kernel.T
        return (hidden @ head + offset)[:, 0], (slopes**2).sum(axis=1)

    return penalised_critic
