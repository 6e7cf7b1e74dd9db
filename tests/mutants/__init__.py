"""Mistakes that the tests must notice, a file a part of the code: `make mutants` makes each in a copy of the tree and
runs its tests.

A row is a text that occurs once in a file and what stands there instead; the tests are those of its group. What changes
nothing that can be observed is kept beside the others with the reason, so that it is not tried again.
"""

import importlib
import pkgutil


def every_mutant():
    """The rows of all files here, in the order of their names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return [row for module in modules for row in getattr(module, "MUTANTS", [])]
