"""Base classes of dynamics: how the two players move in one step, given their losses."""

import tensorflow as tf

from zoo.options import Configured, Option, whole

#: The most moves of one step, whose graph holds a copy of the networks for each.
MOST_MOVES = 100


class Dynamics(Configured, tf.Module):
    """One step of both players. Subclasses define `step` and declare their options, which a config sets.

    Args:
        critic_steps: k, critic steps per generator step; each consumes a batch of its own.

    Raises:
        RequestError: an option out of range.
    """

    #: Traits that the objective must have; an objective lists the traits that it `lacks`, and why. "two_players": the
    #: critic and the generator are the only players, each descending its own loss.
    needs = ("two_players",)

    where = "config.dynamics_options"
    critic_steps = Option(1, whole(1, MOST_MOVES))

    @property
    def batches_per_step(self):
        """Number of data batches that one step consumes."""
        return self.critic_steps

    def build(self, gan):
        """Called once, after the networks and the optimizers are made, before the first step.

        A dynamics with state makes its variables here, with `gan.add_weight`, and keeps them as attributes, so that
        they are in `gan.variables` and in checkpoints. Raises RequestError for unsupported optimizers.
        """

    def step(self, gan, batches):
        """Moves both players once.

        Args:
            gan: the `trainers.gan.GAN`: players, losses, noise.
            batches: tuple of `batches_per_step` `zoo.batch.Batch`es.

        Returns:
            Dict of scalar logs: both players' own losses, and the norms of the directions that they descend.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    def field(self, gan, real, noise):
        """The vector field that the players descend: to first order in the learning rates a step follows it, where both
        rates are equal, critic and generator move equally often, and the optimizers are plain descent.

        Args:
            gan: the `trainers.gan.GAN`.
            real: a `zoo.batch.Batch`.
            noise: the draw's `zoo.noise.Noise`.

        Returns:
            (critic's part, generator's part): lists like the players' variables, both at the present weights, and
            differentiable in all of them. Nothing moves, but for state that the networks update in training mode.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no field")


class JointDynamics(Dynamics):
    """Both players move from the same point: gradients first, then both updates.

    With k = `critic_steps` above 1 the critic alone takes k - 1 plain steps first, on batches of their own, and the
    joint move is on the k-th. The papers of these dynamics have k = 1.
    """

    def step(self, gan, batches):
        *before, last = batches
        for draw, real in enumerate(before):
            noise = gan.noise(tf.shape(real.x)[0], draw)
            fake = gan.generate(noise, real.conditions).constant()
            with tf.GradientTape() as tape:
                critic_loss = gan.critic_total_loss(real, fake, noise)
            gan.players["critic"].descend(tape, critic_loss)
        return self.move(gan, last, gan.noise(tf.shape(last.x)[0], len(before)))

    def move(self, gan, real, noise):
        """The joint move on one batch; arguments as of `field`, returns the logs of `step`."""
        critic, generator = gan.players["critic"], gan.players["generator"]
        (of_critic, of_generator), logs = self.directions(gan, real, noise)
        critic.update(of_critic)
        generator.update(of_generator)
        return logs

    def field(self, gan, real, noise):
        return self.directions(gan, real, noise)[0]

    def directions(self, gan, real, noise):
        """What the joint move descends, as of `field`, and the logs of `step`: a pair."""
        raise NotImplementedError(f"{type(self).__name__} defines no directions")


def squared_norm(tensors):
    """Σ‖t‖² over a list of tensors of any shapes: a scalar."""
    return tf.add_n([tf.reduce_sum(tf.square(tensor)) for tensor in tensors])
