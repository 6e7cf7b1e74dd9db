"""Base class of all generative models: players, and one training step that a subclass defines.

`GenerativeModel` has what does not depend on the method: the step counter and the noise, the loop, the moving average
of the generator, sampling, and what a checkpoint holds. `trainers.gan.GAN` adds a critic and two players' losses.
"""

import types

import keras
import tensorflow as tf

from trainers import strategies
from trainers.players import Player, make_optimizer
from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.noise import Noise
from zoo.options import Configured
from zoo.replicas import assign_all


class GenerativeModel(Configured, keras.Model):
    """A generator and the players that train it.

    A subclass declares the options of its method, see `zoo.options`; they are keyword arguments of its constructor.

    The weights after n steps are a function of the initial weights, the data and `seed` alone. They do not depend on
    the number of replicas (up to the order of floating-point additions) nor on interruptions: noise is stateless and
    drawn per example of the global batch, statistics of a batch are those of the global batch.

    Args:
        generator: maps latents [N, z] to examples; has `latent_dim` and `get_config`.
        seed: base seed of all noise.
        ema_decay: decay of the moving average (EMA) of the generator's weights that `sample` uses (0 turns it off).

    Attributes:
        networks: all networks by name, the generator first; each is an attribute of the model under its name.
        players: `trainers.players.Player` by name, in the order in which they move.
        step: number of steps taken.
        rollbacks: number of times that the run was rolled back from a non-finite step: each selects new noise and data.
        last_step: step at which a call of `train_function` ends.
    """

    #: Networks that a config describes for this model, by their keys: arguments of the constructor, in this order. One
    #: with an "encoder" says by `codes_per_latent` how many outputs that has for each latent.
    configured = ("generator",)
    #: Players whose optimizers a config describes, each by its key NAME_optimizer. They are not the networks: a player
    #: may move several of these with its one optimizer, and `play` decides what it descends.
    optimized = ("generator",)
    #: The optimizer of the method's paper, one for each player, as a config has it; DCGAN's unless overridden.
    default_optimizer = types.MappingProxyType({"name": "adam", "learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999})
    #: Options of the dynamics that a config does not give.
    default_dynamics_options = types.MappingProxyType({"critic_steps": 1})
    #: Features that this model does not support → why: "two_players" (see `Dynamics.needs`), "mixture" (MIX+GAN),
    #: "critic" (techniques that act on one), "score" (those that penalise its gradient), "conditional" (a critic
    #: conditioned on labels).
    lacks = {}

    #: Conditions that the method makes of the data's examples, by `derive`. Its generator takes these.
    derived = ()
    #: Conditions other than labels that it reads from the data. Its generator takes these too.
    reads = ()

    where = "config.objective_options"
    passes_keywords = True

    def __init__(self, generator, *, seed=0, ema_decay=0.999, **kwargs):
        super().__init__(**kwargs)
        self._names, self._players = (), None
        self.add_network("generator", generator)
        self.latent_dim, self.seed, self.ema_decay = generator.latent_dim, seed, ema_decay
        self.averaged_generator = type(generator).from_config(generator.get_config())
        self.averaged_generator.set_weights(generator.get_weights())
        counter = {"shape": (), "dtype": "int64", "trainable": False, "aggregation": "only_first_replica"}
        self.step = self.add_weight(name="step", initializer="zeros", **counter)
        self.rollbacks = self.add_weight(name="rollbacks", initializer="zeros", **counter)
        # Hidden from Keras' tracking: it belongs to a call of `fit`, not to the weights.
        object.__setattr__(self, "last_step", tf.Variable(tf.int64.max, trainable=False, name="last_step"))
        self.built = True

    def add_network(self, name, network):
        """Makes `network` a part of the model: its attribute `name`, and in its checkpoints."""
        setattr(self, name, network)
        self._names += (name,)

    # Overridden by subclasses.

    @classmethod
    def compose_generator(cls, generator, options, spec=None):
        """The generator that is trained, made of the one that a config describes: itself here.

        Args:
            generator: of a family, or conditional.
            options: dict of the method's options; missing ones have their defaults.
            spec: `zoo.datasets.DataSpec` of the data, where it is known.
        """
        return generator

    def make_players(self):
        """A list of the players, in the order in which they move in a step."""
        return [Player("generator", self.generator)]

    def play(self, batches):
        """The moves of one step.

        Args:
            batches: tuple of `batches_per_step` `zoo.batch.Batch`es, examples in the networks' dtype.

        Returns:
            Dict of scalar logs, as `Player.logs` makes them for each player.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no play")

    def derive(self, x):
        """The conditions `derived`, {name: tensor [N, ...]}, of examples [N, ...] in the networks' dtype."""
        return {}

    @property
    def batches_per_step(self):
        """Number of data batches that one step consumes."""
        return 1

    def check_trainable(self):
        """Raises RequestError if something that training needs was not set."""

    # The training step and its loop.

    @property
    def networks(self):
        return {name: getattr(self, name) for name in self._names}

    @property
    def players(self):
        if self._players is None:
            # Made on first use, when all networks exist. Keras does not track a read-only mapping: networks and
            # optimizers are tracked elsewhere.
            self._players = types.MappingProxyType({player.name: player for player in self.make_players()})
        return self._players

    def noise(self, batch_size, draw=0):
        """The noise of this step's `draw`-th batch, one row per example of the global batch."""
        return Noise.of_step(self.seed, self.step.value, batch_size).fold_in(self.rollbacks.value).fold_in(draw)

    def generate(self, noise, conditions=types.MappingProxyType({})):
        """A generated `Batch` under `conditions`, in training mode."""
        latents = noise.latents(self.latent_dim)
        return Batch(self.generator(latents, training=True, **conditions), dict(conditions), latents)

    def train_step(self, batches):
        """One step on this replica: the players' moves, then the moving average of the generator.

        Args:
            batches: tuple of `batches_per_step` elements that `Batch.of` accepts, float32 [N, ...] each.

        Returns:
            Dict of scalars: losses and gradient norms of the players, means over this replica's examples.
        """
        batches = tuple(self.read(Batch.of(batch)) for batch in batches)
        # Fetch all batches before updating any state, counters included: where the data ends, it ends between steps.
        with tf.control_dependencies(tf.nest.flatten([batch.x for batch in batches])):
            logs = self.play(batches)
            self._average_generator()
            self.step.assign_add(1)
        return logs

    def read(self, batch):
        """A `Batch` of the data as a step takes it: in the networks' dtype, with the generator's conditions alone."""
        names = getattr(self.generator, "conditions", ())
        x = tf.cast(batch.x, self.generator.variable_dtype)
        conditions = {**batch.conditions, **self.derive(x)}
        if missing := [name for name in names if name not in conditions]:
            raise RequestError(f"the data gives no {missing[0]!r}, which the generator is conditioned on")
        return batch._replace(x=x, conditions={name: conditions[name] for name in names})

    def _average_generator(self):
        # A smaller decay early on: otherwise the average would keep the untrained weights for thousands of steps.
        steps = tf.cast(self.step.value, tf.float32)
        keep = tf.minimum(tf.constant(self.ema_decay, tf.float32), (1.0 + steps) / (10.0 + steps))
        averages, weights = self.averaged_generator.variables, self.generator.variables
        pairs = [(average.value, weight.value) for average, weight in zip(averages, weights, strict=True)]
        moved = [average + tf.cast(1.0 - keep, average.dtype) * (weight - average) for average, weight in pairs]
        assign_all(averages, moved)

    def compile(
        self,
        generator_optimizer=None,
        critic_optimizer=None,
        *,
        jit_compile=False,
        steps_per_execution=1,
        run_eagerly=False,
        **optimizers,
    ):
        """Sets the optimizers and how steps are executed.

        Args:
            generator_optimizer, critic_optimizer, **optimizers: Keras optimizers for this model alone, NAME_optimizer
                for the player NAME. A player without one gets a copy of that of the player it is `like`, or else the
                method's.
            jit_compile, steps_per_execution, run_eagerly: as in Keras.

        Raises:
            RequestError: an unsupported option of an optimizer, or XLA on several CPUs.
            TypeError: an optimizer for a player that the model does not have.
        """
        given = {"generator_optimizer": generator_optimizer, "critic_optimizer": critic_optimizer, **optimizers}
        given = {key.removesuffix("_optimizer"): value for key, value in given.items() if value is not None}
        if unknown := given.keys() - self.players.keys():
            raise TypeError(f"{type(self).__name__} has no player {unknown.pop()!r}; it has {', '.join(self.players)}")
        strategy = self.distribute_strategy
        if jit_compile:
            strategies.check_compiled(strategy)
        # Players that copy another's optimizer come after it.
        for player in sorted(self.players.values(), key=lambda player: player.like is not None):
            if player.name not in given and player.like is not None:
                with strategy.scope():
                    given[player.name] = keras.optimizers.deserialize(keras.optimizers.serialize(given[player.like]))
            elif player.name not in given:
                given[player.name] = make_optimizer(self.default_optimizer)
        super().compile(
            optimizer=given["generator"],
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        for name, player in self.players.items():
            player.prepare(given[name], strategy)

    def make_train_function(self, force=False):
        """The loop that `fit` and the train program share: `steps_per_execution` steps in one call.

        It differs from Keras' in three ways: a step may take several batches; logs are means over replicas, on any
        strategy; and it stops after the first step whose logs are not finite, so that the step can be named.
        """
        if self.train_function is not None and not force:
            return self.train_function
        self.check_trainable()
        strategy = self.distribute_strategy
        step_on_replica = self.train_step
        if not self.run_eagerly:
            step_on_replica = tf.function(step_on_replica, jit_compile=self.jit_compile, autograph=False)

        def one_step(iterator):
            batches = tuple([next(iterator) for _ in range(self.batches_per_step)])
            logs = strategy.run(step_on_replica, args=(batches,))
            return {key: strategy.reduce("MEAN", value, axis=None) for key, value in logs.items()}

        def steps(iterator):
            logs = step(iterator)
            if self.steps_per_execution == 1:
                return logs

            def goes_on(count, logs):
                finite = tf.reduce_all([tf.math.is_finite(value) for value in logs.values()])
                return finite & (count < self.steps_per_execution) & (self.step.value < self.last_step)

            _, logs = tf.while_loop(goes_on, lambda count, logs: (count + 1, step(iterator)), (1, logs))
            return logs

        step = one_step if self.run_eagerly else tf.function(one_step, autograph=False)
        self.train_function = steps if self.run_eagerly else tf.function(steps, autograph=False)
        return self.train_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: all is built. Keras would average the first batch over the replicas here, which the strategy
        for several workers refuses for a `Batch`."""

    # Sampling and checkpoints.

    def state(self):
        """Everything that the next step depends on, {name in a checkpoint: object}."""
        optimizers = {f"{name}_optimizer": player.optimizer for name, player in self.players.items()}
        kept = {"averaged_generator": self.averaged_generator, "step": self.step, "rollbacks": self.rollbacks}
        return {**self.networks, **optimizers, **kept}

    @property
    def sampler(self):
        """The generator that samples are drawn from: the averaged one, or the raw one where `ema_decay` is 0."""
        return self.averaged_generator if self.ema_decay else self.generator

    def latents(self, seeds):
        """The latents [N, z] that integer seeds [N] give the sampler."""
        seeds = tf.convert_to_tensor(list(seeds) if isinstance(seeds, range) else seeds, tf.int64)
        return Noise.of_seeds(seeds).latents(self.latent_dim)

    def sample(self, seeds, **conditions):
        """Examples [N, ...] of integer seeds [N]; a seed gives the same example in any batch, here and when served.

        `conditions` are what the generator is told beside latents, "label" int64 [N]; what the seed chooses if not
        given.
        """
        return self.sampler(self.latents(seeds), training=False, **conditions)

    def call(self, latents, training=False):
        """Latents [N, z] → examples [N, ...] from the sampler."""
        return self.sampler(latents, training=training)
