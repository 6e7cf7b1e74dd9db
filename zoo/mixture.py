"""Networks of MIX+GAN: several of one family as one player. Arora et al. 2017, "Generalization and equilibrium in
generative adversarial nets (GANs)", section 5.

Components are built from a family's list of layers, so that they can share the first ones.
"""

import contextlib
import threading

import keras
import tensorflow as tf

from zoo.errors import RequestError
from zoo.families import FAMILIES
from zoo.layers import SpectralNormalization, has_virtual_batch, stack
from zoo.network import Preset
from zoo.noise import choose
from zoo.resnet import ResidualBlock

#: Layers that `shared_layers` counts. A residual block is one.
_LINEAR = (
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    SpectralNormalization,
    ResidualBlock,
)


class _Mixture(Preset):
    """Base class: the logits of the components' weights, the shared layers and each component's own."""

    def __init__(self, data_shape, components, family, network, shared_layers, **kwargs):
        # No autocast: a latent rounded to a narrower dtype could choose another component. Stacks cast their inputs.
        super().__init__(autocast=False, **kwargs)
        self.data_shape, self.components, self.family = tuple(data_shape), components, family
        self.network, self.shared_layers = dict(network or {}), shared_layers
        # Equal weights at the start.
        self.logits = self.add_weight(name="logits", shape=(components,), initializer="zeros")

    def _networks(self, network_class, part):
        """New networks of the family, one per component, whose layers are in their attribute `part`."""
        options = {"dtype": self.dtype_policy, **self.network}
        networks = [network_class(self.data_shape, **options) for _ in range(self.components)]
        if not hasattr(networks[0], part):
            raise RequestError(
                f"config.mixture.components: no mixture of {network_class.__name__}; use mlp, dcgan or resnet"
            )
        return networks

    def _split(self, input_shape, layers, spare):
        """Builds the stack `shared` by all components, and each component's own stack above it.

        Args:
            input_shape: shape of one input.
            layers: list of layers for each component.
            spare: number of linear layers, from the top, that cannot be shared.
        """
        starts = [index for index, layer in enumerate(layers[0]) if isinstance(layer, _LINEAR)]
        most = len(starts) - spare
        where = f"config.mixture.shared_layers: {self.shared_layers}"
        if self.shared_layers > most:
            raise RequestError(f"{where}; {self.name} has {most} that can be shared")
        if self.shared_layers and has_virtual_batch(layers[0]):
            raise RequestError(f"{where}; virtual batch normalisation needs a network of its own, use 0")
        cut = [*starts, len(layers[0])][self.shared_layers] if self.shared_layers else 0
        self.shared = self._stack(input_shape, layers[0][:cut])
        self.keep("top", [self._stack(self.shared.output_shape[1:], own[cut:]) for own in layers])

    def _kept(self, part):
        return [getattr(self, f"{part}_{index}") for index in range(self.components)]

    @property
    def tops(self):
        """Each component's own layers above `shared`, a list of stacks; without the heads of a critic."""
        return self._kept("top")

    def _stack(self, input_shape, layers):
        return stack(input_shape, layers or [keras.layers.Identity(dtype=self.dtype_policy)], self.dtype_policy)

    def log_weights(self):
        """Natural logarithms of the components' weights, a softmax of the logits: [components]. Differentiable."""
        return tf.nn.log_softmax(tf.convert_to_tensor(self.logits))

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "components": self.components,
            "family": self.family,
            "network": dict(self.network),
            "shared_layers": self.shared_layers,
        }


