"""The model's services to every method: conditions for the networks, and scores for techniques that observe them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import dynamics, objectives
from trainers.techniques.base import Technique
from trainers.techniques.gradient_norm import GradientNorm
from trainers.techniques.instance_noise import InstanceNoise
from zoo.batch import Batch
from zoo.errors import RequestError


class Labelled:
    """A network that is conditioned on labels, and remembers those that it was `told`, a set of tuples."""

    conditions = ("label",)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.told = set()

    def shift(self, label):
        """What a label adds to each output: [N, 1]."""
        self.told.add(None if label is None else tuple(np.array(label)))
        return 0.0 if label is None else tf.cast(label, self.variable_dtype)[:, None]


class Generator(Labelled, zoo.MLPGenerator):
    def call(self, latents, training=False, label=None):
        return super().call(latents, training=training) + self.shift(label)


class MLPCritic(Labelled, zoo.MLPCritic):
    # Named like its base: an encoder has the layers of the family of that name.
    def features(self, x, training=False, label=None):
        return super().features(x, training=training) + self.shift(label)

    def call(self, x, training=False, label=None):
        return self.head(self.features(x, training=training, label=label), training=training)


def make(objective="non_saturating", **options):
    keras.utils.set_random_seed(0)
    generator = Generator((2,), latent_dim=3, hidden_units=(4,), activation="tanh", dtype="float64")
    critic = MLPCritic((2,), hidden_units=(4,), activation="tanh", dtype="float64")
    gan = objectives.METHODS.load(objective)(generator, critic, **options)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    return gan


def points(seed):
    return np.random.default_rng(seed).normal(size=(4, 2)).astype(np.float32)


#: Every dynamics, and the objectives that call networks in ways of their own.
GAMES = [
    *(("non_saturating", name) for name in dynamics.METHODS.names()),
    *((name, "alternating") for name in ("feature_matching", "mode_regularized", "manifold_diffusion", "relativistic")),
]


@pytest.mark.parametrize("objective, play", GAMES)
def test_all_networks_are_told_the_conditions_of_each_batch_and_no_others(objective, play):
    options = {"surrogate": "sgd"} if play == "unrolled" else {}
    penalties = GradientNorm(at="interpolates"), GradientNorm(at="perturbed")
    gan = make(objective, dynamics=dynamics.METHODS.load(play)(critic_steps=2, **options), techniques=penalties)
    labels = (0, 1, 2, 3), (4, 5, 6, 7)
    # A pair is examples and labels; what the generator does not take is left out.
    pair = points(0), np.array(labels[0])
    gan.train_step((pair, Batch(points(1), {"label": np.array(labels[1]), "weight": np.ones(4)})))
    for name, network in gan.networks.items():
        # The encoder receives no label, and the manifold step has the batch of the second critic step.
        expected = {"encoder": set(), "manifold_critic": {labels[1]}}.get(name, set(labels))
        assert getattr(network, "told", set()) == expected, name
    assert gan.generator.told


def test_data_without_the_conditions_of_the_generator_is_refused():
    gan = make()
    for batch in (points(0), Batch(points(0), {"size": np.ones(4)})):
        with pytest.raises(RequestError, match="the data gives no 'label', which the generator is conditioned on"):
            gan.train_step((batch,))
    assert int(gan.step) == 0


class Remembering(Technique):
    """Keeps the scores of real examples that it was told last."""

    def build(self, model):
        self.scores = model.add_weight(name="scores", shape=(4, 1), dtype="float64", initializer="zeros")
        return {"scores": self.scores}

    def observe(self, real_scores):
        self.scores.assign(real_scores)


def test_a_technique_observes_the_scores_of_the_last_batch_as_the_critic_sees_it():
    techniques = InstanceNoise(std=0.5, until=10), Remembering()
    gan = make(dynamics=dynamics.METHODS.load("alternating")(critic_steps=2), techniques=techniques)
    labels = {"label": np.arange(4)}
    gan.train_step((Batch(points(0), labels), Batch(points(1), labels)))
    gan.step.assign(0)  # Whose noise it was.
    seen = points(1) + 0.5 * gan.noise(4, 1).normal("instance noise real", [2]).numpy().astype(np.float64)
    scores = gan.critic(tf.constant(seen), training=True, **labels)
    np.testing.assert_allclose(gan.techniques[1].scores, scores, rtol=1e-12)
