"""Historical averaging: each player is pulled towards the mean of its past weights. Salimans et al. 2016, "Improved
techniques for training GANs", section 3.3; after fictitious play."""

import tensorflow as tf

from trainers.dynamics.alternating import Alternating
from zoo.options import Option, number
from zoo.replicas import assign_all

#: The players whose iterates are averaged, in the order of the memories.
_REMEMBERED = ("critic", "generator")


class HistoricalAveraging(Alternating):
    """`alternating`, each player's loss plus w‖θ - θ̄‖², θ̄ = 1/t Σ_{i=1..t} θ[i].

    The mean is over all of the player's iterates up to and including the current one: θ[1] are its initial weights,
    θ[t] those at its t-th move. The gradient, 2w(θ - θ̄), treats it as constant and is zero at the first move. It is a
    running mean, θ̄ ← θ̄ + (θ - θ̄)/t, one number per weight at any length of the run. On games whose plain descent
    circles, the mean settles near the centre and the circle shrinks: on f = xy the distance falls as t^(-1/(1 + 4w²)),
    so a small w reaches the centre sooner than a large one, which ties the players to their past.

    Args:
        weight: w, 0 or more; the paper's term has weight 1, which under Adam can hold the players where they began.
        critic_steps: k; the critic's memory counts each of its moves.

    Logs the players' losses without the term, and the norms of the whole directions that they descend.
    """

    needs = ("two_players",)

    weight = Option(1.0, number(0))

    def __init__(self, **options):
        super().__init__(**options)
        self.memories = []

    def build(self, gan):
        if not self.memories:
            self.memories = [_Memory(gan, gan.players[name]) for name in _REMEMBERED]

    def direction(self, player, gradients):
        means = self.memories[_REMEMBERED.index(player.name)].include(player.variables)
        weights = [variable.value for variable in player.variables]
        return [g + 2.0 * self.weight * (w - mean) for g, w, mean in zip(gradients, weights, means)]


class _Memory(tf.Module):
    """The running mean of one player's iterates, and their number."""

    def __init__(self, gan, player):
        super().__init__()
        kept = {"trainable": False, "initializer": "zeros"}
        self.count = gan.add_weight(name="iterates", shape=(), dtype="int64", aggregation="only_first_replica", **kept)
        self.means = [
            gan.add_weight(name="past_mean", shape=weight.shape, dtype=weight.dtype, **kept)
            for weight in player.variables
        ]

    def include(self, variables):
        """Adds the current values of `variables` to the means; returns the new means, a list like `variables`."""
        count = self.count.value + 1
        self.count.assign(count)
        pairs = [(mean.value, variable.value) for mean, variable in zip(self.means, variables)]
        moved = [mean + (weight - mean) / tf.cast(count, mean.dtype) for mean, weight in pairs]
        assign_all(self.means, moved)
        return moved
