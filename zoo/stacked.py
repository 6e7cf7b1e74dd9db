"""Networks of StackGAN: Zhang et al. 2017, "StackGAN: Text to photo-realistic image synthesis with stacked generative
adversarial networks" (section 3).

Stage I makes small images of a caption, stage II makes images four times as high and wide of these and the caption.
Both have a generator and a critic. Level 0 is stage I, level 1 stage II, see `zoo.stages`; images always have their
full size: those of stage I are repeated to that, and averaged from it.

Differences from the paper: layer normalisation takes the place of batch normalisation, whose statistics cannot be those
of several replicas in a stage's branch; and each network reads captions by a text encoder of its own, trained with it,
where the paper has an embedding that was trained before.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.captions import PADDING, Tokenizer
from zoo.errors import RequestError
from zoo.families import FACTOR, check_stacked_shape
from zoo.layers import Doubling, normalization_layers, score_head, stack
from zoo.noise import choose
from zoo.options import Option, whole
from zoo.resampling import average, enlarge
from zoo.stages import Staged, at_stage
from zoo.super_resolution import Skip

#: Held-out captions that a generator holds, for seeds to choose from.
HELD = 256
#: Side of the smallest maps, in pixels.
_LEAST = 4


class TextEncoder(keras.layers.Layer):
    """Captions to vectors: learned vectors of words, a convolution over three words each, and its maxima over places.

    Kim 2014, "Convolutional neural networks for sentence classification", section 2, with one width.

    Args:
        vocabulary_size, length: of the `zoo.captions.Tokenizer`.
        units: of the words' vectors, and of the result.

    Input: int [N, length]. Output: [N, units].
    """

    def __init__(self, vocabulary_size, length, units, **kwargs):
        super().__init__(**kwargs)
        # One number for each word, and one for unknown ones; padding is all zeros.
        self.depth = vocabulary_size + 1
        maps = [
            keras.layers.Dense(units, use_bias=False, dtype=self.dtype_policy),
            keras.layers.Conv1D(units, 3, padding="same", dtype=self.dtype_policy),
            keras.layers.LeakyReLU(0.2, dtype=self.dtype_policy),
        ]
        self.layout = stack((length, self.depth), maps, self.dtype_policy)
        self.built = True

    def call(self, tokens):
        # A product with one-hot words, not a look-up: its gradient is dense, as every dynamics needs.
        # Not one_hot(tokens - 1): ONNX counts negative numbers from the end.
        one_hot = tf.one_hot(tokens, 1 + self.depth, dtype=self.compute_dtype)[:, :, 1 + PADDING :]
        words = self.layout(one_hot)
        there = tf.not_equal(tokens, PADDING)
        # A caption without words has one place, so that the maximum is a number.
        there = tf.concat([tf.ones_like(there[:, :1]), there[:, 1:]], axis=1)
        return tf.reduce_max(tf.where(there[:, :, None], words, words.dtype.min), axis=1)


class _Captioned(Staged):
    """What both networks share: the words that they know.

    Args:
        data_shape: (H, W, C) of the images, H = W = 32, 64, 128, …, 1 or 3 channels.
        vocabulary, caption_words: as of `zoo.datasets.DataSpec`.
    """

    #: Keys of `zoo.batch.Batch.conditions` that this network needs.
    conditions = ("caption",)

    base_filters = Option(64, whole(1))
    text_units = Option(128, whole(1))

    def __init__(self, data_shape, vocabulary=(), caption_words=1, **kwargs):
        check_stacked_shape(data_shape)
        # No autocast: a latent rounded to a narrower dtype could choose another caption.
        super().__init__(data_shape, 1, autocast=False, **kwargs)
        self.vocabulary, self.caption_words = tuple(vocabulary), caption_words

    @classmethod
    def facts(cls, spec):
        if spec.vocabulary is None:
            raise RequestError("config.data.source: data without captions; stacked networks make images of captions")
        return {"vocabulary": spec.vocabulary, "caption_words": spec.caption_words}

    def get_config(self):
        return {**super().get_config(), "vocabulary": self.vocabulary, "caption_words": self.caption_words}

    def _text_encoder(self):
        return TextEncoder(len(self.vocabulary), self.caption_words, self.text_units, dtype=self.dtype_policy)

    def _convolved(self, filters, kernel, strides=1, normalised=True, activation=None):
        """A convolution, layer normalisation, and an activation, ReLU if None: a list of layers."""
        behind = normalization_layers("layer", self.dtype_policy) if normalised else []
        # Never a bias: where no normalisation follows, TensorFlow's optimizer logs an error as it joins bias and
        # activation inside a branch.
        convolution = keras.layers.Conv2D(filters, kernel, strides, "same", use_bias=False, dtype=self.dtype_policy)
        return [convolution, *behind, activation or keras.layers.ReLU(dtype=self.dtype_policy)]

    def _upsampled(self, filters):
        return [Doubling(dtype=self.dtype_policy), *self._convolved(filters, 3)]


def _doublings(side):
    return int(np.log2(side // _LEAST))


def _spread(vectors, maps):
    """Maps [N, h, w, F] with vectors [N, c] appended at each place."""
    _, height, width, _ = maps.shape
    repeated = tf.tile(vectors[:, None, None], [1, height, width, 1])
    return tf.concat([maps, tf.cast(repeated, maps.dtype)], axis=-1)


@keras.saving.register_keras_serializable("zoo")
class StackedGenerator(_Captioned):
    """Latents and captions to images, in two stages. Sections 3.2 to 3.5 of the paper.

    Each stage has its own conditioning augmentation: a vector drawn from N(μ(φ), diag σ(φ)²), φ the text encoder's
    vector of the caption. In stage II the text encoder and all of stage I rest.

    Latents hold all that is drawn. Without a caption, the first one chooses among those that the network holds, all
    with the same probability: captions of held-out images, set by `adapt`. So a seed determines the image, and code
    that samples generators from latents alone works with this one.

    Args:
        data_shape, vocabulary, caption_words: as of `_Captioned`.
        noise_dim: number of noise components of stage I, the paper's N_z.
        condition_dim: components of an augmented condition, the paper's N_g.
        blocks: residual blocks of stage II; the paper has 4 for 256 pixels and 2 for 128.
        base_filters: channels of stage I's last maps and of stage II's first; they double with each halving.
        text_units: components of φ.

    Input: latents [N, 1 + noise_dim + 2 condition_dim]; caption int64 [N, caption_words] of the `tokenizer`, or None.
    Output: [N, H, W, C] in [-1, 1].

    Attributes:
        held: non-trainable weight int32 [HELD, caption_words]; no words until set.

    Raises:
        RequestError: unsupported image shape, or an option out of range.
    """

    noise_dim = Option(100, whole(1))
    condition_dim = Option(128, whole(1))
    blocks = Option(4, whole(0))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        dtype, channels = self.dtype_policy, data_shape[2]
        self.latent_dim = 1 + self.noise_dim + 2 * self.condition_dim
        self.text = self._text_encoder()
        # Means and logarithms of standard deviations.
        self.augmentations = self.keep(
            "augmentation",
            [
                stack((self.text_units,), [keras.layers.Dense(2 * self.condition_dim, dtype=dtype)], dtype)
                for _stage in range(2)
            ],
        )
        side = data_shape[0] // FACTOR
        doublings, filters = _doublings(side), self.base_filters
        widest = filters * 2**doublings
        maps = [
            keras.layers.Dense(_LEAST**2 * widest, use_bias=False, dtype=dtype),
            keras.layers.Reshape((_LEAST, _LEAST, widest), dtype=dtype),
            *normalization_layers("layer", dtype),
            keras.layers.ReLU(dtype=dtype),
        ]
        for step in reversed(range(doublings)):
            maps += self._upsampled(filters * 2**step)
        self.first = stack((self.noise_dim + self.condition_dim,), [*maps, *self._image(channels)], dtype)
        halvings = min(2, doublings)
        least, widest = side // 2**halvings, filters * 2**halvings
        maps = self._convolved(filters, 3, normalised=False)
        for step in range(1, halvings + 1):
            maps += self._convolved(filters * 2**step, 4, 2)
        self.down = stack((side, side, channels), maps, dtype)
        maps = [*self._convolved(widest, 3), *(layer for _ in range(self.blocks) for layer in self._residual(widest))]
        for step in range(1, int(np.log2(data_shape[0] // least)) + 1):
            maps += self._upsampled(max(1, widest // 2**step))
        joint = (least, least, widest + self.condition_dim)
        self.up = stack(joint, [*maps, *self._image(channels)], dtype)
        self.held = self.add_weight(
            name="held",
            shape=(HELD, self.caption_words),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self._tokenizer = Tokenizer(self.vocabulary, self.caption_words)
        self.built = True

    def _residual(self, filters):
        """ReLU(x + f(x)), f two 3×3 convolutions with layer normalisation: a list of layers."""
        first, second = (self._convolved(filters, 3) for _ in range(2))
        return [Skip(filters, [*first, *second[:-1]], dtype=self.dtype_policy), second[-1]]

    def _image(self, channels):
        convolution = keras.layers.Conv2D(channels, 3, padding="same", dtype=self.dtype_policy)
        return [convolution, keras.layers.Activation("tanh", dtype=self.variable_dtype)]

    @property
    def tokenizer(self):
        """The `zoo.captions.Tokenizer` of captions."""
        return self._tokenizer

    def adapt(self, data):
        """Sets the captions that latents choose from: those of the first test images of a `zoo.datasets.Dataset`, of
        its training images where there are none, repeated if there are fewer than HELD."""
        split = "test" if data.num_examples("test") else "train"
        texts = [each[0] for each in data.captions.texts(split)[:HELD]]
        self.held.assign(np.resize(self.tokenizer(tf.constant(texts)), self.held.shape))

    def captions(self, latents):
        """The captions int64 [N, caption_words] that latents choose."""
        held = tf.convert_to_tensor(self.held)
        return tf.cast(tf.gather(held, choose(latents[:, 0], tf.zeros([HELD]))), tf.int64)

    def condition(self, caption, stage):
        """Mean and logarithm of the standard deviation of a stage's condition: two tensors [N, condition_dim]."""
        features = self.text(caption)
        if stage:
            features = tf.stop_gradient(features)
        return tf.split(self.augmentations[stage](features), 2, axis=1)

    def divergence(self, caption):
        """KL(N(μ, diag σ²) ‖ N(0, I)) / condition_dim of the present stage's condition of captions: [N], in nats."""

        def of(stage):
            mean, log_scale = self.condition(caption, stage)
            terms = tf.square(mean) + tf.exp(2.0 * log_scale) - 1.0 - 2.0 * log_scale
            return 0.5 * tf.reduce_mean(tf.cast(terms, self.variable_dtype), axis=1)

        return at_stage(self.present_level, 1, of)

    def call(self, latents, training=False, caption=None):
        caption = self.captions(latents) if caption is None else caption
        own = tf.cast(latents[:, 1:], self.compute_dtype)
        noise, *draws = tf.split(own, [self.noise_dim, self.condition_dim, self.condition_dim], axis=1)

        def augmented(stage):
            mean, log_scale = self.condition(caption, stage)
            return mean + tf.exp(log_scale) * draws[stage]

        def made(stage):
            small = self.first(tf.concat([noise, augmented(0)], axis=1), training=training)
            if not stage:
                return enlarge(small, FACTOR)
            maps = self.down(tf.stop_gradient(small), training=training)
            return self.up(_spread(augmented(1), maps), training=training)

        images = at_stage(self.present_level, 1, made)
        images.set_shape([None, *self.data_shape])
        return images


