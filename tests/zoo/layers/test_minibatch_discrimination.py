"""Minibatch discrimination against the survey's formula, pair by pair in NumPy, float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import RequestError
from zoo.layers import MinibatchDiscrimination

KERNELS, SIZE = 3, 2


def layer_and(features, dtype="float64"):
    layer = MinibatchDiscrimination(KERNELS, SIZE, dtype=dtype)
    layer.build((None, features))
    layer.kernel.assign(np.random.default_rng(1).normal(size=(features, KERNELS * SIZE)) * 0.5)
    return layer, layer.kernel.numpy().reshape(features, KERNELS, SIZE)


def formula(f, tensor):
    """o(x_i)_b = Σ_j exp(-‖M_{i,b} - M_{j,b}‖₁) by three loops, behind f(x_i)."""
    m = np.einsum("na,abc->nbc", f, tensor)
    closeness = np.zeros((len(f), KERNELS))
    for i in range(len(f)):
        for j in range(len(f)):
            for b in range(KERNELS):
                closeness[i, b] += np.exp(-np.abs(m[i, b] - m[j, b]).sum())
    return np.concatenate([f, closeness], axis=1)


def test_values_are_the_formula():
    f = np.random.default_rng(0).normal(size=(5, 4))
    layer, tensor = layer_and(4)
    np.testing.assert_allclose(layer(f), formula(f, tensor), rtol=1e-12)
    assert layer(f).shape == layer.compute_output_shape((5, 4)) == (5, 4 + KERNELS)


def test_gradients_are_those_of_differences():
    f = np.random.default_rng(0).normal(size=(4, 3))
    upstream = np.random.default_rng(2).normal(size=(4, 3 + KERNELS))
    layer, tensor = layer_and(3)
    with tf.GradientTape() as tape:
        point = tf.constant(f)
        tape.watch(point)
        loss = tf.reduce_sum(layer(point) * upstream)
    found = tape.gradient(loss, [point, layer.kernel.value])
    for position, array in enumerate([f, tensor]):
        expected = np.empty_like(array)
        for index in np.ndindex(array.shape):
            values = []
            for step in (1e-6, -1e-6):
                arrays = [f.copy(), tensor.copy()]
                arrays[position][index] += step
                values.append((formula(*arrays) * upstream).sum())
            expected[index] = (values[0] - values[1]) / 2e-6
        # Central differences at 1e-6 of numbers of order ten: 1e-9 of rounding.
        np.testing.assert_allclose(np.reshape(found[position], array.shape), expected, rtol=1e-6, atol=1e-8)


def test_equal_examples_see_the_whole_batch_and_far_ones_only_themselves():
    layer, _ = layer_and(4)
    np.testing.assert_allclose(layer(np.ones((6, 4)))[:, 4:], 6.0)
    np.testing.assert_allclose(layer(1e3 * np.eye(4))[:, 4:], 1.0)


def test_two_replicas_compare_the_global_batch_and_differentiate_twice(two_replicas):
    f, upstream = np.random.default_rng(0).normal(size=(2, 6, 4))
    with two_replicas.scope():
        layer, tensor = layer_and(4)

    def step(piece, weights):
        # The gradient of a squared gradient norm, as a penalty or a consensus step takes it, is the second order.
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = tf.reduce_sum(tf.square(layer(piece))[:, :4] * weights) + tf.reduce_sum(layer(piece)[:, 4:] ** 3)
            gradient = inner.gradient(loss, layer.kernel.value)
            context = tf.distribute.get_replica_context()
            if context.num_replicas_in_sync > 1:
                gradient = context.all_reduce("SUM", gradient)
            energy = tf.reduce_sum(tf.square(gradient)) / context.num_replicas_in_sync
        second = outer.gradient(energy, layer.kernel.value)
        return layer(piece), gradient, context.all_reduce("SUM", second) if context.num_replicas_in_sync > 1 else second

    def pieces(array):
        halves = np.split(array, 2)
        return two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(halves[context.replica_id_in_sync_group])
        )

    run = tf.function(lambda *batch: two_replicas.run(step, args=batch), autograph=False)
    outputs, gradients, seconds = (two_replicas.experimental_local_results(v) for v in run(pieces(f), pieces(upstream)))
    np.testing.assert_allclose(np.concatenate(outputs), formula(f, tensor), rtol=1e-12)
    alone, _ = layer_and(4)
    layer = alone
    _, gradient, second = step(tf.constant(f), tf.constant(upstream))
    np.testing.assert_allclose(gradients[0], gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(seconds[0], second, rtol=1e-10, atol=1e-12)
    assert np.abs(second).max() > 1


def test_a_batch_of_one_is_refused():
    layer, _ = layer_and(4)
    with pytest.raises(RequestError, match="a batch of one example; expected two or more"):
        layer(np.ones((1, 4)))


@pytest.mark.parametrize("family", ["MLPCritic", "DCGANCritic"])
def test_a_critic_has_it_between_its_features_and_its_score(family):
    keras.utils.set_random_seed(0)
    options = {"normalization": "layer", "minibatch_discrimination": 3, "dtype": "float64"}
    critic = getattr(zoo, family)((8, 8, 1), **options)
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1))
    features = critic.features(x).numpy()
    tensor, kernel, bias = critic.head.get_weights()
    m = (features @ tensor).reshape(4, 3, 5)
    closeness = np.exp(-np.abs(m[:, None] - m[None]).sum(-1)).sum(1)
    expected = np.concatenate([features, closeness], 1) @ kernel + bias
    np.testing.assert_allclose(critic(x), expected, rtol=1e-10, atol=1e-12)
    again = type(critic).from_config(critic.get_config())
    again.set_weights(critic.get_weights())
    np.testing.assert_array_equal(again(x), critic(x))
    plain = getattr(zoo, family)((8, 8, 1), normalization="layer")
    assert len(plain.head.weights) == 2


def test_xla_gives_the_same():
    f = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    layer, _ = layer_and(4, "float32")
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(f), layer(f), rtol=1e-5)


def test_config_round_trip():
    layer = MinibatchDiscrimination.from_config(MinibatchDiscrimination(7, kernel_size=2).get_config())
    assert (layer.kernels, layer.kernel_size) == (7, 2)
