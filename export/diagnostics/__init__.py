"""Diagnoses how a generator fails: a section of a report for each of the four failures that the field sorts all trouble
into, with a verdict, what it rests on, and what to try next.

==================== ===========================================================================================
module               holds
==================== ===========================================================================================
diagnose             the table of diagnostics: the next one is a file and a row
mode_collapse        are all parts of the data there?
vanishing_gradients  is there a gradient for the generator to learn from? A fresh critic on the generator held fixed
convergence          do the moves lead anywhere? The spectrum of the joint gradient field, and the path angle
generalization       the duality gap; what the critic knows by heart; samples that are copies
thresholds           where the lines are drawn, and why there
game                 a copy of a run's game to experiment with
section              a section of a report
==================== ===========================================================================================
"""
