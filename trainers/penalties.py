"""What keeps a critic honest: parts that objectives share and that a user can combine."""

import tensorflow as tf


def clip_weights(variables, bound, strategy):
    """Clips every weight to [-bound, bound] in place, on every replica. Arjovsky et al. 2017, algorithm 1, line 7."""

    def clip(variable):
        return variable.assign(tf.clip_by_value(variable, -bound, bound))

    def clip_all(strategy, variables):
        for variable in variables:
            strategy.extended.update(variable, clip, group=False)

    variables = [variable.value for variable in variables]
    tf.__internal__.distribute.interim.maybe_merge_call(clip_all, strategy, variables)


def interpolates(real, fake, noise):
    """x̂ = real + u (fake - real), u uniform on [0, 1) per example. Gulrajani et al. 2017, section 4.

    Args:
        real, fake: [N, ...], paired by position.
        noise: this draw's `zoo.noise.Noise`.
    """
    share = noise.uniform("interpolates", [1] * (real.shape.rank - 1))
    return real + tf.cast(share, real.dtype) * (fake - real)


def gradient_norms(critic, x):
    """‖∇ₓD(x)‖₂ of each example: [N]. Right only for a critic that does not mix examples."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = critic(x, training=True)
    gradient = tape.gradient(scores, x)
    squares = tf.reduce_sum(tf.square(gradient), axis=list(range(1, x.shape.rank)))
    # The root has no derivative at zero; a critic that is flat at x must give a zero gradient there, not NaN.
    flat = tf.equal(squares, 0.0)
    return tf.where(flat, tf.zeros_like(squares), tf.sqrt(tf.where(flat, tf.ones_like(squares), squares)))


def gradient_norm_penalty(critic, x, target=1.0):
    """E(‖∇ₓD(x)‖₂ - target)², a scalar: the two-sided penalty of Gulrajani et al. 2017, equation 3."""
    return tf.reduce_mean(tf.square(gradient_norms(critic, x) - target))
