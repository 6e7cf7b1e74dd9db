"""How the players move in a step. One method per file; METHODS lists this folder."""

from trainers.registry import Registry

METHODS = Registry(__name__, "dynamics")
