"""McGAN by means: NumPy's products and norms; v stays in its ball; checkpoints hold it; replicas."""

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

import zoo
from zoo.batch import Batch
from zoo.errors import RequestError

#: Name → (q, p) with 1/p + 1/q = 1.
NORMS = {"l1": (1, np.inf), "l2": (2, 2), "linf": (np.inf, 1)}


def build(make, **options):
    critic = zoo.MLPCritic((3,), hidden_units=(5,), activation="tanh", output_dim=4, dtype="float64")
    return make("mean_feature_matching", critic=critic, **options)


def features(weights, x):
    kernel, bias, head, offset = weights
    return np.tanh(x @ kernel + bias) @ head + offset


def test_losses_and_gradients_are_those_of_the_product(make, points, weight_gradient, differences, assert_gradients):
    gan, (real, fake) = build(make), points(6)
    weights, (direction,) = gan.critic.get_weights(), gan.directions.get_weights()

    def oracle(*arrays):
        real_mean, fake_mean = (features(arrays[:-1], x).mean(0) for x in (real, fake))
        return ((fake_mean - real_mean) @ arrays[-1]).item()

    batches = [Batch(tf.constant(x)) for x in (real, fake)]
    value, found = weight_gradient(lambda: gan.compute_critic_loss(*batches, None), gan.critic, gan.directions)
    # NumPy in float64: to rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights, direction), rtol=1e-12)
    assert_gradients(found, differences(oracle, [*weights, direction]))
    expected = -(features(weights, fake) @ direction).mean()
    np.testing.assert_allclose(gan.compute_generator_loss(*batches, None), expected, rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_descent_on_the_direction_alone_reaches_the_norm_of_the_difference(make, points, norm):
    gan, (real, fake), (q, p) = build(make, norm=norm, clip=0.0), points(8), NORMS[norm]
    means = [features(gan.critic.get_weights(), x).mean(0) for x in (real, fake)]
    gan.compile(critic_optimizer=keras.optimizers.SGD(0.5))
    critic, batches = gan.players["critic"], [Batch(tf.constant(x)) for x in (real, fake)]
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = gan.compute_critic_loss(*batches, None)
        *of_features, of_direction = critic.gradients(tape, loss)
        critic.update([*(tf.zeros_like(each) for each in of_features), of_direction])
        (direction,) = gan.directions.get_weights()
        assert np.linalg.norm(direction.ravel(), p) <= 1 + 1e-12
    # Hölder's equality; projected gradients on a ball converge to rounding.
    np.testing.assert_allclose(-loss, np.linalg.norm(means[0] - means[1], q), rtol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [0.1, 3.0])
def test_a_retraction_is_the_nearest_point_of_the_ball(make, norm, size):
    gan, p = build(make, norm=norm), NORMS[norm][1]
    v = size * np.random.default_rng(3).normal(size=(4, 1)) / 2
    found = gan.constrain(gan.directions.direction, tf.constant(v)).numpy()
    if np.linalg.norm(v.ravel(), p) <= 1:
        np.testing.assert_array_equal(found, v)
        return
    # u - w in place of the point, both above zero: the ball of ℓ₁ is then smooth.
    bounds = {1: lambda s: 1 - s.sum(), 2: lambda s: 1 - (s[:4] - s[4:]) @ (s[:4] - s[4:]), np.inf: lambda s: 1 - s}
    nearest = scipy.optimize.minimize(
        lambda s: np.square(s[:4] - s[4:] - v.ravel()).sum(),
        np.full(8, 0.1),
        bounds=[(0, None)] * 8,
        constraints={"type": "ineq", "fun": bounds[p]},
        options={"ftol": 1e-14, "maxiter": 500},
    ).x
    # The tolerance is that of SciPy's descent.
    np.testing.assert_allclose(found.ravel(), nearest[:4] - nearest[4:], atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_clips_the_features_and_keeps_the_direction_in_its_ball(make, norm):
    gan, p = build(make, clip=0.05, norm=norm), NORMS[norm][1]
    (start,) = gan.directions.get_weights()
    assert 0.0 < np.linalg.norm(start.ravel(), p) <= 1 + 1e-12
    gan.compile(*(keras.optimizers.SGD(100.0) for _ in range(2)))
    gan.train_step((np.random.default_rng(0).normal(size=(6, 3)),) * gan.batches_per_step)
    assert max(np.abs(weight).max() for weight in gan.critic.get_weights()) == 0.05
    (direction,) = gan.directions.get_weights()
    assert np.abs(direction - start).max() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(direction.ravel(), p), 1.0, rtol=1e-12)
    assert gan.state()["directions"] is gan.directions


def test_two_replicas_learn_from_the_whole_batch(make, points, assert_replicas_agree):
    real, fake = points(6)

    def fixed():
        gan = build(make)
        gan.directions.set_weights([np.arange(1.0, 5.0).reshape(4, 1) / 10])
        return gan

    assert_replicas_agree(fixed, lambda gan, r, f: gan.compute_critic_loss(r, f, None), "critic", real, fake)


def test_an_unknown_norm_is_refused(make):
    with pytest.raises(RequestError, match=r"config.objective_options.norm: 'l3'; did you mean 'l2' or 'l1'"):
        build(make, norm="l3")
