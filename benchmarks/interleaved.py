"""Timing on a noisy machine: the functions run in turns, and the medians are compared."""

import statistics
import time


def interleaved(sides, rounds=7):
    """Median wall time of each function over interleaved runs.

    Args:
        sides: dict of name → function without arguments, already run once, so that no compilation is timed.
        rounds: number of timed runs of each function.

    Returns:
        Dict of name → median seconds.
    """
    seconds = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}
