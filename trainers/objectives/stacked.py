"""Images of captions, in two stages (StackGAN). Zhang et al. 2017, "StackGAN: Text to photo-realistic image synthesis
with stacked generative adversarial networks"."""

import tensorflow as tf

from trainers.objectives._staged import Staged
from trainers.objectives.non_saturating import NonSaturating
from trainers.players import score
from zoo.options import Option, number, whole
from zoo.replicas import next_rows


class Stacked(Staged, NonSaturating):
    """Critic: E sp(-D(x, t)) + ½ E sp(D(x, t')) + ½ E sp(D(G(z, t), t)). Generator: E sp(-D(G(z, t), t)) + λ KL.

    x is an image, t its caption, t' that of another image: the critic learns to tell whether they match (section 3.4;
    Reed et al. 2016, "Generative adversarial text to image synthesis", section 4.2; the halves are those of the
    released code). Where t' is the same text as t, the pair counts nothing. KL is that of conditioning augmentation,
    equation 2, from N(0, I), divided by the number of components, as the released code does.

    Stage I is trained for `first_steps`; then it rests, and stage II is trained (section 3.5). Where it begins, the
    optimizers start anew.

    Args:
        first_steps: the paper's 600 epochs of 8,855 images, in batches of 64.
        divergence_weight: λ ≥ 0.

    Raises:
        RequestError: an option out of range, networks without these stages, or a learning rate that falls.
    """

    reads = ("caption",)
    critic_families = ("stacked",)
    lacks = {
        "mixture": "its networks are told captions",
        "conditional": "its networks are told captions in place of labels",
    }
    #: The paper's critic has hard targets.
    real_label = 1.0

    first_steps = Option(83_000, whole(1))
    divergence_weight = Option(1.0, number(0))

    def level(self, step):
        return tf.cast(step >= self.first_steps, tf.float32)

    @property
    def seams(self):
        return [self.first_steps]

    def compute_critic_loss(self, real, fake, noise):
        caption = real.conditions["caption"]
        other = next_rows(caption)
        wrong = score(self.critic, real._replace(conditions={"caption": other}))
        differs = tf.cast(tf.reduce_any(tf.not_equal(caption, other), axis=1, keepdims=True), wrong.dtype)
        mismatched = tf.reduce_mean(differs * tf.nn.softplus(wrong))
        generated = tf.reduce_mean(tf.nn.softplus(score(self.critic, fake)))
        matched = tf.reduce_mean(tf.nn.softplus(-score(self.critic, real)))
        return matched + 0.5 * (mismatched + generated)

    def compute_generator_loss(self, real, fake, noise):
        adversarial = super().compute_generator_loss(real, fake, noise)
        divergence = tf.reduce_mean(self.generator.divergence(fake.conditions["caption"]))
        return adversarial + self.divergence_weight * divergence
