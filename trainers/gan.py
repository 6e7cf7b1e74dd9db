"""The two-player template that objectives fill in.

A method changes one of four things, each with its own package: the losses (`trainers.objectives`, subclasses of `GAN`),
the critic's regularisation and inputs (`trainers.techniques`), how the players move (`trainers.dynamics`), and the
networks (`zoo`).
"""

import tensorflow as tf

from trainers.dynamics.alternating import Alternating
from trainers.model import GenerativeModel
from trainers.players import Player, score
from trainers.techniques.base import Technique
from zoo.errors import RequestError
from zoo.layers import check_reference


class GAN(GenerativeModel):
    """A generator and a critic that train each other.

    Subclasses are the objectives. Most override only `critic_loss` and `generator_loss`, pure functions of scores; one
    that needs the examples themselves overrides `compute_critic_loss` or `compute_generator_loss`; one whose paper
    adds a player overrides `make_players` and `play`.

    Args:
        generator, seed, ema_decay: as of `trainers.model.GenerativeModel`.
        critic: maps examples to raw scores [N, 1], or to vectors where these are compared; has `features`.
        dynamics: how the players move, a `trainers.dynamics` object; if None `alternating` with the paper's options.
        techniques: `trainers.techniques` objects, applied in this order.

    Raises:
        RequestError: the parts are incompatible; the message names them and an alternative.

    Examples:
        >>> data = zoo.datasets.load("digits")
        >>> gan = NonSaturating(zoo.DCGANGenerator(data.data_shape), zoo.DCGANCritic(data.data_shape))
        >>> gan.compile()
        >>> gan.fit(data.batches("train", 64, seed=0), steps_per_epoch=100, epochs=10)
        >>> images = gan.sample(range(16))
    """

    configured = optimized = ("generator", "critic")
    #: Normalisation that the objective's paper uses in a convolutional critic; None for that of the critic's family.
    critic_normalization = None
    #: Number of outputs of its critic: 1, a score, or those that its paper compares as a vector.
    critic_output_dim = 1
    #: Network families, by the names of `zoo.families`, allowed for its critic; () allows any.
    critic_families = ()
    #: Whether the critic's loss contains gradients at single examples, so that the critic must not mix examples.
    penalises_gradients = False

    def __init__(self, generator, critic, *, dynamics=None, techniques=(), **kwargs):
        super().__init__(generator, **kwargs)
        self.add_network("critic", critic)
        self.dynamics = dynamics or Alternating(**self.default_dynamics_options)
        self.techniques = (*techniques, *self.own_techniques())
        check_composition(self)
        self._of_techniques = {
            f"technique_{index}_{name}": variable
            for index, technique in enumerate(self.techniques)
            for name, variable in technique.build(self).items()
        }

    # Overridden by objectives.

    def own_techniques(self):
        """Techniques that are a part of the objective; they come after all others."""
        return ()

    def critic_loss(self, real_scores, fake_scores):
        """The critic's loss: scores [N, 1] of real and of generated examples → scalar mean."""
        raise NotImplementedError(f"{type(self).__name__} defines no critic_loss")

    def generator_loss(self, fake_scores):
        """The generator's loss: scores [N, 1] of generated examples → scalar mean."""
        raise NotImplementedError(f"{type(self).__name__} defines no generator_loss")

    def compute_critic_loss(self, real, fake, noise):
        """The critic's loss, a scalar, on `Batch`es rather than scores; `noise` is this draw's `zoo.noise.Noise`."""
        return self.critic_loss(score(self.critic, real), score(self.critic, fake))

    def compute_generator_loss(self, real, fake, noise):
        """The generator's loss, a scalar, on `Batch`es."""
        return self.generator_loss(score(self.critic, fake))

    def make_players(self):
        return [Player("critic", self.critic, constrain=self.constrain), Player("generator", self.generator)]

    def play(self, batches):
        """Takes one step of the dynamics. Objectives with further players override it."""
        logs = self.dynamics.step(self, batches)
        self._observe(batches[-1], self.noise(tf.shape(batches[-1].x)[0], len(batches) - 1))
        return logs

    @property
    def batches_per_step(self):
        return self.dynamics.batches_per_step

    @property
    def critics(self):
        """The players that tell real examples from generated ones."""
        return (self.players["critic"],)

    def is_constrained(self, variable):
        """Whether techniques that constrain a critic's weights act on this variable."""
        return True

    # Used by dynamics.

    def critic_total_loss(self, real, fake, noise):
        """The critic's loss for dynamics: the objective's, on batches as the critic sees them, plus penalties."""
        real, fake = self.view(real, "real", noise), self.view(fake, "fake", noise)
        loss = self.compute_critic_loss(real, fake, noise)
        return self.with_penalties(loss, self.critic, real, fake, noise)

    def generator_total_loss(self, real, fake, noise):
        """The generator's loss for dynamics: the objective's, on batches as the critic sees them."""
        real, fake = self.view(real, "real", noise), self.view(fake, "fake", noise)
        return self.compute_generator_loss(real, fake, noise)

    def view(self, batch, kind, noise):
        """A batch as a critic sees it, after all techniques. Each `kind` ("real", "fake", …) draws its own noise."""
        for technique in self.techniques:
            batch = technique.view(batch, kind, noise, self.step.value)
        return batch

    def with_penalties(self, loss, critic, real, fake, noise):
        """`loss` plus the techniques' penalties; `real` and `fake` are as the critic sees them."""
        for technique in self.techniques:
            penalty = technique.critic_penalty(critic, real, fake, noise, self.step.value)
            if penalty is not None:
                loss += penalty
        return loss

    def constrain(self, variable, value):
        """Projects a critic's weight after an update, by all techniques in order."""
        if self.is_constrained(variable):
            for technique in self.techniques:
                value = technique.constrain(value)
        return value

    def _observe(self, real, noise):
        # One more pass of the critic, only for techniques that observe.
        observers = [part for part in self.techniques if type(part).observe is not Technique.observe]
        if observers:
            scores = score(self.critic, self.view(real, "real", noise))
            for technique in observers:
                technique.observe(scores)

    # Training.

    def compile(self, *args, **kwargs):
        super().compile(*args, **kwargs)
        with self.distribute_strategy.scope():
            self.dynamics.build(self)

    def check_trainable(self):
        for critic in self.critics:
            for network in critic.networks:
                check_reference(network)

    def state(self):
        return {**super().state(), **self._of_techniques, "dynamics": self.dynamics}


