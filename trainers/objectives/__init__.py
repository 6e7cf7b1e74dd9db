"""What the two players compare. One paper, one file, one class; the listing of this folder is the table of systems."""

from trainers.methods import Methods

METHODS = Methods(__name__, "objective")
