"""How the players move in a step. One method per file; METHODS lists this folder."""

from trainers.methods import Methods

METHODS = Methods(__name__, "dynamics")
