"""InfoGAN: latent codes that can be read off the examples. Chen et al. 2016, "InfoGAN: Interpretable representation
learning by information maximizing generative adversarial nets", sections 4 to 6."""

import tensorflow as tf

from trainers.objectives.non_saturating import NonSaturating
from trainers.players import Player, score
from zoo.codes import CodedGenerator, information
from zoo.encoder import Encoder
from zoo.errors import RequestError
from zoo.options import Option, counts, declared, number, optional, resolve, whole


class Info(NonSaturating):
    """The game of `non_saturating`, and both players minimise -λ L_I beside it, a bound on what examples tell of codes.

    Some latents are codes c: categorical ones, and continuous ones that are uniform on (-1, 1) (`zoo.CodedGenerator`).
    Equation 5 of the paper bounds their mutual information with the examples from below, in nats, by a distribution
    Q(c|x) in place of the posterior:

        L_I = E log Q(c|G(z, c)) + H(c) ≤ I(c; G(z, c)).

    Q is a product: for a categorical code of K values a softmax, with H(c) = log K, and for a continuous one a
    Gaussian, with H(c) = log 2. The recognition network gives its logits, its means, and the logarithms of its standard
    deviations. It has the critic's trunk, and a hidden layer of its own. As in the released code it is moved by the
    critic's step and optimizer, and the trunk learns from both terms.

    With standard deviations that are learned, the term of a continuous code has no upper bound: the better a code can
    be read off, the smaller they become. `scale` fixes them, 1 in the released code for MNIST, and so bounds the
    gradient; L_I is then a loose bound.

    The generator is one of the family and size that is given, with the codes' latents before its own. The paper's
    generator learns at 1e-3 (appendix C.1), which is left to the configs.

    Args:
        categories: number of values of each categorical code, a tuple.
        continuous: number of continuous codes.
        categorical_weight: λ of the categorical codes' term, 0 or more.
        continuous_weight: λ of the continuous codes' term, 0 or more.
        scale: standard deviation of Q for continuous codes, above 0, or None for learned ones.
        hidden_units: width of each hidden layer of the recognition network.
        real_label: as of `minimax`.

    Raises:
        RequestError: an option out of range, no code at all, networks of a family other than mlp, dcgan and resnet, a
            `zoo.CodedGenerator` with other codes, or, from a config, a code of more values than labelled data has
            classes: two values of it would share a class.
    """

    lacks = {
        "mixture": "its codes are read off the examples of one generator",
        "conditional": "its codes take the place of labels",
    }

    categories = Option((10,), counts())
    continuous = Option(2, whole(0))
    categorical_weight = Option(1.0, number(0))
    continuous_weight = Option(1.0, number(0))
    scale = Option(None, optional(number(above=0)))
    hidden_units = Option((128,), counts())

    def __init__(self, generator, critic, **kwargs):
        super().__init__(self.compose_generator(generator, kwargs), critic, **kwargs)
        if not hasattr(critic, "trunk"):
            raise RequestError(
                f"config.critic.family: codes read off a {type(critic).__name__}; use mlp, dcgan or resnet"
            )
        # Spectral normalisation bounds a critic's slope; a virtual batch needs a reference of its own.
        normalization = critic.normalization if critic.normalization in ("batch", "layer") else "none"
        network = {"hidden_units": self.hidden_units, "activation": "leaky_relu", "normalization": normalization}
        outputs = sum(self.categories) + self.continuous * (2 if self.scale is None else 1)
        features = critic.trunk.output_shape[1:]
        self.add_network("recognition", Encoder(features, outputs, "mlp", network, dtype=critic.dtype_policy))

    @classmethod
    def compose_generator(cls, generator, options, spec=None):
        known = {name: declared(cls)[name] for name in ("categories", "continuous")}
        codes = resolve(known, {name: options.get(name) for name in known}, cls.where, cls.__name__)
        classes = spec and spec.num_classes
        if classes and max(codes["categories"], default=0) > classes:
            raise RequestError(
                f"{cls.where}.categories: {codes['categories']}; expected at most {classes} values of a code, "
                "as many as the data has classes"
            )
        return CodedGenerator.like(generator, **codes, where=cls.where)

    def make_players(self):
        _, generator = super().make_players()
        return [Player("critic", self.critic, self.recognition, constrain=self.constrain), generator]

    def is_constrained(self, variable):
        return not any(variable is other for other in self.recognition.variables)

    def posterior(self, x):
        """Q's parameters for examples [N, ...], [N, sum(categories) + 2c]; of continuous codes means alone if `scale`
        is given."""
        return self.recognition(self.critic.features(x, training=False), training=False)

    def score_and_information(self, fake):
        """Scores [N, 1] of a generated `Batch`, and λ L_I, a scalar; the critic's trunk is run once for both."""
        features = self.critic.features(fake.x, training=True)
        posterior = self.recognition(features, training=True)
        codes = self.generator.codes(fake.latents)
        categorical, continuous = information(posterior, *codes, self.categories, self.scale)
        weighted = self.categorical_weight * categorical + self.continuous_weight * continuous
        return self.critic.head(features, training=True), tf.reduce_mean(weighted)

    def compute_critic_loss(self, real, fake, noise):
        fake_scores, weighted = self.score_and_information(fake)
        return self.critic_loss(score(self.critic, real), fake_scores) - weighted

    def compute_generator_loss(self, real, fake, noise):
        fake_scores, weighted = self.score_and_information(fake)
        return self.generator_loss(fake_scores) - weighted
