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

    With `chains` the chains are persistent (PCD): they are not started at the data, but go on from where the last step
    left them, k steps each time. They are in the checkpoint. The weights must move slowly enough for the chains to stay
    near the model's distribution. Tieleman has as many chains as examples in a batch.

    Data are images in [-1, 1]. Each is made binary anew at each step: a pixel is 1 with probability (x + 1) / 2. All
    draws come from the step's noise, one row an example or chain of all replicas, and each replica moves its share of
    the chains.

    The generator is the machine, `zoo.RBM`. There is no critic. The loss is no likelihood, and does not tell how well
    the machine learns; a run's evaluation has the log-likelihood of test images, with the error of log Z. Logs beside
    the loss: ``reconstruction_error``, (v - P(v = 1 | h))², h drawn given the data, the mean over units and this
    replica's examples.

    Args:
        steps: k, Gibbs steps of each chain in a training step.
        chains: number of persistent chains, over all replicas, a multiple of their number; 0: CD-k.

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
    chains = Option(0, whole(0))

    def __init__(self, generator, **kwargs):
        if not isinstance(generator, Machine):
            raise RequestError(f"config.generator.family: rbm needs rbm, not {type(generator).__name__}")
        super().__init__(generator, **kwargs)
        if self.chains:
            kept = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
            shape = (self.chains, generator.visible_units)
            self.persistent = self.add_weight(name="persistent", shape=shape, dtype=generator.variable_dtype, **kept)

    def check_trainable(self):
        replicas = self.distribute_strategy.num_replicas_in_sync
        if self.chains % replicas:
            where = "config.objective_options.chains"
            raise RequestError(f"{where}: {self.chains}; expected a multiple of the {replicas} replicas")

    def state(self):
        return {**super().state(), **({"persistent": self.persistent} if self.chains else {})}

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
        start = visible
        if self.chains:
            share = self.chains // replica_count()
            first = share * tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int32)
            start = tf.ensure_shape(self.persistent.value[first : first + share], [share, visible.shape[1]])
        ends = self.generator.gibbs(start, self.noise(tf.shape(start)[0], draw=1), np.ones(self.steps))
        if self.chains:
            assign_all([self.persistent], [global_batch(ends)])
        return ends

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
