"""The restricted Boltzmann machine's energies and chains against enumeration in NumPy, and its samples."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.noise import Noise, key_from

SHAPE, HIDDEN = (2, 2, 1), 3


def machine(scale=1.0, shape=SHAPE, hidden=HIDDEN, seed=7, **options):
    """A machine with biases too: a term of zero would hide a mistake."""
    made, rng = zoo.RBM(shape, hidden_units=hidden, dtype="float64", **options), np.random.default_rng(seed)
    made.set_weights([scale * rng.normal(size=weight.shape) for weight in made.get_weights()])
    return made


def states(units):
    """All states of `units` binary units, float64 [2^units, units]."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def energies(made):
    """-b·v - c·h - v·W·h of every pair of states, [visible states, hidden states], term by term."""
    coupling, b, c = made.get_weights()
    v, h = states(made.visible_units), states(made.hidden_units)
    return -(v @ b)[:, None] - (h @ c)[None, :] - np.einsum("ai,ij,bj->ab", v, coupling, h)


def distribution(made):
    """p(v) of every state by enumeration, [2^D]."""
    joint = np.exp(-energies(made))
    return joint.sum(axis=1) / joint.sum()


def noise(rows, seed=3):
    return Noise(key_from(seed), tf.range(rows))


def indices(visible):
    """The number of each state [N, D] in `states`."""
    return np.asarray(visible).astype(int) @ (1 << np.arange(visible.shape[1])[::-1])


def test_energies_and_free_energies_are_those_of_enumeration():
    made, rng = machine(), np.random.default_rng(0)
    expected, v, h = energies(made), states(4), states(HIDDEN)
    rows, columns = rng.integers(0, 16, 20), rng.integers(0, 8, 20)
    np.testing.assert_allclose(made.energy(v[rows], h[columns]), expected[rows, columns], rtol=1e-12)
    np.testing.assert_allclose(made.free_energy(v), -np.log(np.exp(-expected).sum(axis=1)), rtol=1e-12)


def test_conditional_draws_have_the_conditional_probabilities_of_the_joint_distribution():
    made, v, h = machine(), states(4), states(HIDDEN)
    joint, count = np.exp(-energies(made)), 20_000
    given_v = (joint / joint.sum(axis=1, keepdims=True))[11] @ h
    given_h = (joint / joint.sum(axis=0))[:, 5] @ v
    hidden = made.hidden_given(np.repeat(v[11:12], count, 0), noise(count))
    visible = made.visible_given(np.repeat(h[5:6], count, 0), noise(count))
    # Four standard deviations of a share.
    np.testing.assert_allclose(np.mean(hidden, axis=0), given_v, atol=2 / np.sqrt(count))
    np.testing.assert_allclose(np.mean(visible, axis=0), given_h, atol=2 / np.sqrt(count))


@pytest.mark.parametrize("inverse_temperature", [1.0, 0.4])
def test_long_chains_reach_the_exact_distribution(inverse_temperature):
    made, count = machine(2.0), 20_000
    chains = made.gibbs(np.zeros([count, 4]), noise(count), np.full(60, inverse_temperature))
    coupling, b, c = made.get_weights()
    warmer = machine(2.0)
    warmer.set_weights([inverse_temperature * coupling, b, inverse_temperature * c])
    shares = np.bincount(indices(chains), minlength=16) / count
    exact = distribution(warmer)
    assert np.abs(exact - distribution(machine(0.0))).max() > 0.05
    np.testing.assert_allclose(shares, exact, atol=4 * np.sqrt(0.25 / count))


def test_chains_at_temperature_infinity_start_at_independent_units():
    made, count = machine(), 20_000
    shares = np.mean(made.independent(noise(count)), axis=0)
    np.testing.assert_allclose(shares, 1 / (1 + np.exp(-made.get_weights()[1])), atol=2 / np.sqrt(count))


def test_a_pixel_is_one_with_the_probability_of_its_grey_level():
    made, levels = machine(), np.array([-1.0, -0.5, 0.6, 1.0])
    images = np.broadcast_to(levels.reshape(1, 2, 2, 1), [20_000, 2, 2, 1])
    drawn = np.asarray(made.binarise(images, noise(20_000)))
    np.testing.assert_allclose(drawn.mean(axis=0), [0.0, 0.25, 0.8, 1.0], atol=0.015)
    assert drawn[:, 0].max() == 0.0 and drawn[:, 3].min() == 1.0


