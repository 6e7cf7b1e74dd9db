"""The template that every objective fills in: a Keras model of two players with one training step.

A method changes one of four things, and each has one room: what is compared (`trainers.objectives`, a subclass of
`GAN`), how the critic is kept honest (`trainers.penalties`), how the players move (`trainers.dynamics`), and what the
networks see (`zoo.layers`). `GAN.train_step` joins them.
"""

import keras
import tensorflow as tf

from trainers import strategies, techniques
from trainers.dynamics.alternating import Alternating
from trainers.penalties import clip_weights
from zoo.errors import RequestError
from zoo.layers import check_reference
from zoo.noise import Noise


class GAN(keras.Model):
    """A generator and a critic that train each other.

    Subclasses are the objectives. Most override only `critic_loss` and `generator_loss`, pure functions of scores; one
    that needs the examples themselves overrides `compute_critic_loss` or `compute_generator_loss`; one whose paper
    changes the order of play overrides `play`.

    The weights after n steps are a function of the initial weights, the data and `seed` alone. They do not depend on
    the number of replicas (up to the order of floating-point additions) nor on interruptions: noise is stateless and
    drawn per example of the global batch, statistics of a batch are those of the global batch.

    Args:
        generator: maps latents [N, z] to examples; has `latent_dim` and `get_config`.
        critic: maps examples to raw scores [N, 1]; has `features`.
        dynamics: how the players move, a `trainers.dynamics` object; the objective's paper decides if None.
        seed: base seed of all noise.
        ema_decay: decay of the moving average of the generator's weights that `sample` uses (0 turns it off).
        penalties: `trainers.techniques` penalties, added to the critic's loss beside the objective's own.
        instance_noise: a `trainers.techniques.InstanceNoise` on the critic's inputs, or None.
        weight_clip: bound on every weight of the critic, after each of its updates; 0 leaves them free.

    Raises:
        RequestError: the parts do not go together; the message says which and what to use.

    Example:
        >>> data = zoo.datasets.load("digits")
        >>> gan = NonSaturating(zoo.DCGANGenerator(data.data_shape), zoo.DCGANDiscriminator(data.data_shape))
        >>> gan.compile()
        >>> gan.fit(data.batches("train", 64, seed=0), steps_per_epoch=100, epochs=10)
        >>> images = gan.sample(range(16))
    """

    #: Normalisation that the objective's paper uses in a convolutional critic.
    critic_normalization = "batch"
    #: Network families, by the names of `zoo.families`, that its critic must be of; any where there are none.
    critic_families = ()
    #: Whether the critic's loss has the gradient by each example in it, so that the critic must not mix examples.
    penalises_gradients = False
    #: What a dynamics (see `Dynamics.needs`) or "mixture" may need that this objective lacks, and why: trait → reason.
    lacks = {}

    def __init__(
        self,
        generator,
        critic,
        *,
        dynamics=None,
        seed=0,
        ema_decay=0.999,
        penalties=(),
        instance_noise=None,
        weight_clip=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.generator, self.critic = generator, critic
        self.latent_dim, self.seed, self.ema_decay = generator.latent_dim, seed, ema_decay
        self.dynamics = dynamics or self.default_dynamics()
        self.penalties, self.instance_noise, self.weight_clip = tuple(penalties), instance_noise, weight_clip
        techniques.check_composition(self)
        self.averaged_generator = type(generator).from_config(generator.get_config())
        self.averaged_generator.set_weights(generator.get_weights())
        counter = {"shape": (), "dtype": "int64", "trainable": False, "aggregation": "only_first_replica"}
        #: Number of steps taken.
        self.step = self.add_weight(name="step", initializer="zeros", **counter)
        #: Number of times that the run was rolled back from a non-finite step: each draws other noise and data.
        self.rollbacks = self.add_weight(name="rollbacks", initializer="zeros", **counter)
        #: A call of `train_function` takes no step past this one. Set past Keras' tracking: it belongs to a call of
        #: `fit`, not to the weights, and a checkpoint that held it would stop whoever trains on from there.
        object.__setattr__(self, "last_step", tf.Variable(tf.int64.max, trainable=False, name="last_step"))
        self.built = True

    # What an objective overrides.

    @classmethod
    def default_dynamics(cls):
        """The order of play of the objective's paper."""
        return Alternating()

    @classmethod
    def default_optimizer(cls):
        """The optimizer of the objective's paper, one for each player; DCGAN's unless overridden."""
        return keras.optimizers.Adam(2e-4, beta_1=0.5)

    def critic_loss(self, real_scores, fake_scores):
        """What the critic minimises: scores [N, 1] of real and of generated examples → scalar mean."""
        raise NotImplementedError(f"{type(self).__name__} defines no critic_loss")

    def generator_loss(self, fake_scores):
        """What the generator minimises: scores [N, 1] of generated examples → scalar mean."""
        raise NotImplementedError(f"{type(self).__name__} defines no generator_loss")

    def compute_critic_loss(self, real, fake, noise):
        """The critic's loss at examples [N, ...] rather than scores; `noise` is this draw's `zoo.noise.Noise`."""
        return self.critic_loss(self.critic(real, training=True), self.critic(fake, training=True))

    def compute_generator_loss(self, real, fake, noise):
        """The generator's loss at examples [N, ...]."""
        return self.generator_loss(self.critic(fake, training=True))

    def play(self, batches):
        """The moves of one step: the dynamics'. A paper that changes the order of play, or adds a player, overrides it.

        Args:
            batches: tuple of `dynamics.batches_per_step` batches [N, ...], in the networks' dtype.

        Returns:
            Dict of scalar logs, critic_loss and generator_loss among them.
        """
        return self.dynamics.step(self, batches)

    @property
    def critics(self):
        """The networks that tell real examples from generated ones, a tuple."""
        return (self.critic,)

    def constrain_critic(self, critic=None):
        """Projects the weights of `critic` (`self.critic` if None) to [-weight_clip, weight_clip] after its updates."""
        if self.weight_clip:
            variables = (critic or self.critic).trainable_variables
            bounded = [variable for variable in variables if self.clips(variable)]
            clip_weights(bounded, self.weight_clip, self.distribute_strategy)

    def clips(self, variable):
        """Whether `weight_clip` bounds this variable of the critic."""
        return True

    # What dynamics use.

    def critic_total_loss(self, real, fake, noise):
        """What a dynamics lets the critic descend: the objective's loss on what the critic sees, and the penalties."""
        real, fake = self.seen(real, "real", noise), self.seen(fake, "fake", noise)
        loss = self.compute_critic_loss(real, fake, noise)
        for penalty in self.penalties:
            loss += penalty(self.critic, real, fake, noise)
        return loss

    def generator_total_loss(self, real, fake, noise):
        """What a dynamics lets the generator descend: the objective's loss on what the critic sees."""
        real, fake = self.seen(real, "real", noise), self.seen(fake, "fake", noise)
        return self.compute_generator_loss(real, fake, noise)

    def seen(self, x, kind, noise):
        """Examples [N, ...] as a critic sees them: under this draw's instance noise, independent for each `kind`."""
        return x if self.instance_noise is None else self.instance_noise(x, kind, noise, self.step)

    def noise(self, batch_size, draw=0):
        """The noise of this step's `draw`-th batch, one row an example of the global batch."""
        return Noise.of_step(self.seed, self.step.value, batch_size).fold_in(self.rollbacks.value).fold_in(draw)

    def generate(self, noise):
        """Generated examples [N, ...] in training mode."""
        return self.generator(noise.normal("latents", [self.latent_dim]), training=True)

    def gradients(self, tape, loss, *players):
        """Gradient of the mean loss over all replicas, a list like the players' `trainable_variables`, end to end."""
        variables = [variable.value for player in players for variable in player.trainable_variables]
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        return gradients

    def update_critic(self, gradients):
        """One optimizer step of the critic, then its constraint."""
        self.critic_optimizer.apply(gradients, self.critic.trainable_variables)
        self.constrain_critic()

    def update_generator(self, gradients):
        """One optimizer step of the generator."""
        self.generator_optimizer.apply(gradients, self.generator.trainable_variables)

    # The training step and its loop.

    def train_step(self, batches):
        """One step on this replica: the dynamics' moves, then the moving average of the generator.

        Args:
            batches: tuple of `dynamics.batches_per_step` batches, float32 [N, ...] each.

        Returns:
            Dict of scalars: losses and gradient norms of both players, means over this replica's examples.
        """
        batches = tuple(tf.cast(batch, self.generator.variable_dtype) for batch in batches)
        # Nothing moves before the last batch is there, counters included: where the data ends, it ends between steps.
        with tf.control_dependencies(batches):
            logs = self.play(batches)
            self._average_generator()
            self.step.assign_add(1)
        return logs

    def _average_generator(self):
        # Early on the average forgets faster, or it would carry the untrained weights for thousands of steps.
        steps = tf.cast(self.step.value, tf.float32)
        keep = tf.minimum(tf.constant(self.ema_decay, tf.float32), (1.0 + steps) / (10.0 + steps))

        def move(average, weight):
            return average.assign(average + tf.cast(1.0 - keep, average.dtype) * (weight - average))

        def move_all(strategy, pairs):
            for average, weight in pairs:
                strategy.extended.update(average, move, args=(weight,), group=False)

        pairs = [(a.value, w.value) for a, w in zip(self.averaged_generator.variables, self.generator.variables)]
        # The call that Keras' optimizers update their variables through: no communication, every replica its own copy.
        tf.__internal__.distribute.interim.maybe_merge_call(move_all, self.distribute_strategy, pairs)

    def compile(self, generator_optimizer=None, critic_optimizer=None, **kwargs):
        """Sets the optimizers (the objective's own by default) and how steps are executed.

        Args:
            generator_optimizer, critic_optimizer: Keras optimizers, for this GAN alone.
            **kwargs: `jit_compile` (False), `steps_per_execution` (1) and `run_eagerly` as in Keras.

        Raises:
            RequestError: an option of an optimizer that does not work here, or XLA on several CPUs.
        """
        self.generator_optimizer = generator_optimizer or self.default_optimizer()
        self.critic_optimizer = critic_optimizer or self.default_optimizer()
        kwargs.setdefault("jit_compile", False)
        if kwargs["jit_compile"]:
            strategies.check_compiled(self.distribute_strategy)
        super().compile(optimizer=self.generator_optimizer, **kwargs)
        self.prepare(self.generator_optimizer, self.generator)
        self.prepare(self.critic_optimizer, self.critic)
        with self.distribute_strategy.scope():
            self.dynamics.build(self)

    def prepare(self, optimizer, *players):
        """Readies `optimizer` to move `players` by gradients that are means over all replicas already.

        Raises:
            RequestError: an option of the optimizer that does not work here.
        """
        _check_optimizer(optimizer, self.distribute_strategy.num_replicas_in_sync)
        # Keras clips the gradients that it is given, then sums them over the replicas. Here each replica gives the
        # whole gradient, so that it is clipped as one replica would clip it, and there is nothing to sum.
        optimizer._all_reduce_sum_gradients = list
        # Built here, not in the first step: MirroredStrategy cannot create variables inside a traced step.
        with self.distribute_strategy.scope():
            optimizer.build([variable for player in players for variable in player.trainable_variables])

    def make_train_function(self, force=False):
        """The loop that `fit` and the train program share: `steps_per_execution` steps in one call.

        It differs from Keras' in three ways: a step may take several batches; logs are means over replicas, on any
        strategy; and it stops after the first step whose logs are not finite, so that the step can be named.
        """
        if self.train_function is not None and not force:
            return self.train_function
        for critic in self.critics:
            check_reference(critic)
        strategy = self.distribute_strategy
        step_on_replica = self.train_step
        if not self.run_eagerly:
            step_on_replica = tf.function(step_on_replica, jit_compile=self.jit_compile, autograph=False)

        def one_step(iterator):
            batches = tuple([_examples(next(iterator)) for _ in range(self.dynamics.batches_per_step)])
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

    # What comes out.

    @property
    def sampler(self):
        """The generator that samples are drawn from: the averaged one, or the raw one where `ema_decay` is 0."""
        return self.averaged_generator if self.ema_decay else self.generator

    def sample(self, seeds):
        """Examples [N, ...] of integer seeds [N]; a seed gives the same example in any batch, here and when served."""
        noise = Noise.of_seeds(tf.convert_to_tensor(list(seeds) if isinstance(seeds, range) else seeds, tf.int64))
        return self.sampler(noise.normal("latents", [self.latent_dim]), training=False)

    def call(self, latents, training=False):
        """Latents [N, z] → examples [N, ...] from the sampler."""
        return self.sampler(latents, training=training)


def _check_optimizer(optimizer, replicas):
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor is not None
    if scaled:
        raise RequestError(f"{type(optimizer).__name__}: it divides gradients by a loss scale; losses here have none")
    # Keras updates within a condition for these, where TensorFlow allows no update of several replicas.
    for option in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        value = getattr(optimizer, option)
        if value and replicas > 1:
            raise RequestError(f"{type(optimizer).__name__}: {option} is {value}; expected none on {replicas} replicas")


def _examples(batch):
    """The examples of a data set's element, which may carry labels beside them."""
    return batch[0] if isinstance(batch, tuple) else batch
