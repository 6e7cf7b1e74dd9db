"""Autoencoders as critics: the energy of an example is its reconstruction error. Zhao, Mathieu & LeCun 2016,
"Energy-based generative adversarial networks", section 2.3."""

import keras
import tensorflow as tf

from zoo.dcgan import DCGANGenerator
from zoo.encoder import Encoder
from zoo.families import NORMALIZATIONS
from zoo.mlp import MLPGenerator
from zoo.network import ACTIVATION, Network
from zoo.options import Option, counts, one_of, whole


class _Autoencoder(Network):
    """Base class: D(x) = ‖Dec(Enc(x)) - x‖₂. A subclass makes `encoder` and `decoder`."""

    def __init__(self, data_shape, **kwargs):
        # No autocast: energies are distances to the inputs, which a narrower dtype would round.
        super().__init__(data_shape, autocast=False, **kwargs)
        # Spectral normalisation is for critics, and the reference of a virtual batch holds examples, not codes.
        self._decoder_normalization = self.normalization if self.normalization in ("batch", "layer") else "none"

    def features(self, x, training=False):
        """The code: [N, code_dim]."""
        return self.encoder(x, training=training)

    def decode(self, codes, training=False):
        """Codes [N, code_dim] to examples [N, *data_shape]."""
        return self.decoder(codes, training=training)

    def reconstruct(self, x, training=False):
        """Dec(Enc(x)): [N, *data_shape]."""
        return self.decode(self.features(x, training=training), training=training)

    def energy(self, x, codes, training=False):
        """‖Dec(codes) - x‖₂ of each example: [N, 1]."""
        difference = tf.cast(self.decode(codes, training=training), x.dtype) - x
        squares = tf.reduce_sum(tf.square(difference), axis=list(range(1, x.shape.rank)))[:, None]
        # sqrt has no derivative at zero: a perfect reconstruction gets a zero gradient instead of NaN.
        perfect = tf.equal(squares, 0.0)
        return tf.where(perfect, tf.zeros_like(squares), tf.sqrt(tf.where(perfect, tf.ones_like(squares), squares)))

    def call(self, x, training=False):
        return self.energy(x, self.features(x, training=training), training=training)


@keras.saving.register_keras_serializable("zoo")
class MLPAutoencoder(_Autoencoder):
    """Points or images to a reconstruction error, through fully connected layers.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        code_dim: number of components of a code.
        hidden_units: width of the encoder's hidden layers; the decoder's are the reverse.
        activation: of the hidden layers.
        normalization: of the hidden layers: "none", "batch", "layer"; the encoder's only: "spectral", "virtual_batch".

    Input: [N, *data_shape]. Output: float32 [N, 1], 0 or more.
    """

    code_dim = Option(32, whole(1))
    hidden_units = Option((128, 128), counts())
    activation = Option("relu", ACTIVATION)
    normalization = Option("none", one_of(*NORMALIZATIONS))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        network = {
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "normalization": self.normalization,
        }
        self.encoder = Encoder(data_shape, self.code_dim, "mlp", network, dtype=self.dtype_policy)
        self.decoder = MLPGenerator(
            data_shape,
            latent_dim=self.code_dim,
            hidden_units=self.hidden_units[::-1],
            activation=self.activation,
            normalization=self._decoder_normalization,
            dtype=self.dtype_policy,
        )
        self.built = True


@keras.saving.register_keras_serializable("zoo")
class DCGANAutoencoder(_Autoencoder):
    """Images to a reconstruction error: a DCGAN critic's layers encode, a DCGAN generator decodes.

    Args:
        data_shape: (H, W, C), square, side in zoo.families.IMAGE_SIZES, 1 or 3 channels.
        code_dim: number of components of a code.
        base_filters: channels of the largest maps; each smaller map has twice as many.
        normalization: "batch" (the paper's), "layer", "none"; the encoder's only: "spectral", "virtual_batch".

    Input: [N, H, W, C] in [-1, 1]. Output: float32 [N, 1], 0 or more.

    Raises:
        RequestError: unsupported image shape, or unknown normalisation.
    """

    code_dim = Option(64, whole(1))
    base_filters = Option(64, whole(1))
    normalization = Option("batch", one_of(*NORMALIZATIONS))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        network = {"base_filters": self.base_filters, "normalization": self.normalization}
        self.encoder = Encoder(data_shape, self.code_dim, "dcgan", network, dtype=self.dtype_policy)
        self.decoder = DCGANGenerator(
            data_shape,
            latent_dim=self.code_dim,
            base_filters=self.base_filters,
            normalization=self._decoder_normalization,
            dtype=self.dtype_policy,
        )
        self.built = True
