"""Base classes of techniques, which act on a critic's inputs, loss or weights with any objective."""

from zoo.options import Configured, Option, declared, number, one_of, whole


class Technique(Configured):
    """One technique. A subclass declares its options, which a config sets. The methods here change nothing; a subclass
    overrides those that it needs. Techniques are equal if their class and options are."""

    where = "config.techniques"
    #: Whether `critic_penalty` contains gradients at single examples, so that the critic must not mix examples.
    penalises_gradients = False

    @classmethod
    def of_run(cls, options, steps):
        """The technique of a config's options, for a run of `steps` steps."""
        return cls(**options)

    @classmethod
    def options_of_a_run(cls):
        """{name: `zoo.options.Option`} of the options in a config."""
        return declared(cls)

    def __eq__(self, other):
        return type(other) is type(self) and repr(other) == repr(self)

    @property
    def name(self):
        """Its name in a config: that of its file."""
        return type(self).__module__.rpartition(".")[2]

    def build(self, model):
        """Called once, when `model`, a `trainers.gan.GAN`, is made. A technique with state makes its variables here by
        `model.add_weight`, keeps them, and returns them, {name: variable}, for checkpoints."""
        return {}

    def view(self, batch, kind, noise, step):
        """The `zoo.batch.Batch` that a critic sees in place of `batch`. Must be differentiable in its examples.

        Args:
            batch: the `Batch`.
            kind: "real", "fake", or another kind of critic input; each draws noise of its own.
            noise: this draw's `zoo.noise.Noise`.
            step: number of the step, an int64 scalar tensor.
        """
        return batch

    def critic_penalty(self, critic, real, fake, noise, step):
        """A scalar to add to the loss of `critic` on `real` and `fake`, `Batch`es as it sees them; or None."""
        return None

    def constrain(self, value):
        """Projects a critic's weight after an update: `value` → a tensor like it."""
        return value

    def observe(self, real_scores):
        """Called after each step with the critic's scores [N, 1] of real examples as it sees them. Adaptive techniques
        change their variables here, by statistics of the global batch, see `zoo.replicas`."""


#: Places at which a penalty takes the critic's gradient: between real and generated examples that are paired by
#: position, at either, at both (the sum of the two), or around real ones. `trainers.penalties.PLACES` computes them.
PLACES = ("interpolates", "real", "fake", "both", "perturbed")


class GradientPenalty(Technique):
    """A penalty on the critic's gradient with respect to its input; a subclass defines `penalty`.

    Args:
        weight: 0 or more.
        at: one of PLACES.
        every: N: the penalty is computed every N steps only and multiplied by N, which costs less and is about the same
            on average ("lazy regularisation", Karras et al. 2020, "Analyzing and improving the image quality of
            StyleGAN", appendix B).
    """

    weight = Option(10.0, number(0))
    at = Option("interpolates", one_of(*PLACES))
    every = Option(1, whole(1))

    penalises_gradients = True

    def critic_penalty(self, critic, real, fake, noise, step):
        import tensorflow as tf

        from trainers import penalties

        # Outside of tf.cond, in which replicas cannot communicate: a place may need statistics of the global batch.
        places = penalties.PLACES[self.at](real, fake, noise)

        def penalty():
            return self.weight * tf.add_n([self.penalty(critic, place) for place in places])

        if self.every == 1:
            return penalty()
        return tf.cond(step % self.every == 0, lambda: self.every * penalty(), lambda: tf.zeros([], real.x.dtype))

    def penalty(self, critic, batch):
        """The unweighted penalty at a `Batch`: a scalar."""
        raise NotImplementedError(f"{type(self).__name__} defines no penalty")
