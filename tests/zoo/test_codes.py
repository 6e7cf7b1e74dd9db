"""Generators with codes, against their definition in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import zoo
from zoo.noise import Noise

NETWORK = {"latent_dim": 3, "hidden_units": (8,)}


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def latents_of(generator, count):
    return Noise.of_seeds(range(count)).latents(generator.latent_dim)


def test_the_inner_generator_receives_one_hot_codes_then_uniform_codes_then_noise():
    generator = zoo.CodedGenerator((2,), (3, 4), 2, "mlp", NETWORK, dtype="float64")
    latents = latents_of(generator, 50)
    assert latents.shape == (50, 2 + 2 + 3)
    uniform = stats.norm.cdf(latents)
    chosen = np.floor(uniform[:, :2] * [3, 4]).astype(int)
    values = 2.0 * uniform[:, 2:4] - 1.0
    found = generator.codes(latents)
    np.testing.assert_array_equal(found[0], chosen)
    np.testing.assert_allclose(found[1], values, atol=1.5e-7)  # the formula's
    values = found[1].numpy()
    inputs = np.concatenate([np.eye(3)[chosen[:, 0]], np.eye(4)[chosen[:, 1]], values, latents[:, 4:]], axis=1)
    np.testing.assert_allclose(generator(latents), generator.inner(inputs), rtol=1e-9)


def test_values_are_equally_likely_and_continuous_codes_uniform():
    generator = zoo.CodedGenerator((2,), (5,), 1, "mlp", NETWORK)
    chosen, values = generator.codes(latents_of(generator, 5_000))
    # Both statistics would be as far off once in 1,000 seeds.
    assert stats.chisquare(np.bincount(chosen[:, 0], minlength=5)).pvalue > 1e-3
    assert stats.kstest(values[:, 0], "uniform", (-1.0, 2.0)).pvalue > 1e-3
    assert abs(np.corrcoef(chosen[:, 0], values[:, 0])[0, 1]) < 0.05


@pytest.mark.parametrize("categories, continuous", [((), 2), ((3,), 0)])
def test_either_kind_of_code_may_be_missing(categories, continuous):
    generator = zoo.CodedGenerator((2,), categories, continuous, "mlp", NETWORK)
    chosen, values = generator.codes(latents_of(generator, 4))
    assert (chosen.shape, values.shape) == ((4, len(categories)), (4, continuous))
    assert generator(latents_of(generator, 4)).shape == (4, 2)


def test_codes_do_not_depend_on_the_networks_precision():
    narrow, wide = (
        zoo.CodedGenerator((2,), (50,), 1, "mlp", NETWORK, dtype=dtype) for dtype in ("mixed_bfloat16", "float32")
    )
    latents = latents_of(wide, 2_000)
    for one, other in zip(narrow.codes(latents), wide.codes(latents)):
        np.testing.assert_array_equal(one, other)
    assert narrow(latents).dtype == tf.float32


def test_its_config_makes_it_again():
    generator = zoo.CodedGenerator((8, 8, 1), (3,), 1, "dcgan", {"latent_dim": 4, "base_filters": 4}, dtype="float64")
    twin = zoo.CodedGenerator.from_config(generator.get_config())
    twin.set_weights(generator.get_weights())
    np.testing.assert_array_equal(twin(latents_of(twin, 3)), generator(latents_of(generator, 3)))
    assert twin.latent_dim == 1 + 1 + 4


def test_a_code_can_be_given_another_value_and_the_rest_stays():
    generator = zoo.CodedGenerator((2,), (3, 4), 2, "mlp", NETWORK)
    latents = latents_of(generator, 20)
    chosen, values = (each.numpy() for each in generator.codes(latents))
    given = {0: np.arange(20) % 3, 1: np.full(20, 3), 2: np.linspace(-0.99, 0.99, 20), 3: np.zeros(20)}
    for code, value in given.items():
        changed = generator.latents_with(latents, code, value if code != 1 else 3).numpy()
        np.testing.assert_array_equal(np.delete(changed, code, 1), np.delete(latents, code, 1))
        found = [each.numpy() for each in generator.codes(changed)]
        middle = (value + 0.5) / generator.categories[code] if code < 2 else (value + 1.0) / 2.0
        np.testing.assert_allclose(changed[:, code], stats.norm.ppf(middle), rtol=1e-5, atol=1e-6)
        expected = [chosen.copy(), values.copy()]
        expected[code // 2][:, code % 2] = value
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=2e-6)  # the formula, and float32 twice
