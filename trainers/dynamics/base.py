"""What a dynamics is: how, given the two losses, the two players move in one step."""

import tensorflow as tf


class Dynamics:
    """One step of play. Subclasses define `step`; their constructor's arguments are the options that a config sets."""

    #: Number of data batches that one step consumes.
    batches_per_step = 1

    def step(self, gan, batches):
        """Moves both players once.

        Args:
            gan: the `trainers.gan.GAN`: losses, gradients, updates, noise.
            batches: tuple of `batches_per_step` batches, float32 [N, ...].

        Returns:
            Dict of scalar logs, as `logs` makes it.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    @staticmethod
    def logs(critic_loss, critic_gradients, generator_loss, generator_gradients):
        """The logs of a step; gradient norms are those of the global mean gradients."""
        return {
            "critic_loss": critic_loss,
            "generator_loss": generator_loss,
            "critic_gradient_norm": tf.linalg.global_norm(critic_gradients),
            "generator_gradient_norm": tf.linalg.global_norm(generator_gradients),
        }