@keras.saving.register_keras_serializable("zoo")
class MixtureGenerator(_Mixture):
    """T generators of MIX+GAN and a distribution over them: Σᵢ wᵢ q(Gᵢ), w a softmax of learned logits.

    The first latent chooses the component: its normal CDF is looked up in the cumulative weights. Components take the
    other latents. Outputs have gradients for the networks, not for w: losses that train w use the outputs of `each`.
    All components compute every example and one result is kept, so that an example does not depend on its batch:
    sampling costs T networks.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        components: T, 1 or more.
        family: of the components, "mlp", "dcgan" or "resnet".
        network: dict of that family's options; its `latent_dim` is one component's.
        shared_layers: number of linear layers (dense, convolution or residual block, each with the layers that follow
            it), from the latents on, that all components share; the output layer cannot be shared.

    Input: latents [N, 1 + latent_dim of a component]. Output: float32 [N, *data_shape].

    Raises:
        RequestError: too many shared layers, shared layers with virtual batch normalisation, or a family other than
            mlp and dcgan.
    """

    def __init__(self, data_shape, components=5, family="mlp", network=None, shared_layers=0, **kwargs):
        super().__init__(data_shape, components, family, network, shared_layers, **kwargs)
        networks = self._networks(FAMILIES[family].generator_class(), "layout")
        self.latent_dim = 1 + networks[0].latent_dim
        self._split((self.latent_dim - 1,), [network.layout.layers for network in networks], spare=1)
        self.built = True

    def each(self, latents, training=False):
        """Examples of every component from latents [N, latent_dim]: [T, N, *data_shape]."""
        below = self.shared(latents[:, 1:], training=training)
        outputs = [top(below, training=training) for top in self.tops]
        return tf.reshape(tf.stack(outputs), [self.components, -1, *self.data_shape])

    def call(self, latents, training=False):
        index = choose(latents[:, 0], self.logits)
        rows = tf.stack([index, tf.range(tf.shape(index)[0])], axis=1)
        return tf.gather_nd(self.each(latents, training=training), rows)


@keras.saving.register_keras_serializable("zoo")
class MixtureCritic(_Mixture):
    """T critics of MIX+GAN and a distribution over them, a softmax of learned logits.

    The score of an example is the expectation Σⱼ vⱼ Dⱼ(x). Within `playing(j)`, scores and features are those of Dⱼ
    alone, so that code for one critic works for each component.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        components: T, 1 or more.
        family: of the components, "mlp", "dcgan" or "resnet".
        network: dict of that family's options.
        shared_layers: number of linear layers (dense, convolution or residual block, each with the layers that follow
            it), from the examples on, that all components share; the head cannot be shared.

    Input: [N, *data_shape]. Output: float32 [N, 1].

    Raises:
        RequestError: too many shared layers, shared layers with virtual batch normalisation, or a family other than
            mlp and dcgan.
    """

    def __init__(self, data_shape, components=5, family="mlp", network=None, shared_layers=0, **kwargs):
        super().__init__(data_shape, components, family, network, shared_layers, **kwargs)
        networks = self._networks(FAMILIES[family].critic_class(), "trunk")
        self.normalization = networks[0].normalization
        self.minibatch_discrimination = networks[0].minibatch_discrimination
        self._split(self.data_shape, [network.trunk.layers for network in networks], spare=0)
        self.keep("head", [network.head for network in networks])
        # Each replica traces in a thread of its own; the threads take turns.
        self._turn = threading.local()
        self.built = True

    @contextlib.contextmanager
    def playing(self, index):
        """A context in which, for this thread, component `index` alone is the critic."""
        before = getattr(self._turn, "index", None)
        self._turn.index = index
        try:
            yield
        finally:
            self._turn.index = before

    @property
    def heads(self):
        """The last layers of each component, a list of stacks."""
        return self._kept("head")

    def _players(self):
        index = getattr(self._turn, "index", None)
        return range(self.components) if index is None else [index]

    def _features(self, x, training):
        below = self.shared(x, training=training)
        return [self.tops[index](below, training=training) for index in self._players()]

    def features(self, x, training=False):
        """The layer before the head, [N, features], of the component in play; outside of `playing`, of all,
        concatenated."""
        return tf.concat(self._features(x, training), axis=1)

    def call(self, x, training=False):
        players = zip(self._players(), self._features(x, training))
        scores = [self.heads[index](features, training=training) for index, features in players]
        if len(scores) == 1:
            return scores[0]
        return tf.matmul(tf.concat(scores, axis=1), tf.exp(self.log_weights())[:, None])
