"""Encoders: examples to codes, with the layers of a critic. Che et al. 2016 (MRGAN) use "the same architecture as the
discriminator, except for the output"."""

import keras

from zoo.errors import RequestError
from zoo.families import FAMILIES, described
from zoo.layers import stack
from zoo.network import Preset


@keras.saving.register_keras_serializable("zoo")
class Encoder(Preset):
    """The layers of a critic up to its score, and a linear map from there to a code.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        code_dim: number of components of a code; the generator's `latent_dim` to infer its input.
        family: whose critic: "mlp", "dcgan" or "resnet".
        network: dict of that critic's options.

    Input: [N, *data_shape]. Output: float32 [N, code_dim], unbounded.

    Examples:
        >>> zoo.Encoder((2,), 16, "mlp", {"hidden_units": (64,)})(tf.zeros([5, 2])).shape
        TensorShape([5, 16])
    """

    def __init__(self, data_shape, code_dim, family="mlp", network=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.data_shape, self.code_dim, self.family = tuple(data_shape), code_dim, family
        self.network = dict(network or {})
        critic = FAMILIES[family].critic_class()(self.data_shape, dtype=self.dtype_policy, **self.network)
        self.trunk = critic.trunk
        code = keras.layers.Dense(code_dim, dtype=self.variable_dtype)
        self.head = stack(self.trunk.output_shape[1:], [code], self.variable_dtype)
        self.built = True

    @classmethod
    def beside(cls, critic, code_dim):
        """A fresh encoder of the family and size of `critic`.

        Raises:
            RequestError: the critic's family is no mlp, dcgan or resnet.
        """
        # For a conditional critic its inner network: codes depend on examples alone.
        inner = getattr(critic, "inner", critic)
        family, network = described(inner, "critic", "an encoder beside")
        if not hasattr(inner, "trunk"):
            raise RequestError(
                f"config.critic.family: an encoder beside a {type(inner).__name__}; use mlp, dcgan or resnet"
            )
        if network.get("normalization") not in ("batch", "layer"):
            # Spectral normalisation bounds a critic's slope; a virtual batch needs the critic's own reference.
            network["normalization"] = "none"
        network.pop("minibatch_discrimination", None)
        return cls(critic.data_shape, code_dim, family, network, dtype=critic.dtype_policy)

    def call(self, x, training=False):
        return self.head(self.trunk(x, training=training), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "code_dim": self.code_dim,
            "family": self.family,
            "network": dict(self.network),
        }
