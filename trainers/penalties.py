"""Critic regularisers, as functions of a critic and of batches, shared by objectives and techniques."""

import tensorflow as tf

from trainers.players import score
from zoo.replicas import batch_mean, replica_count


def interpolates(real, fake, noise):
    """x̂ = real + u (fake - real), u uniform on [0, 1) per example. Gulrajani et al. 2017, section 4.

    Args:
        real, fake: `zoo.batch.Batch`es of examples [N, ...], paired by position and under the same conditions.
        noise: this draw's `zoo.noise.Noise`.

    Returns:
        A `Batch` with the conditions of `real`.
    """
    share = noise.uniform("interpolates", [1] * (real.x.shape.rank - 1))
    return real._replace(x=real.x + tf.cast(share, real.x.dtype) * (fake.x - real.x))


def perturbed(real, noise, spread=0.5):
    """Points around real examples: x + α · spread · std · u, as in the released code of Kodali et al. 2017.

    u is uniform on [0, 1) per component, α per example, and std the standard deviation of all components of the global
    batch. (Their paper has Gaussian noise of a fixed scale; its results come from the code.)

    Args:
        real: a `zoo.batch.Batch` of examples [N, ...].
        noise: this draw's `zoo.noise.Noise`.
    """
    x = real.x
    # Examples have equally many components, so the mean of means is the overall mean.
    axes = list(range(1, x.shape.rank))
    mean = batch_mean(tf.reduce_mean(x, axes))
    deviation = tf.sqrt(batch_mean(tf.reduce_mean(tf.square(x - mean), axes)))
    steps = tf.cast(noise.uniform("surroundings", x.shape[1:]), x.dtype)
    share = tf.cast(noise.uniform("surroundings share", [1] * len(axes)), x.dtype)
    return real._replace(x=x + share * spread * deviation * steps)


#: Places at which a penalty takes the critic's gradient: name → function of (real, fake, noise), which returns a list
#: of `Batch`es. The penalty is the sum of those at each.
PLACES = {
    "interpolates": lambda real, fake, noise: [interpolates(real, fake, noise)],
    "real": lambda real, fake, noise: [real],
    "fake": lambda real, fake, noise: [fake],
    "both": lambda real, fake, noise: [real, fake],
    "perturbed": lambda real, fake, noise: [perturbed(real, noise)],
}


def scores_and_squared_slopes(critic, batch):
    """Scores [N, 1] and ‖∇ₓD(x)‖₂² [N, 1] of a `Batch`. Right only for a critic that does not mix examples."""
    with tf.GradientTape() as tape:
        tape.watch(batch.x)
        scores = score(critic, batch)
    gradient = tape.gradient(scores, batch.x)
    return scores, tf.reduce_sum(tf.square(gradient), axis=list(range(1, batch.x.shape.rank)))[:, None]


def squared_gradient_norms(critic, batch):
    """‖∇ₓD(x)‖₂² of each example: [N]. Right only for a critic that does not mix examples."""
    return scores_and_squared_slopes(critic, batch)[1][:, 0]


def gradient_norms(critic, batch):
    """‖∇ₓD(x)‖₂ of each example: [N]. Right only for a critic that does not mix examples."""
    squares = squared_gradient_norms(critic, batch)
    # sqrt has no derivative at zero: a critic that is flat at x gets a zero gradient instead of NaN.
    flat = tf.equal(squares, 0.0)
    return tf.where(flat, tf.zeros_like(squares), tf.sqrt(tf.where(flat, tf.ones_like(squares), squares)))


def gradient_norm_penalty(critic, batch, target=1.0):
    """E(‖∇ₓD(x)‖₂ - target)², a scalar: the two-sided penalty of Gulrajani et al. 2017, equation 3."""
    return tf.reduce_mean(tf.square(gradient_norms(critic, batch) - target))


def zero_centred_penalty(critic, batch):
    """½ E‖∇ₓD(x)‖₂², a scalar: R1 at real examples, R2 at generated ones. Mescheder et al. 2018, equation 9."""
    return 0.5 * tf.reduce_mean(squared_gradient_norms(critic, batch))


def pull_away(codes):
    """The repelling term of Zhao et al. 2016 (EBGAN), section 2.4: mean squared cosine between different examples.

    PT = 1 / (N (N - 1)) Σᵢ Σ_{j≠i} (sᵢᵀsⱼ / ‖sᵢ‖‖sⱼ‖)², over all pairs of the global batch. It is between 0 (orthogonal
    codes) and 1 (all parallel). The sum over pairs is the squared Frobenius norm of Σᵢ sᵢsᵢᵀ, so that replicas exchange
    a mean of outer products and not their codes. A code of zero has no direction: its cosines count as zero.

    Args:
        codes: [N, d], float32 or float64.

    Returns:
        Scalar; 0 for a batch of one.
    """
    epsilon = 1e-12
    directions = tf.math.l2_normalize(codes, axis=1, epsilon=epsilon)
    here = tf.cast(tf.shape(codes)[0], codes.dtype)
    outer = batch_mean(tf.matmul(directions, directions, transpose_a=True)[None] / here)
    count = here * replica_count()
    # Each code's squared cosine with itself, which is no pair: 1, or less where it is too short to be normalised.
    squares = tf.square(tf.reduce_sum(tf.square(directions), axis=1))
    short = tf.reduce_sum(tf.square(codes), axis=1) < epsilon
    own = batch_mean(tf.where(short, squares, tf.ones_like(squares)))
    return (count * tf.reduce_sum(tf.square(outer)) - own) / tf.maximum(count - 1.0, 1.0)
