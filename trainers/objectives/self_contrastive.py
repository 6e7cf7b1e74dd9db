"""Self-contrastive estimation: the noise is the model itself, copied at every step. Goodfellow 2014b, "On
distinguishability criteria for estimating generative models"."""

import tensorflow as tf

from trainers.objectives.noise_contrastive import NoiseContrastive


class SelfContrastive(NoiseContrastive):
    """`noise_contrastive` with p_noise = q, the model at the start of the step, not differentiated.

    Then r = 0 and σ(r) = ½ everywhere, the loss is log 4 throughout, and its gradient
    -½ E_p ∇log q(x) + ½ E_q ∇log q(x') has the expectation of maximum likelihood's, times ½: the second expectation is
    zero. Its sample adds variance. So this objective is for study, not for training: it shows what noise-contrastive
    estimation leaves out, and its limit with ever better noise.

    Raises:
        RequestError: a generator without a density.
    """

    noise_mean = noise_scale = None  # The model has the place of the fixed noise.

    def contrast(self, noise):
        return tf.stop_gradient(self.generate(noise).x)

    def contrast_log_density(self, x):
        return tf.stop_gradient(self.generator.log_density(x))
