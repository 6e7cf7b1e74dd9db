"""How the players move. One method, one file; the listing of this folder is the table."""

from trainers.methods import Methods

METHODS = Methods(__name__, "dynamics")
