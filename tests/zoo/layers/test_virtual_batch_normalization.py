"""Virtual batch normalisation against statistics of the reference and the example together, in NumPy, float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.layers import REFERENCE_SIZE, VirtualBatchNormalization, needs_reference, set_reference

EPSILON = 1e-5


def rows(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * rng.uniform(0.5, 3.0, shape[-1]) + rng.normal(size=shape[-1])


def formula(x, size, gamma, beta):
    """Each example normalised by the moments of `size` reference rows and itself, one array after the other."""
    axes = tuple(range(x.ndim - 1))
    reference = x[:size]

    def normal(values, group):
        return (values - group.mean(axes)) / np.sqrt(group.var(axes) + EPSILON)

    examples = [normal(row[None], np.concatenate([reference, row[None]])) for row in x[size:]]
    return np.concatenate([normal(reference, reference), *examples]) * gamma + beta


def layer_for(x, size, dtype="float64"):
    layer = VirtualBatchNormalization(size, EPSILON, dtype=dtype)
    layer.build(x.shape)
    rng = np.random.default_rng(3)
    layer.gamma.assign(rng.uniform(0.5, 2.0, x.shape[-1]))
    layer.beta.assign(rng.normal(size=x.shape[-1]))
    return layer


@pytest.mark.parametrize("shape", [(9, 4), (7, 3, 3, 2)])
@pytest.mark.parametrize("size", [1, 4])
def test_values_are_the_formula(shape, size):
    x = rows(shape)
    layer = layer_for(x, size)
    expected = formula(x, size, layer.gamma.numpy(), layer.beta.numpy())
    np.testing.assert_allclose(layer(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(5, 2), (4, 2, 2, 2)])
def test_gradients_are_those_of_differences(shape):
    x, upstream, size = rows(shape), rows(shape, 5), 2
    layer = layer_for(x, size)
    gamma, beta = layer.gamma.numpy(), layer.beta.numpy()
    with tf.GradientTape() as tape:
        point = tf.constant(x)
        tape.watch(point)
        loss = tf.reduce_sum(layer(point) * upstream)
    expected = np.empty_like(x)
    for index in np.ndindex(x.shape):
        values = []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[index] += step
            values.append((formula(moved, size, gamma, beta) * upstream).sum())
        expected[index] = (values[0] - values[1]) / 2e-5
    # Through the reference rows too: their statistics are not constants. Central differences at 1e-5.
    np.testing.assert_allclose(tape.gradient(loss, point), expected, rtol=1e-6, atol=1e-7)


def test_bfloat16_inputs_have_float32_statistics():
    x = (rows((300, 4)) + 8.0).astype(np.float32)
    layer = layer_for(x, 256, "mixed_bfloat16")
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    rounded = tf.cast(x, tf.bfloat16)
    outputs = layer(rounded)
    assert outputs.dtype == tf.bfloat16
    wide = tf.cast(rounded, tf.float64).numpy()
    expected = formula(wide, 256, layer.gamma.numpy(), layer.beta.numpy())
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, rtol=2.0**-7, atol=2.0**-6)


NETWORKS = {
    "mlp generator": lambda **options: zoo.MLPGenerator((8, 8, 1), latent_dim=3, hidden_units=(6, 5), **options),
    "mlp critic": lambda **options: zoo.MLPCritic((8, 8, 1), hidden_units=(6, 5), **options),
    "dcgan generator": lambda **options: zoo.DCGANGenerator((8, 8, 1), latent_dim=3, base_filters=2, **options),
    "dcgan critic": lambda **options: zoo.DCGANCritic((8, 8, 1), base_filters=2, **options),
}


def inputs(name, count=6):
    shape = (3,) if "generator" in name else (8, 8, 1)
    return np.random.default_rng(2).normal(size=(count, *shape))


@pytest.mark.parametrize("name", NETWORKS)
class TestNetworks:
    def test_an_example_does_not_depend_on_the_others(self, name):
        keras.utils.set_random_seed(0)
        network, x = NETWORKS[name](normalization="virtual_batch", dtype="float64"), inputs(name)
        changed = x.copy()
        changed[1:] = 100.0 * changed[::-1][1:]
        for training in (False, True):
            whole = network(x, training=training).numpy()
            assert whole.shape[0] == 6
            np.testing.assert_allclose(network(changed, training=training)[0], whole[0], rtol=1e-10)
            np.testing.assert_allclose(network(x[:1], training=training)[0], whole[0], rtol=1e-10)
        # Training and inference are one function, and differ between examples.
        np.testing.assert_array_equal(network(x), network(x, training=True))
        assert np.abs(whole - whole[::-1]).max() > 1e-6

    def test_it_depends_on_the_reference_which_is_a_weight_but_not_trained(self, name):
        network, x = NETWORKS[name](normalization="virtual_batch", dtype="float64"), inputs(name)
        (reference,) = [weight for weight in network.non_trainable_weights if weight.name == "reference"]
        assert reference.shape == (REFERENCE_SIZE, *x.shape[1:])
        before = network(x).numpy()
        again = type(network).from_config(network.get_config())
        again.set_weights(network.get_weights())
        np.testing.assert_array_equal(again(x), before)
        reference.assign(3.0 * reference.numpy() + 1.0)
        assert np.abs(network(x).numpy() - before).max() > 1e-6

    def test_a_stack_is_the_formula_layer_by_layer(self, name):
        keras.utils.set_random_seed(0)
        network, x = NETWORKS[name](normalization="virtual_batch", dtype="float64"), inputs(name)
        stack = network.layout if "generator" in name else network.trunk
        values = np.concatenate([stack.reference.numpy(), x])
        for layer in stack.layers:
            if isinstance(layer, VirtualBatchNormalization):
                values = formula(values, REFERENCE_SIZE, layer.gamma.numpy(), layer.beta.numpy())
            else:
                values = layer(values).numpy()
        found = stack(x).numpy()
        assert any(isinstance(layer, VirtualBatchNormalization) for layer in stack.layers)
        np.testing.assert_allclose(found, values[REFERENCE_SIZE:], rtol=1e-8, atol=1e-10)

    def test_xla_and_mixed_precision(self, name):
        x = inputs(name).astype(np.float32)
        network = NETWORKS[name](normalization="virtual_batch")
        np.testing.assert_allclose(tf.function(network, jit_compile=True)(x), network(x), rtol=1e-4, atol=1e-6)
        assert NETWORKS[name](normalization="virtual_batch", dtype="mixed_bfloat16")(x).dtype == tf.float32


def test_a_critics_reference_is_what_it_is_given_in_turn():
    network = zoo.MLPCritic((2,), hidden_units=(3,), normalization="virtual_batch")
    assert needs_reference(network)
    assert not needs_reference(zoo.MLPCritic((2,), hidden_units=(3,)))
    few = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    set_reference(network, few)
    np.testing.assert_array_equal(network.trunk.reference, np.tile(few, (22, 1))[:REFERENCE_SIZE])
    many = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    set_reference(network, many)
    np.testing.assert_array_equal(network.trunk.reference, many[:REFERENCE_SIZE])


def test_config_round_trip():
    layer = VirtualBatchNormalization.from_config(VirtualBatchNormalization(7, epsilon=0.5).get_config())
    assert (layer.reference_size, layer.epsilon) == (7, 0.5)
