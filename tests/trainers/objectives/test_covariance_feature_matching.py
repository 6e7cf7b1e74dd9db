"""McGAN by second moments: NumPy's traces and singular values; U and V stay orthonormal; checkpoints hold them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.batch import Batch
from zoo.errors import RequestError


def build(make, **options):
    critic = zoo.MLPCritic((3,), hidden_units=(5,), activation="tanh", output_dim=4, dtype="float64")
    return make("covariance_feature_matching", critic=critic, **{"count": 2, **options})


def features(weights, x):
    kernel, bias, head, offset = weights
    return np.tanh(x @ kernel + bias) @ head + offset


def difference(weights, real, fake):
    """Σ_p - Σ_q, second moments of features."""
    of_real, of_fake = features(weights, real), features(weights, fake)
    return of_real.T @ of_real / len(real) - of_fake.T @ of_fake / len(fake)


def test_losses_and_gradients_are_those_of_the_trace(make, points, weight_gradient, differences, assert_gradients):
    gan, (real, fake) = build(make), points(6)
    weights, frames = gan.critic.get_weights(), gan.directions.get_weights()

    def oracle(*arrays):
        left, right = arrays[-2:]
        return -np.trace(left.T @ difference(arrays[:-2], real, fake) @ right)

    batches = [Batch(tf.constant(x)) for x in (real, fake)]
    value, found = weight_gradient(lambda: gan.compute_critic_loss(*batches, None), gan.critic, gan.directions)
    # NumPy in float64: to rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights, *frames), rtol=1e-12)
    assert_gradients(found, differences(oracle, [*weights, *frames]))
    of_fake = features(weights, fake)
    expected = -np.trace(frames[0].T @ (of_fake.T @ of_fake / 6) @ frames[1])
    np.testing.assert_allclose(gan.compute_generator_loss(*batches, None), expected, rtol=1e-12)


def test_at_the_best_directions_it_is_the_sum_of_the_largest_singular_values(make, points):
    gan, (real, fake) = build(make), points(8)
    moments = difference(gan.critic.get_weights(), real, fake)
    left, values, right = np.linalg.svd(moments)
    gan.directions.set_weights([left[:, :2], right.T[:, :2]])
    batches = [Batch(tf.constant(x)) for x in (real, fake)]
    np.testing.assert_allclose(-gan.compute_critic_loss(*batches, None), values[:2].sum(), rtol=1e-12)


def test_descent_on_the_directions_alone_reaches_the_truncated_nuclear_norm(make, points):
    gan, (real, fake) = build(make, clip=0.0), points(8)
    values = np.linalg.svd(difference(gan.critic.get_weights(), real, fake), compute_uv=False)
    gan.compile(critic_optimizer=keras.optimizers.SGD(0.5 / values[0]))
    critic, batches = gan.players["critic"], [Batch(tf.constant(x)) for x in (real, fake)]
    kept = gan.critic.get_weights()
    for _ in range(300):
        with tf.GradientTape() as tape:
            loss = gan.compute_critic_loss(*batches, None)
        gradients = critic.gradients(tape, loss)
        of_features = len(gradients) - 2
        critic.update([*(tf.zeros_like(each) for each in gradients[:of_features]), *gradients[of_features:]])
        for frame in gan.directions.get_weights():
            np.testing.assert_allclose(frame.T @ frame, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(-loss, values[:2].sum(), rtol=1e-6)
    assert all(np.array_equal(one, other) for one, other in zip(kept, gan.critic.get_weights()))


def test_a_step_clips_the_features_and_retracts_the_directions(make):
    gan = build(make, clip=0.05)
    gan.compile(*(keras.optimizers.SGD(1.0) for _ in range(2)))
    before = gan.directions.get_weights()
    gan.train_step((np.random.default_rng(0).normal(size=(6, 3)),) * gan.batches_per_step)
    assert max(np.abs(weight).max() for weight in gan.critic.get_weights()) == 0.05
    for old, new in zip(before, gan.directions.get_weights()):
        assert np.abs(old - new).max() > 1e-4 and np.abs(new).max() > 0.05
        np.testing.assert_allclose(new.T @ new, np.eye(2), atol=1e-12)
    assert gan.state()["directions"] is gan.directions


def test_a_retraction_keeps_what_is_orthonormal(make):
    gan, rng = build(make), np.random.default_rng(0)
    for _ in range(5):
        frame = np.linalg.qr(rng.normal(size=(4, 2)))[0] * rng.choice([-1.0, 1.0], size=2)
        found = gan.constrain(gan.directions.left, tf.constant(frame))
        np.testing.assert_allclose(found, frame, rtol=1e-12)


def test_two_replicas_learn_from_the_whole_batch(make, points, assert_replicas_agree):
    real, fake = points(6)

    def fixed():
        gan = build(make)
        gan.directions.set_weights([np.linalg.qr(np.arange(1.0, 9.0).reshape(4, 2) ** power)[0] for power in (1, 2)])
        return gan

    assert_replicas_agree(fixed, lambda gan, r, f: gan.compute_critic_loss(r, f, None), "critic", real, fake)


def test_more_directions_than_features_are_refused(make):
    message = r"config.objective_options.count: 5; expected at most the 4 of config.critic.output_dim"
    with pytest.raises(RequestError, match=message):
        build(make, count=5)
