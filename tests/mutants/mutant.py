"""One mistake that the tests must notice."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        file: path from the root.
        old, new: text that occurs once in the file, and its replacement.
        tests: pytest's command-line arguments that select the tests expected to fail.
        equivalent: why no test can fail, or "".
    """

    file: str
    old: str
    new: str
    tests: str
    equivalent: str = ""

    def __str__(self):
        return f"{self.file}: {self.old!r} -> {self.new!r}"


def of_file(file, tests, *rows):
    """The mutants of one file that the same tests should kill: rows of (old, new), or (old, new, why equivalent)."""
    return [Mutant(file, old, new, tests, *why) for old, new, *why in rows]
