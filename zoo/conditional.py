"""Class-conditional networks: a generator and a critic of family mlp, dcgan or resnet, conditioned on labels.

The generator takes an embedding of the label beside its latents. The critic takes the label in one of two ways:

- projection: Miyato & Koyama 2018, "cGANs with projection discriminator", section 3;
- concatenation with its input: Mirza & Osindero 2014, "Conditional generative adversarial nets", section 3.

Embeddings multiply one-hot labels by a matrix. So their gradients are dense, as every dynamics needs, and do not depend
on the order in which a device sums the rows of equal labels.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import RequestError
from zoo.families import CONDITIONAL_CRITICS, FAMILIES
from zoo.layers import linear, stack
from zoo.network import Preset
from zoo.noise import choose
from zoo.options import declared


class _Conditional(Preset):
    """Base class: the number of classes, and the family of the inner network."""

    #: Keys of `zoo.batch.Batch.conditions` that this network needs.
    conditions = ("label",)

    def __init__(self, data_shape, num_classes, family, network, embedding_dim, **kwargs):
        # No autocast: a latent rounded to a narrower dtype could choose another label. The inner network casts its
        # inputs.
        super().__init__(autocast=False, **kwargs)
        self.data_shape, self.num_classes, self.family = tuple(data_shape), num_classes, family
        self.network, self.embedding_dim = dict(network or {}), embedding_dim

    def _embedding(self, units, initializer):
        """A learned vector of `units` numbers for each class, as a linear map of one-hot labels."""
        layer = keras.layers.Dense(units, use_bias=False, kernel_initializer=initializer, dtype=self.variable_dtype)
        return stack((self.num_classes,), [layer], self.variable_dtype)

    def _one_hot(self, label):
        return tf.one_hot(label, self.num_classes, dtype=self.variable_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "num_classes": self.num_classes,
            "family": self.family,
            "network": dict(self.network),
            "embedding_dim": self.embedding_dim,
        }


@keras.saving.register_keras_serializable("zoo")
class ConditionalGenerator(_Conditional):
    """Latents and labels to examples: a family's generator, with an embedding of the label appended to its latents.

    Without a label, the first latent chooses one: its normal CDF is looked up in the cumulative `label_shares`. So a
    seed determines the label too, and code that samples generators from latents alone works with this one.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        num_classes: K.
        family: of the network, "mlp", "dcgan" or "resnet".
        network: dict of that family's options; its `latent_dim` z does not count the embedding.
        embedding_dim: number of components e of a label's embedding, which starts as N(0, 1/e): about as long as
            a one-hot label.

    Input: latents [N, 1 + z]; label int64 [N] in [0, K), or None. Output: float32 [N, *data_shape].

    Attributes:
        label_shares: non-trainable weight [K]: probability of each label where none is given; initially uniform.

    Raises:
        RequestError: a family whose generator has no `latent_dim` option.

    Examples:
        >>> generator = zoo.ConditionalGenerator((8, 8, 1), 10, "dcgan", {"latent_dim": 32})
        >>> generator(tf.zeros([5, 33]), label=tf.constant([0, 1, 2, 3, 4])).shape
        TensorShape([5, 8, 8, 1])
    """

    def __init__(self, data_shape, num_classes, family="mlp", network=None, embedding_dim=64, **kwargs):
        super().__init__(data_shape, num_classes, family, network, embedding_dim, **kwargs)
        made = FAMILIES[family].generator_class()
        options = declared(made)
        if "latent_dim" not in options:
            raise RequestError(f"config.generator.family: {family!r} is not told labels; use mlp, dcgan or resnet")
        latent_dim = self.network.get("latent_dim", options["latent_dim"].default)
        inner = {**self.network, "latent_dim": latent_dim + embedding_dim}
        self.inner = made(self.data_shape, dtype=self.dtype_policy, **inner)
        self.latent_dim = 1 + latent_dim
        # As strong as the latents, N(0, 1), the label would drown them: on Fashion-MNIST, after 700 steps, samples of a
        # class then spread half as much as its test images, and 81 % as much from this start.
        start = keras.initializers.RandomNormal(0.0, embedding_dim**-0.5)
        self.embedding = self._embedding(embedding_dim, start)
        self.label_shares = self.add_weight(
            name="label_shares",
            shape=(num_classes,),
            initializer=keras.initializers.Constant(1.0 / num_classes),
            trainable=False,
            aggregation="only_first_replica",
        )
        self.built = True

    def set_label_shares(self, shares):
        """Sets the probabilities of the labels where none is given: `shares`, float [K] with sum 1."""
        self.label_shares.assign(np.asarray(shares))

    def adapt(self, data):
        """Sets the probabilities of the labels to their shares among a `zoo.datasets.Dataset`'s training examples."""
        self.set_label_shares(data.class_shares())

    def labels(self, latents):
        """The labels int64 [N] that latents [N, 1 + z] choose."""
        return tf.cast(choose(latents[:, 0], tf.math.log(tf.convert_to_tensor(self.label_shares))), tf.int64)

    def call(self, latents, training=False, label=None):
        label = self.labels(latents) if label is None else label
        embedded = self.embedding(self._one_hot(label), training=training)
        own = tf.cast(latents[:, 1:], embedded.dtype)
        return self.inner(tf.concat([own, embedded], axis=1), training=training)


