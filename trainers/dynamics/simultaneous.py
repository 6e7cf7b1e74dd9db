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

    def move(self, gan, real, noise):
        with tf.GradientTape() as generator_tape:
            fake = gan.generate(noise)
            with self.answered(gan, real, fake, noise):
                generator_loss = gan.generator_total_loss(real, fake, noise)
        with tf.GradientTape() as critic_tape:
            critic_loss = gan.critic_total_loss(real, tf.stop_gradient(fake), noise)
        generator_gradients = gan.gradients(generator_tape, generator_loss, gan.generator)
        critic_gradients = gan.gradients(critic_tape, critic_loss, gan.critic)
        gan.update_critic(critic_gradients)
        gan.update_generator(generator_gradients)
        return self.logs(critic_loss, critic_gradients, generator_loss, generator_gradients)

    def answered(self, gan, real, fake, noise):
        """A context in which the generator's loss is taken: here the critic is as it is."""
        return contextlib.nullcontext()