def test_samples_are_the_machines_distribution_and_a_seed_has_one_in_any_batch():
    made, count = machine(gibbs_steps=40), 8_000
    latents = Noise.of_seeds(np.arange(count)).latents(made.latent_dim)
    images = np.asarray(made(latents))
    assert images.shape == (count, *SHAPE) and np.abs(images).max() <= 1.0
    # Images are probabilities, whose mean is that of the units.
    np.testing.assert_allclose((images.mean(axis=0).ravel() + 1) / 2, distribution(made) @ states(4), atol=0.02)
    # Given few hidden units: eight levels at each pixel.
    assert len(np.unique(images[:, 0, 0, 0].round(9))) == 8
    np.testing.assert_array_equal(made(latents[5:8]), images[5:8])


def test_a_sample_is_the_end_of_an_annealed_chain_keyed_by_the_latents():
    made, latents = machine(gibbs_steps=6), tf.constant(np.random.default_rng(0).normal(size=[300, 2]), tf.float32)
    keys = np.asarray(latents).view(np.uint32)
    keyed = Noise((tf.constant(keys[:, 0]), tf.constant(keys[:, 1])), np.zeros(300, int))
    visible = made.independent(keyed)
    for step, inverse_temperature in enumerate([1 / 3, 2 / 3, 1.0, 1.0, 1.0]):
        visible = made.gibbs_step(visible, keyed.fold_in(step), inverse_temperature)
    coupling, b, _ = made.get_weights()
    hidden = np.asarray(made.hidden_given(visible, keyed.fold_in(6)))
    expected = 2 / (1 + np.exp(-(b + hidden @ coupling.T))) - 1
    np.testing.assert_allclose(made(latents), expected.reshape(300, *SHAPE), rtol=1e-12)


def test_a_sample_of_a_machine_with_chains_starts_at_one_of_them():
    made, count = machine(0.0, gibbs_steps=1, chains=3), 3_000
    # Far from the threshold, so that each chain's units come back as they were.
    made.coupling.assign(np.vstack([np.eye(3), np.zeros((1, 3))]) * 80.0)
    made.visible_bias.assign([-40.0] * 4)
    made.hidden_bias.assign([-40.0] * 3)
    made.persistent.assign(np.eye(4)[:3])
    images = np.asarray(made(Noise.of_seeds(np.arange(count)).latents(2))).reshape(count, 4)
    shares = [np.mean(np.all(images.round(6) == 2 * row - 1, axis=1)) for row in np.eye(4)[:3]]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)


def test_a_sample_of_a_machine_with_chains_is_not_annealed():
    made, latents = (
        machine(2.0, gibbs_steps=4, chains=1),
        tf.constant(np.random.default_rng(0).normal(size=[3000, 2]), "float32"),
    )
    made.persistent.assign([[1.0, 0.0, 1.0, 1.0]])
    keys = np.asarray(latents).view(np.uint32)
    keyed = Noise((tf.constant(keys[:, 0]), tf.constant(keys[:, 1])), np.zeros(3000, int))
    visible = np.repeat(np.asarray(made.persistent), 3000, axis=0)
    for step in range(3):
        visible = made.gibbs_step(visible, keyed.fold_in(step))
    hidden = made.hidden_given(visible, keyed.fold_in(4))
    expected = 2 * tf.sigmoid(made.visible_logits(hidden)) - 1
    np.testing.assert_allclose(np.ravel(made(latents)), np.ravel(expected), rtol=1e-12)


def test_it_comes_back_from_its_config():
    made = machine(gibbs_steps=9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    again.set_weights(made.get_weights())
    np.testing.assert_array_equal(again(tf.ones([2, 2])), made(tf.ones([2, 2])))
    assert (again.hidden_units, again.gibbs_steps) == (HIDDEN, 9)
    plain = zoo.RBM(SHAPE)
    assert (plain.hidden_units, plain.gibbs_steps, plain.chains) == (500, 200, 0)


@pytest.mark.parametrize("shape, found", [((2,), "points"), ((8, 8, 3), "colour images")])
def test_other_data_than_grey_images_are_refused(shape, found):
    with pytest.raises(zoo.families.RequestError, match=f"units of an rbm need grey images, not {found}"):
        zoo.RBM(shape)


def test_float32_and_bfloat16_runs_compute_in_float32():
    made = zoo.RBM(SHAPE, hidden_units=2, gibbs_steps=2, dtype="mixed_bfloat16")
    assert made(tf.zeros([1, 2])).dtype == tf.float32
    assert {str(each.dtype) for each in made.variables} == {"float32"}
