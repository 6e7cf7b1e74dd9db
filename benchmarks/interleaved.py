"""Timing on a noisy machine: the sides take turns, and medians are quoted."""

import statistics
import time


def interleaved(sides, rounds=7):
    """Median seconds of each side.

    Args:
        sides: dict of name → function without arguments; each has run once before, so that nothing is compiled here.
        rounds: how many turns each side gets.
    """
    seconds = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}
