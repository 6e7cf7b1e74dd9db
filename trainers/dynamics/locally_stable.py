"""Descent made locally stable: the generator also descends the norm of the critic's gradient. Nagarajan & Kolter 2017,
"Gradient descent GAN optimization is locally stable", section 4."""

import tensorflow as tf

from trainers.dynamics.base import JointDynamics, squared_norm
from zoo.options import Option, number


class LocallyStable(JointDynamics):
    """θ_D ← θ_D + h ∇_D V and θ_G ← θ_G - h ∇_G (V + η‖∇_D V‖²), both at the same point.

    The paper's critic *maximises* V. Here every loss is minimised: L_D = -V, so ∇_D V = -∇_D L_D, the critic's move is
    the plain θ_D - h ∇_D L_D, and the regulariser ‖∇_D V‖² = ‖∇_D L_D‖² does not depend on the sign. The generator's V
    is replaced by the objective's own L_G, which is V's generator part under `minimax` and `wasserstein` and the usual
    substitute under `non_saturating`. The regulariser moves the generator to where the critic has little to gain. It
    makes the Wasserstein game's equilibrium, around which plain descent circles, attracting (theorem 4.1).

    The critic's gradient is that of the global batch. The regulariser costs one more backward pass through it: no
    Jacobian is formed.

    The guarantee is local. Far from the equilibrium the generator can also lower the term by making a deep critic flat:
    on the ring this flattened a critic of two hidden layers for good, but not the authors' critic of one layer.

    Args:
        eta: η, 0 or more. 0.5 is the value of the authors' published example, eight Gaussians under Adam at 1e-4.
        critic_steps: k; the first k - 1 are the critic's alone.

    Logs L_G without the regulariser, and the norm of the whole direction that the generator descends.
    """

    eta = Option(0.5, number(0))

    def directions(self, gan, real, noise):
        critic, generator = gan.players["critic"], gan.players["generator"]
        with tf.GradientTape() as generator_tape:
            fake = gan.generate(noise, real.conditions)
            generator_loss = gan.generator_total_loss(real, fake, noise)
            with tf.GradientTape() as critic_tape:
                critic_loss = gan.critic_total_loss(real, fake, noise)
            critic_gradients = critic.gradients(critic_tape, critic_loss)
            total = generator_loss + self.eta * squared_norm(critic_gradients)
        generator_gradients = generator.gradients(generator_tape, total)
        logs = critic.logs(critic_loss, critic_gradients) | generator.logs(generator_loss, generator_gradients)
        return (critic_gradients, generator_gradients), logs
