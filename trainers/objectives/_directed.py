"""The game of `wasserstein` for vectors of features and learned directions among them."""

from trainers.objectives.wasserstein import Wasserstein
from trainers.players import Player, score


class Directed(Wasserstein):
    """Base class: the score is what a layer `directions` makes of the critic's features.

    The layer is moved with the critic, by its optimizer; `retract` brings its weights back to their set after each
    move. Clipping is for the critic alone, whose features it bounds.
    """

    critic_output_dim = 16
    lacks = dict.fromkeys(("mixture", "conditional", "score"), "its critic gives features, not a score")

    def __init__(self, generator, critic, **kwargs):
        super().__init__(generator, critic, **kwargs)
        self.directions = self.make_directions(critic.output_dim, critic.variable_dtype)

    def make_directions(self, features, dtype):
        """A Keras layer: features [N, m] to scores [N, 1]."""
        raise NotImplementedError(f"{type(self).__name__} makes no directions")

    def retract(self, value):
        """The point that takes the place of `value`, a weight of the directions after an update."""
        raise NotImplementedError(f"{type(self).__name__} defines no retract")

    def make_players(self):
        _, generator = super().make_players()
        return [Player("critic", self.critic, self.directions, constrain=self.constrain), generator]

    def state(self):
        return {**super().state(), "directions": self.directions}

    def constrain(self, variable, value):
        if any(variable is one for one in self.directions.variables):
            return self.retract(value)
        return super().constrain(variable, value)

    def compute_critic_loss(self, real, fake, noise):
        return self.critic_loss(*(self.directions(score(self.critic, batch)) for batch in (real, fake)))

    def compute_generator_loss(self, real, fake, noise):
        return self.generator_loss(self.directions(score(self.critic, fake)))
