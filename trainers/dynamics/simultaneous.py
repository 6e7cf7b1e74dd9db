"""Simultaneous descent: both gradients at the same point, both applied together. The dynamics that the stability papers
study: Mescheder et al. 2017, Nagarajan & Kolter 2017."""

import contextlib

import tensorflow as tf

from trainers.dynamics.base import JointDynamics


class Simultaneous(JointDynamics):
    """θ_D ← θ_D - h ∇_D L_D(θ_D, θ_G) and θ_G ← θ_G - h ∇_G L_G(θ_D, θ_G), at the same (θ_D, θ_G).

    Args:
        critic_steps: k; the first k - 1 are the critic's alone.
    """

    def directions(self, gan, real, noise):
        critic, generator = gan.players["critic"], gan.players["generator"]
        with tf.GradientTape() as generator_tape:
            fake = gan.generate(noise, real.conditions)
            with self.answered(gan, real, fake, noise):
                generator_loss = gan.generator_total_loss(real, fake, noise)
        with tf.GradientTape() as critic_tape:
            # No stop_gradient: the critic's part of the field depends on the generator's weights.
            critic_loss = gan.critic_total_loss(real, fake, noise)
        generator_gradients = generator.gradients(generator_tape, generator_loss)
        critic_gradients = critic.gradients(critic_tape, critic_loss)
        logs = critic.logs(critic_loss, critic_gradients) | generator.logs(generator_loss, generator_gradients)
        return (critic_gradients, generator_gradients), logs

    def answered(self, gan, real, fake, noise):
        """A context in which the generator's loss is computed: here the critic is unchanged."""
        return contextlib.nullcontext()
