"""Objectives: the players' losses. One paper, file and class each; METHODS lists this folder."""

from trainers.registry import Registry

METHODS = Registry(__name__, "objective")