def check_composition(gan):
    """Raises RequestError, with an alternative, where the parts of a GAN are incompatible."""
    objective, play = (type(part).__module__.rpartition(".")[2] for part in (gan, gan.dynamics))
    for trait in gan.dynamics.needs:
        if trait in gan.lacks:
            raise RequestError(f"config.dynamics: {play!r} does not compose with {objective!r}: {gan.lacks[trait]}")
    outputs = getattr(gan.critic, "output_dim", 1)
    if outputs > 1 and gan.critic_output_dim == 1:
        raise RequestError(f"config.critic.output_dim: {outputs}; {objective} compares scores, use 1")
    penalties = [part.name for part in gan.techniques if part.penalises_gradients]
    if penalties and "score" in gan.lacks:
        reason = f"it penalises a score's gradient; {objective!r}: {gan.lacks['score']}"
        raise RequestError(f"config.techniques.{penalties[0]}: {reason}; leave it out")
    if not gan.penalises_gradients and not penalties:
        return
    who = objective if gan.penalises_gradients else f"config.techniques.{penalties[0]}"
    reason = f"{who} penalises the gradient at each"
    if getattr(gan.critic, "normalization", None) == "batch":
        where = "config.critic.normalization"
        raise RequestError(f"{where}: 'batch' mixes examples, but {reason}; use 'layer', 'spectral' or 'none'")
    kernels = getattr(gan.critic, "minibatch_discrimination", 0)
    if kernels:
        where = "config.critic.minibatch_discrimination"
        raise RequestError(f"{where}: {kernels} kernels compare examples, but {reason}; use 0")
