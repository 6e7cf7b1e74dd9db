"""Mutants that the tests must kill, one file for each part of the code: `make mutants` applies each to a copy of the
tree and runs its tests.

A row is a text that occurs once in a file, and its replacement; the tests are those of its group. Equivalent mutants,
without observable effect, are listed with the reason, so that they are not tried again.
"""

import importlib
import pkgutil


def every_mutant():
    """The rows of all files here, in the order of their names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return [row for module in modules for row in getattr(module, "MUTANTS", [])]
