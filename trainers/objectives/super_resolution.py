"""Super-resolution by a GAN (SRGAN). Ledig et al. 2017, "Photo-realistic single image super-resolution using a
generative adversarial network"."""

import os
import types

import keras
import tensorflow as tf

from trainers.objectives.non_saturating import NonSaturating
from zoo.errors import RequestError
from zoo.options import Option, Values, number, optional
from zoo.super_resolution import downscale

_EXTRACTOR = Values(lambda value: isinstance(value, (str, keras.Model)), "the path of a .keras file, or a Keras model")


class SuperResolution(NonSaturating):
    """Generator: E c(x, G(y)) - λ E log σ(D(G(y))), y the image x downscaled by four. Critic: `minimax`.

    The perceptual loss of the paper (section 2.2, equations 3 to 6). The content loss c is the mean squared difference
    of pixels in [-1, 1], or of s φ, where φ are the features of an extractor. The paper's φ are those of VGG19, with
    s = 1/12.75, and its means are over positions alone; here they are over channels too.

    Low-resolution images are made of the batch's own, by an antialiased bicubic kernel (section 3.2). The critic sees
    images alone. With λ = 0 the generator is the paper's SRResNet.

    Args:
        adversarial_weight: λ ≥ 0.
        extractor: maps images [N, H, W, C] in [-1, 1] to features [N, ...]: a Keras model, or a .keras file of Keras'
            own layers; it is not trained. None compares pixels.
        feature_scale: s > 0; nothing to pixels.
        real_label: as of `minimax`.

    Raises:
        RequestError: an option out of range; before the first step: an extractor that is no such file or model.
    """

    derived = ("low_resolution",)
    #: Section 3.2.
    default_optimizer = types.MappingProxyType({"name": "adam", "learning_rate": 1e-4, "beta_1": 0.9, "beta_2": 0.999})
    lacks = {
        "mixture": "its generator has one image for each low-resolution one",
        "conditional": "its generator is told low-resolution images alone",
    }

    adversarial_weight = Option(1e-3, number(0))
    extractor = Option(None, optional(_EXTRACTOR))
    feature_scale = Option(1 / 12.75, number(above=0))

    def derive(self, x):
        return {"low_resolution": downscale(x)}

    def view(self, batch, kind, noise):
        """A batch as a critic sees it: images without the low-resolution ones."""
        return super().view(batch, kind, noise)._replace(conditions={})

    def check_trainable(self):
        super().check_trainable()
        if not isinstance(self.extractor, str):
            return
        where = f"{self.where}.extractor: {self.extractor!r}"
        try:
            with self.distribute_strategy.scope():
                extractor = keras.saving.load_model(os.path.expanduser(self.extractor), compile=False)
            extractor(tf.zeros([1, *self.generator.data_shape]))
        except (OSError, TypeError, ValueError, tf.errors.OpError) as error:
            shape = "×".join(map(str, self.generator.data_shape))
            reason = str(error).strip().splitlines()[0]
            raise RequestError(
                f"{where}; expected a .keras file of a network on images of {shape} ({reason})"
            ) from error
        self.extractor = extractor

    def content_loss(self, real, made):
        """c of images [N, H, W, C] and what was made of their low-resolution versions: a scalar."""
        if self.extractor is not None:
            real, made = (
                self.feature_scale * tf.cast(self.extractor(x, training=False), x.dtype) for x in (real, made)
            )
        return tf.reduce_mean(tf.square(real - made))

    def generator_total_loss(self, real, fake, noise):
        adversarial = super().generator_total_loss(real, fake, noise)
        return self.content_loss(real.x, fake.x) + self.adversarial_weight * adversarial
