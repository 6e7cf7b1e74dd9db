"""Consensus optimisation: both players also descend the joint field's norm. Mescheder, Nowozin & Geiger 2017, "The
numerics of GANs", algorithm 2."""

import tensorflow as tf

from trainers.dynamics.base import JointDynamics, squared_norm
from zoo.options import Option, number
from zoo.replicas import mean_gradients


class Consensus(JointDynamics):
    """θ ← θ - h (v + γ ∇½‖v‖²), θ = (θ_D, θ_G) and v(θ) = (∇_D L_D, ∇_G L_G) at the same point.

    Where the Jacobian v' has eigenvalues far from the real axis, descending v alone circles: on f = xy, v = (-y, x),
    ever outwards. The second term is v'ᵀv, the gradient of ½‖v‖², and moves the eigenvalues towards the positive axis.
    It comes from differentiating ½‖v‖² once more: the Jacobian is never formed, and a step costs a small multiple of a
    plain one. v is the gradient of the global batch, so that the result does not depend on the number of replicas. The
    optimizers receive the sum v + γv'ᵀv, as in the authors' code.

    Args:
        gamma: γ, 0 or more. 10, the paper's in all its experiments, goes with RMSprop at 1e-4, whose steps do not grow
            with the gradient; plain descent at rate h needs h·γ·‖v'‖² below 2.
        critic_steps: k; the first k - 1 are the critic's alone, plain.

    Logs the norms of v's two parts: both are zero at an equilibrium.
    """

    gamma = Option(10.0, number(0))

    def directions(self, gan, real, noise):
        critic, generator = gan.players["critic"], gan.players["generator"]
        with tf.GradientTape() as joint_tape:
            with tf.GradientTape() as generator_tape:
                fake = gan.generate(noise, real.conditions)
                generator_loss = gan.generator_total_loss(real, fake, noise)
            with tf.GradientTape() as critic_tape:
                # The critic's loss depends on the generator's weights too: no stop_gradient, the Jacobian needs it.
                critic_loss = gan.critic_total_loss(real, fake, noise)
            critic_field = critic.gradients(critic_tape, critic_loss)
            generator_field = generator.gradients(generator_tape, generator_loss)
            energy = 0.5 * squared_norm(critic_field + generator_field)
        pull = mean_gradients(joint_tape, energy, critic.variables + generator.variables)
        critic_pull, generator_pull = pull[: len(critic_field)], pull[len(critic_field) :]
        of_critic = [v + self.gamma * p for v, p in zip(critic_field, critic_pull)]
        of_generator = [v + self.gamma * p for v, p in zip(generator_field, generator_pull)]
        logs = critic.logs(critic_loss, critic_field) | generator.logs(generator_loss, generator_field)
        return (of_critic, of_generator), logs
