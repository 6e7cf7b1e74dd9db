"""Objectives: the players' losses. One paper, file and class each; METHODS lists this folder."""

from trainers.methods import Methods

METHODS = Methods(__name__, "objective")