@keras.saving.register_keras_serializable("zoo")
class ConditionalCritic(_Conditional):
    """Examples and labels to a raw score (a logit): a family's critic, conditioned on the label.

    By projection, D(x, y) = ψ(φ(x)) + ⟨V_y, φ(x)⟩, φ the features and ψ the head of the family's critic and V_y a
    learned vector for each class. By concatenation, a learned embedding of the label is appended to the input:
    `embedding_dim` coordinates to points, one channel to images.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        num_classes: K.
        family: of the network, "mlp", "dcgan" or "resnet".
        network: dict of that family's options.
        told_by: "projection" or "concatenation".
        embedding_dim: see above; ignored by projection and for images.

    Input: [N, *data_shape]; label int64 [N] in [0, K). Output: float32 [N, 1].

    Raises:
        RequestError: an unknown `told_by`, a family whose critic has no features, or virtual batch normalisation with
            concatenation: its reference batch has no labels.
    """

    def __init__(
        self, data_shape, num_classes, family="mlp", network=None, told_by="projection", embedding_dim=64, **kwargs
    ):
        super().__init__(data_shape, num_classes, family, network, embedding_dim, **kwargs)
        if told_by not in CONDITIONAL_CRITICS:
            raise RequestError(
                f"config.conditional.critic: {told_by!r}; expected one of {', '.join(CONDITIONAL_CRITICS)}"
            )
        self.told_by = told_by
        made, shape = FAMILIES[family].critic_class(), self.data_shape
        if told_by == "concatenation":
            shape = (*shape[:-1], shape[-1] + (1 if len(shape) == 3 else embedding_dim))
        self.inner = made(shape, dtype=self.dtype_policy, **self.network)
        if not hasattr(self.inner, "trunk"):
            raise RequestError(f"config.critic.family: {family!r} is not told labels; use mlp, dcgan or resnet")
        self.normalization = self.inner.normalization
        self.minibatch_discrimination = self.inner.minibatch_discrimination
        if told_by == "projection":
            # One score per class, of which `call` takes the label's. The kernel's columns are the V_y.
            scores = keras.layers.Dense(
                num_classes, use_bias=False, kernel_initializer="glorot_uniform", dtype=self.variable_dtype
            )
            features = self.inner.trunk.output_shape[1:]
            self.projection = stack(features, [linear(scores, self.normalization)], self.variable_dtype)
        else:
            if self.normalization == "virtual_batch":
                raise RequestError(
                    "config.conditional.critic: 'concatenation'; the reference batch of virtual batch normalisation "
                    "has no labels, use projection"
                )
            size = embedding_dim if len(self.data_shape) == 1 else int(np.prod(self.data_shape[:-1]))
            self.embedding = self._embedding(size, keras.initializers.RandomNormal(0.0, 1.0))
        self.built = True

    def _told(self, x, label, training):
        """The inner network's input for examples and their labels."""
        if self.told_by == "projection":
            return x
        embedded = self.embedding(self._one_hot(label), training=training)
        if len(self.data_shape) == 3:
            embedded = tf.reshape(embedded, [-1, *self.data_shape[:-1], 1])
        return tf.concat([tf.cast(x, embedded.dtype), embedded], axis=-1)

    def features(self, x, training=False, *, label):
        """The layer before the head: [N, features]."""
        return self.inner.features(self._told(x, label, training), training=training)

    def call(self, x, training=False, *, label):
        features = self.features(x, training=training, label=label)
        scores = self.inner.head(features, training=training)
        if self.told_by == "projection":
            of_classes = self.projection(features, training=training)
            scores += tf.reduce_sum(of_classes * self._one_hot(label), axis=1, keepdims=True)
        return scores

    def get_config(self):
        return {**super().get_config(), "told_by": self.told_by}
