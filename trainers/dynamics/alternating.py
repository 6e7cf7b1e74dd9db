"""Alternating descent: k critic steps on fresh batches, one generator step. Goodfellow et al. 2014, algorithm 1."""

import tensorflow as tf

from trainers.dynamics.base import Dynamics
from trainers.dynamics.simultaneous import Simultaneous


class Alternating(Dynamics):
    """k critic steps, each on its own real and generated batch, then one generator step.

    The generator's step uses the critic's last batch: generated examples are computed once and serve both players, as
    in common practice, which saves a fifth of the step.

    Args:
        critic_steps: k.
    """

    needs = ()

    def direction(self, player, gradients):
        """The direction that a `Player` descends, given its loss' `gradients`: a list like them; here the same."""
        return gradients

    def step(self, gan, batches):
        critic, generator = gan.players["critic"], gan.players["generator"]
        for draw, real in enumerate(batches):
            noise = gan.noise(tf.shape(real.x)[0], draw)
            with tf.GradientTape() as generator_tape:
                fake = gan.generate(noise, real.conditions)
            with tf.GradientTape() as tape:
                critic_loss = gan.critic_total_loss(real, fake.constant(), noise)
            critic_gradients = self.direction(critic, critic.gradients(tape, critic_loss))
            critic.update(critic_gradients)
        with generator_tape:
            generator_loss = gan.generator_total_loss(real, fake, noise)
        generator_gradients = self.direction(generator, generator.gradients(generator_tape, generator_loss))
        generator.update(generator_gradients)
        return critic.logs(critic_loss, critic_gradients) | generator.logs(generator_loss, generator_gradients)

    def field(self, gan, real, noise):
        parts, _ = Simultaneous().directions(gan, real, noise)
        players = gan.players["critic"], gan.players["generator"]
        return tuple(self.direction(player, gradients) for player, gradients in zip(players, parts))
