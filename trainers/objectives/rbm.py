"""Restricted Boltzmann machine. Hinton 2002, "Training products of experts by minimizing contrastive divergence"; its
persistent chains by Tieleman 2008, "Training restricted Boltzmann machines using approximations to the likelihood
gradient"."""

import types

import numpy as np
import tensorflow as tf

from trainers.model import GenerativeModel
from zoo.errors import RequestError
from zoo.options import Option, whole
from zoo.rbm import RBM as Machine
from zoo.replicas import assign_all, global_batch, replica_count


class RBM(GenerativeModel):
    """The machine minimises E F(v) - E F(v'), F the free energy, v data and v' the ends of Gibbs chains.

    Were v' draws of the model, the gradient would be that of E -log p(v), since log p(v) = -F(v) - log Z and
    ∇ log Z = -E ∇F(v'). Contrastive divergence, CD-k, takes the visible units k Gibbs steps from the data instead. No
    gradient passes through the chain.

    Where the machine has `chains`, these are persistent (PCD): they do not start at the data, but go on from where the
    last step left them, k steps each time. They are among the machine's weights, so in checkpoints and exports. W, b
    and c must move slowly enough for the chains to stay near the model's distribution. Tieleman has as many chains as
    examples in a batch; here samples start at them too, so there may be more.

    Data are images in [-1, 1]. Each is made binary anew at each step: a pixel is 1 with probability (x + 1) / 2. All
    draws come from the step's noise, one row an example or chain of all replicas, and each replica moves its share of
    the chains.

    The generator is the machine, `zoo.RBM`. There is no critic. The loss is no likelihood, and does not tell how well
    the machine learns; a run's evaluation has the log-likelihood of test images, with the error of log Z. Logs beside
    the loss: ``reconstruction_error``, (v - P(v = 1 | h))², h drawn given the data, the mean over units and this
    replica's examples.

    Args:
        steps: k, Gibbs steps of each chain in a training step.

    Raises:
        RequestError: another generator than an RBM, or an option out of range.
    """

    default_optimizer = types.MappingProxyType({"name": "sgd", "learning_rate": 0.05})
    lacks = {
        "two_players": "there is one player, the machine; use alternating",
        "mixture": "there is one player, the machine",
        "critic": "it trains no critic",
    }

    steps = Option(1, whole(1, 1000))

    def __init__(self, generator, **kwargs):
        if not isinstance(generator, Machine):
            raise RequestError(f"config.generator.family: rbm needs rbm, not {type(generator).__name__}")
        super().__init__(generator, **kwargs)

    def check_trainable(self):
        replicas = self.distribute_strategy.num_replicas_in_sync
        if (chains := self.generator.chains) % replicas:
            raise RequestError(f"config.generator.chains: {chains}; expected a multiple of the {replicas} replicas")

    def free_energy_difference(self, visible, chains):
        """E F(v) - E F(v'): a scalar.

        Args:
            visible: data [N, D] in {0, 1}.
            chains: ends of chains [M, D]; no gradient passes through them.
        """
        of_data, of_chains = (self.generator.free_energy(units) for units in (visible, tf.stop_gradient(chains)))
        return tf.reduce_mean(of_data) - tf.reduce_mean(of_chains)

    def move_chains(self, visible):
        """The ends [M, D] of this replica's chains after the step's Gibbs steps; persistent ones are kept.

        Args:
            visible: this replica's data [N, D] in {0, 1}, where chains that are not persistent start.
        """
        machine, start = self.generator, visible
        if machine.chains:
            share = machine.chains // replica_count()
            first = share * tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int32)
            start = tf.ensure_shape(machine.persistent.value[first : first + share], [share, machine.visible_units])
        ends = machine.gibbs(start, self.noise(tf.shape(start)[0], draw=1), np.ones(self.steps))
        if machine.chains:
            assign_all([machine.persistent], [global_batch(ends)])
        return ends

    def _average_generator(self):
        super()._average_generator()
        # Units are 0 or 1. Averaged over steps they would be no state of the machine.
        if self.generator.chains:
            assign_all([self.averaged_generator.persistent], [self.generator.persistent.value])

    def play(self, batches):
        (real,) = batches
        noise, machine = self.noise(tf.shape(real.x)[0]), self.generator
        visible = machine.binarise(real.x, noise)
        expected = tf.sigmoid(machine.visible_logits(machine.hidden_given(visible, noise)))
        ends = self.move_chains(visible)
        with tf.GradientTape() as tape:
            loss = self.free_energy_difference(visible, ends)
        error = tf.reduce_mean(tf.square(visible - expected))
        return {**self.players["generator"].descend(tape, loss), "reconstruction_error": error}
