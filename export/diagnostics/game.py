"""A copy of a run's game, which diagnostics may train and move without changing what is evaluated."""

import itertools

import ml_collections
import numpy as np

from trainers import build
from trainers.checkpoints import Checkpoints
from zoo.batch import Batch, wanted_of_data

#: Draws of noise from this number on are none of a run's: those of a step are numbered from 0.
_FIRST_DRAW = 1_000_000


class NotMeasured(Exception):
    """Why a diagnostic does not apply, or gave nothing: a phrase, for the report's notes."""


def adversarial(context):
    """The `trainers.build.Run` of a context, where it has a critic.

    Args:
        context: `export.evaluation.context.Context`.

    Raises:
        NotMeasured: there is no run, or it has no critic, or several of them.
    """
    from trainers.gan import GAN
    from trainers.mixture import Mixture

    run = context.run
    if run is None:
        raise NotMeasured("it takes a run with its critic, and this is none")
    if not isinstance(run.model, GAN):
        # The file of an objective is its name.
        raise NotMeasured(f"{type(run.model).__module__.rpartition('.')[2]!r} trains without a critic")
    if isinstance(run.model, Mixture):
        raise NotMeasured(f"a mixture has {run.model.critic.components} critics; expected one")
    return run


def check_scores(run):
    """Raises NotMeasured unless the critic's output is a score that is high for real examples."""
    if "score" in run.model.lacks:
        raise NotMeasured(f"{run.config.objective!r}: {run.model.lacks['score']}")
    if hasattr(run.model.critic, "reconstruct"):
        raise NotMeasured(f"the critic of {run.config.objective!r} is an autoencoder, whose output is no score")


class Game:
    """A run's model again, with the same weights, and batches for it.

    Args:
        run: `trainers.build.Run`. Its model stays as it is.
        batch_size: of the batches.
        step: of the checkpoint that has the weights; None for the run's present ones.

    Attributes:
        model: the copied `trainers.model.GenerativeModel`, without XLA; one of bfloat16 becomes one of float32.
        batch_size: of its batches.
    """

    def __init__(self, run, batch_size, step=None):
        self.run, self.batch_size = run, batch_size
        config = ml_collections.ConfigDict(run.config.to_dict())
        config.train.jit_compile = False
        if config.train.precision == "mixed_bfloat16":
            config.train.precision = "float32"
        self.model = build.build(config, spec=run.spec).model
        if step is not None:
            self.read(step)
            return
        for mine, theirs in zip(self.model.variables, run.model.variables, strict=True):
            mine.assign(theirs)
        self._keep()

    def read(self, step):
        """Takes the weights of the run's checkpoint at `step`, from now on."""
        self._checkpoints.restore(self.model, step)
        self._keep()

    def _keep(self):
        """Notes the weights for `restore`; networks in stages keep the level that they have with them."""
        for network in self.model.networks.values():
            if hasattr(network, "level"):
                network.fix_level()
        self._kept = [np.array(variable) for variable in self.model.variables]

    @property
    def _checkpoints(self):
        return Checkpoints(self.run.workdir / "checkpoints")

    def restore(self):
        """Sets all variables to the run's again."""
        for variable, value in zip(self.model.variables, self._kept):
            variable.assign(value)

    def fresh_optimizer(self, name):
        """The optimizer that the run's player `name` began with, at its first learning rate, for a new `Player`."""
        from trainers.players import make_optimizer

        return make_optimizer(dict(self.run.config[f"{name}_optimizer"]))

    def batches(self, split, count, seed):
        """`count` batches of real examples, as a step takes them: iterator of `zoo.batch.Batch`."""
        wanted = wanted_of_data(self.model.generator)
        batches = self.run.data.batches(split, self.batch_size, seed=seed, **wanted)
        return (self.model.read(Batch.of(batch)) for batch in itertools.islice(batches, count))

    def noise(self, draw):
        """The noise of draw number `draw`, 0 or more (an int64 tensor inside a tf.function): one of the run's step, and
        none that the run's own steps draw."""
        return self.model.noise(self.batch_size, _FIRST_DRAW + draw)

    def former_weights(self, players):
        """The players' weights in the oldest checkpoint that the run keeps.

        Args:
            players: names.

        Returns:
            (step, list of arrays), or None where there is no older one.
        """
        if self.run.workdir is None:
            return None
        step, now = next(iter(self._checkpoints.steps()), None), int(self.run.model.step.numpy())
        if step is None or step >= now:
            return None
        return step, self.weights_at(step, players)

    def weights_at(self, step, players):
        """The players' weights in the checkpoint at `step`, a list of arrays; those of this game stay."""
        self._checkpoints.restore(self.model, step)
        weights = [np.array(variable) for name in players for variable in self.model.players[name].variables]
        self.restore()
        return weights
