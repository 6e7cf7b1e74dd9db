"""Batch normalisation against its formula in NumPy, Keras' layer, and itself on two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import RequestError
from zoo.layers import BatchNormalization, linear, normalization_layers, score_head

EPSILON, MOMENTUM = 1e-5, 0.9


def layer_for(x, dtype="float32", seed=0):
    """A built layer with scales and shifts that are neither ones nor zeros."""
    layer = BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype=dtype)
    layer.build(x.shape)
    rng = np.random.default_rng(seed)
    layer.gamma.assign(rng.uniform(0.5, 2.0, x.shape[-1]))
    layer.beta.assign(rng.normal(size=x.shape[-1]))
    return layer


def inputs(shape, dtype=np.float32, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) * rng.uniform(0.5, 3.0, shape[-1]) + rng.normal(size=shape[-1])).astype(dtype)


def formula(x, gamma, beta, upstream):
    """Outputs, moments, and the gradients of sum(outputs · upstream), in float64: Ioffe & Szegedy 2015, section 3."""
    x, upstream = x.astype(np.float64), upstream.astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    deviation = np.sqrt(variance + EPSILON)
    normal = (x - mean) / deviation
    count = x.size // x.shape[-1]
    d_gamma, d_beta = (upstream * normal).sum(axes), upstream.sum(axes)
    d_x = gamma / deviation * (upstream - d_beta / count - normal * d_gamma / count)
    return normal * gamma + beta, mean, variance, d_x, d_gamma, d_beta


@pytest.mark.parametrize("shape", [(12, 5), (6, 4, 4, 3)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_training_values_gradients_and_moving_statistics_are_those_of_the_formula(shape, dtype, tolerance):
    # float32 takes the fused kernel, float64 the written-out branch: rounding of either, a few times its epsilon.
    x, upstream = inputs(shape, dtype), inputs(shape, dtype, seed=2)
    layer = layer_for(x, dtype)
    gamma, beta = layer.gamma.numpy().astype(np.float64), layer.beta.numpy().astype(np.float64)
    outputs, mean, variance, *gradients = formula(x, gamma, beta, upstream)
    with tf.GradientTape() as tape:
        point = tf.constant(x)
        tape.watch(point)
        found = layer(point, training=True)
        loss = tf.reduce_sum(found * upstream)
    found_gradients = tape.gradient(loss, [point, layer.gamma.value, layer.beta.value])
    assert found.dtype == dtype
    np.testing.assert_allclose(found, outputs, rtol=tolerance, atol=tolerance)
    for ours, expected in zip(found_gradients, gradients):
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * 10)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=tolerance)


@pytest.mark.parametrize("shape", [(12, 5), (6, 4, 4, 3)])
def test_equals_the_layer_of_keras_in_training_and_at_inference(shape):
    layer = layer_for(inputs(shape))
    reference = keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)
    reference.build(shape)
    reference.set_weights(layer.get_weights())
    for step in range(3):
        x = inputs(shape, seed=step)
        np.testing.assert_allclose(layer(x, training=True), reference(x, training=True), rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(layer.get_weights(), reference.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    held_out = inputs(shape, seed=9)
    np.testing.assert_allclose(layer(held_out), reference(held_out), rtol=1e-5, atol=1e-5)
    # Batch and moving statistics are far apart after three steps, so the two modes cannot be the same.
    assert np.abs(layer(held_out) - layer(held_out, training=True)).max() > 0.1


def test_inference_changes_no_statistics():
    x = inputs((8, 3))
    layer = layer_for(x)
    before = layer.get_weights()
    layer(x, training=False)
    for old, new in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(old, new)


def on_two_replicas(strategy, layer, x, upstream):
    """Outputs, and the gradients of the sum over both replicas, where each has half of the batch."""

    def step(piece, weights):
        with tf.GradientTape() as tape:
            tape.watch(piece)
            outputs = layer(piece, training=True)
            loss = tf.reduce_sum(outputs * weights)
        gradients = tape.gradient(loss, [piece, layer.gamma.value, layer.beta.value])
        sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients[1:])
        return outputs, gradients[0], *sums

    def pieces(array):
        halves = np.split(array, 2)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(halves[context.replica_id_in_sync_group])
        )

    results = tf.function(lambda *batch: strategy.run(step, args=batch))(pieces(x), pieces(upstream))
    local = [strategy.experimental_local_results(value) for value in results]
    return [np.concatenate(local[0]), np.concatenate(local[1]), local[2][0].numpy(), local[3][0].numpy()]


@pytest.mark.parametrize("shape", [(12, 5), (6, 4, 4, 3)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_two_replicas_normalise_by_the_global_batch(two_replicas, shape, dtype, tolerance):
    x, upstream = inputs(shape, dtype), inputs(shape, dtype, seed=2)
    x[: shape[0] // 2] += 3  # halves with different means: statistics of one half would be visibly wrong
    with two_replicas.scope():
        layer = layer_for(x, dtype)
    gamma, beta = layer.gamma.numpy().astype(np.float64), layer.beta.numpy().astype(np.float64)
    outputs, mean, variance, *gradients = formula(x, gamma, beta, upstream)
    found = on_two_replicas(two_replicas, layer, x, upstream)
    for ours, expected in zip(found, [outputs, *gradients]):
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * 10)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.1 * mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.9 + 0.1 * variance, rtol=tolerance)


def test_two_replicas_keep_the_variance_of_inputs_far_from_zero(two_replicas):
    # In float32 the mean of the squares, 10⁶, is known to 0.06; the variance is a hundredth.
    x = (1000.0 + 0.1 * np.random.default_rng(0).normal(size=(64, 2))).astype(np.float32)
    with two_replicas.scope():
        layer = layer_for(x)
    gamma, beta = layer.gamma.numpy().astype(np.float64), layer.beta.numpy().astype(np.float64)
    expected = formula(x, gamma, beta, np.ones_like(x))[0]
    # The inputs themselves are rounded to 6e-5, the mean to as much, a deviation being 0.1.
    np.testing.assert_allclose(on_two_replicas(two_replicas, layer, x, np.ones_like(x))[0], expected, atol=3e-3)


def test_bfloat16_inputs_are_normalised_with_float32_statistics():
    x = inputs((256, 4)) + 8.0
    layer = layer_for(x, "mixed_bfloat16")
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    rounded = tf.cast(x, tf.bfloat16)
    outputs = layer(rounded, training=True)
    assert outputs.dtype == tf.bfloat16
    gamma, beta = layer.gamma.numpy(), layer.beta.numpy()
    expected = formula(tf.cast(rounded, tf.float32).numpy(), gamma, beta, x)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * expected[1], rtol=1e-5)
    # Only the result is rounded to eight bits: values up to about eight.
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected[0], rtol=2.0**-7, atol=2.0**-7)


def test_initial_scales_are_dcgans():
    layer = BatchNormalization()
    layer.build((None, 4096))
    # Four standard errors of the mean and the deviation of 4096 draws.
    assert abs(layer.gamma.numpy().mean() - 1.0) < 4 * 0.02 / np.sqrt(4096)
    assert abs(layer.gamma.numpy().std() - 0.02) < 4 * 0.02 / np.sqrt(2 * 4096)
    np.testing.assert_array_equal(layer.beta, np.zeros(4096))


def test_config_round_trip():
    layer = BatchNormalization.from_config(BatchNormalization(momentum=0.3, epsilon=0.7).get_config())
    assert (layer.momentum, layer.epsilon) == (0.3, 0.7)


def test_what_each_normalisation_puts_behind_a_linear_layer():
    assert [type(layer) for layer in normalization_layers("batch")] == [BatchNormalization]
    assert [type(layer) for layer in normalization_layers("layer")] == [keras.layers.GroupNormalization]
    assert normalization_layers("none") == normalization_layers("spectral") == []
    with pytest.raises(RequestError, match="'instance'; expected one of batch, layer, none, spectral"):
        normalization_layers("instance")


def test_layer_normalisation_does_not_mix_examples():
    (layer,) = normalization_layers("layer")
    x = inputs((5, 4, 4, 3))
    changed = x.copy()
    changed[1:] *= 7.0
    np.testing.assert_allclose(layer(x)[0], layer(changed)[0], rtol=1e-6)
    one = x[0].astype(np.float64)
    # Over all of an example's units; Keras' epsilon is 1e-3.
    expected = (one - one.mean()) / np.sqrt(one.var() + layer.epsilon)
    np.testing.assert_allclose(layer(x)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("convolution", [False, True])
def test_spectral_normalisation_divides_by_the_largest_singular_value_with_its_gradient(convolution):
    rng = np.random.default_rng(0)
    plain = keras.layers.Conv2D(3, 2, dtype="float64") if convolution else keras.layers.Dense(3, dtype="float64")
    layer = linear(plain, "spectral")
    x = rng.normal(size=(4, 2, 2, 2) if convolution else (4, 8))
    layer(x)
    kernel, bias = rng.normal(size=plain.kernel.shape), rng.normal(size=3)
    plain.set_weights([kernel, bias])
    # Power iterations until what is left, (second / first singular value)⁶⁰⁰ of about 1e-60, is below rounding.
    for _ in range(300):
        layer(x, training=True)

    def expected(kernel):
        matrix = kernel.reshape(8, 3)
        return x.reshape(4, 8) @ matrix / np.linalg.svd(matrix, compute_uv=False)[0] + bias

    with tf.GradientTape() as tape:
        outputs = tf.reshape(layer(x), [4, 3])
        total = tf.reduce_sum(outputs**2)
    np.testing.assert_allclose(outputs, expected(kernel), rtol=1e-12)
    found = tape.gradient(total, plain.kernel.value).numpy()
    # Scaling the kernel changes nothing, so the gradient has no part along it.
    assert abs(np.sum(found * kernel)) < 1e-10
    for index in np.ndindex(kernel.shape):
        step = np.zeros_like(kernel)
        step[index] = 1e-6
        difference = (np.sum(expected(kernel + step) ** 2) - np.sum(expected(kernel - step) ** 2)) / 2e-6
        np.testing.assert_allclose(found[index], difference, rtol=1e-6, atol=1e-8)  # central differences
    assert linear(plain, "batch") is plain


def test_a_mixed_precision_head_computes_in_float32():
    head = score_head((16,), "none", "float32")
    features = tf.cast(inputs((4, 16)), tf.bfloat16)
    scores = head(features)
    assert scores.dtype == tf.float32
    kernel, bias = head.get_weights()
    expected = tf.cast(features, tf.float64).numpy() @ kernel.astype(np.float64) + bias
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
