"""The interface of techniques: one that changes the critic's inputs by a variable that adapts to its scores."""

import keras
import numpy as np
import tensorflow as tf

import zoo
from trainers.checkpoints import Checkpoints
from trainers.objectives.wasserstein import Wasserstein
from trainers.techniques.base import Technique
from zoo.replicas import batch_mean

#: A power of two: Keras keeps learning rates in float32.
RATE = 0.125


class Adaptive(Technique):
    """Scales what the critic sees by 1 + s; s moves by a tenth of the mean score of real examples after each step."""

    def build(self, model):
        zero = {"shape": (), "initializer": "zeros", "dtype": "float64", "trainable": False}
        self.strength = model.add_weight(name="strength", **zero)
        return {"strength": self.strength}

    def view(self, batch, kind, noise, step):
        return batch._replace(x=batch.x * (1.0 + self.strength.value))

    def observe(self, real_scores):
        self.strength.assign_add(0.1 * batch_mean(real_scores)[0])


def make():
    """Networks of one linear layer, in float64."""
    keras.utils.set_random_seed(3)
    generator = zoo.MLPGenerator((2,), latent_dim=2, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((2,), hidden_units=(), dtype="float64")
    gan = Wasserstein(generator, critic, clip=0.0, techniques=[Adaptive()])
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    return gan


REAL = np.random.default_rng(0).normal(1.0, 1.0, (3, 8, 2))


def test_it_sees_the_scores_of_each_step_and_changes_what_the_next_ones_see(tmp_path):
    gan, strength = make(), 0.0
    for real in REAL:
        latents = gan.noise(8).latents(2).numpy().astype(np.float64)
        (a, b), (w, _) = gan.generator.get_weights(), gan.critic.get_weights()
        fake = latents @ a + b
        logs = gan.train_step((real,))
        expected = ((1.0 + strength) * (fake - real) @ w).mean()
        np.testing.assert_allclose(logs["critic_loss"], expected, rtol=1e-12)
        moved, offset = gan.critic.get_weights()
        np.testing.assert_allclose(moved, w - RATE * (1.0 + strength) * (fake - real).mean(0)[:, None], rtol=1e-12)
        # Scores of the critic after its step, of examples as it saw them.
        strength += 0.1 * ((1.0 + strength) * real @ moved + offset).mean()
        np.testing.assert_allclose(gan.techniques[0].strength, strength, rtol=1e-12)
    assert abs(strength) > 1e-3
    Checkpoints(tmp_path).save(gan)
    again = make()
    Checkpoints(tmp_path).restore_newest(again)
    assert float(again.techniques[0].strength) == float(gan.techniques[0].strength)


def test_its_statistics_are_those_of_the_global_batch(two_replicas):
    alone = make()
    with two_replicas.scope():
        together = make()
    step = tf.function(lambda piece: two_replicas.run(together.train_step, args=((piece,),)), autograph=False)
    for real in REAL:
        alone.train_step((real,))
        halves = np.split(real, 2)
        step(
            two_replicas.experimental_distribute_values_from_function(
                lambda context, halves=halves: tf.constant(halves[context.replica_id_in_sync_group])
            )
        )
    np.testing.assert_allclose(together.techniques[0].strength, alone.techniques[0].strength, rtol=1e-12)
    for one, other in zip(together.critic.get_weights(), alone.critic.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-12)