@keras.saving.register_keras_serializable("zoo")
class StackedCritic(_Captioned):
    """Images and captions to a raw score (a logit), by a network for each stage. Sections 3.3 to 3.5 of the paper.

    4×4 convolutions of stride 2 halve the maps to 4×4; the caption's vector is appended at each place; a 1×1
    convolution joins both.

    Args:
        data_shape, vocabulary, caption_words: as of `_Captioned`.
        base_filters: channels of the first maps; they double with each halving up to 8 times.
        text_units: components of the caption's vector, the paper's N_d.

    Input: [N, H, W, C] in [-1, 1]; caption int64 [N, caption_words]. Output: [N, 1].

    Raises:
        RequestError: unsupported image shape, or an option out of range.
    """

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        dtype = self.dtype_policy
        texts, trunks, joints, heads = [], [], [], []
        for side in (data_shape[0] // FACTOR, data_shape[0]):
            maps = []
            for step in range(_doublings(side)):
                filters = self.base_filters * 2 ** min(step, 3)
                maps += self._convolved(filters, 4, 2, bool(step), keras.layers.LeakyReLU(0.2, dtype=dtype))
            trunk = stack((side, side, data_shape[2]), maps, dtype)
            joint = trunk.output_shape[-1] + self.text_units
            # As many features in both stages.
            joined = self._convolved(4 * self.base_filters, 1, 1, True, keras.layers.LeakyReLU(0.2, dtype=dtype))
            flat = keras.layers.Flatten(dtype=dtype)
            texts.append(self._text_encoder())
            trunks.append(trunk)
            joints.append(stack((_LEAST, _LEAST, joint), [*joined, flat], dtype))
            heads.append(score_head(joints[-1].output_shape[1:], "none", self.variable_dtype))
        self.texts, self.trunks = self.keep("text", texts), self.keep("trunk", trunks)
        self.joints, self.heads = self.keep("joint", joints), self.keep("head", heads)
        self.built = True

    def _features(self, stage, x, caption, training):
        x = tf.cast(x, self.compute_dtype)
        maps = self.trunks[stage](x if stage else average(x, FACTOR), training=training)
        return self.joints[stage](_spread(self.texts[stage](caption), maps), training=training)

    def features(self, x, training=False, *, caption):
        """The layer before the head, of the present stage: [N, features]."""
        features = at_stage(self.present_level, 1, lambda stage: self._features(stage, x, caption, training))
        features.set_shape([None, self.joints[0].output_shape[-1]])
        return features

    def call(self, x, training=False, *, caption):
        def score(stage):
            return self.heads[stage](self._features(stage, x, caption, training), training=training)

        scores = at_stage(self.present_level, 1, score)
        scores.set_shape([None, 1])
        return scores
