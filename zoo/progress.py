"""Progress of long work: a bar on a terminal, lines in a log."""

import contextlib
import contextvars
import os
import sys
import time

from absl import logging
from tqdm import tqdm

#: Columns assumed for a terminal that reports 0, as serial lines and some containers do.
_COLUMNS = 80
#: Seconds between redraws of a bar, and of the shortest work whose end is logged.
_BETWEEN_DRAWINGS, _WORTH_A_LINE = 0.2, 1.0


_is_hidden = contextvars.ContextVar("is_hidden", default=False)


@contextlib.contextmanager
def hidden():
    """A context in which new progress is not shown: short work within longer work that shows its own."""
    former = _is_hidden.set(True)
    try:
        yield
    finally:
        _is_hidden.reset(former)


class Progress:
    """Shows a count with its speed and the time left, on standard error.

    On a terminal it is a bar; elsewhere a log line every `seconds_between_lines` and at the end, but none at the end of
    work of less than a second.

    Args:
        total: count at which the work is done.
        what: name of the work, such as "sampling".
        unit: name of one counted item, in the singular.
        done: count at the start.
        seconds_between_lines: of the log.
    """

    def __init__(self, total, what, unit, done=0, seconds_between_lines=10.0):
        self.total, self.what, self.unit, self.done = total, what, unit, done
        self._first, self._began = done, time.monotonic()
        self._told, self._pause = self._began, seconds_between_lines
        self._bar, self._hidden = None, _is_hidden.get()
        if sys.stderr.isatty() and not self._hidden:
            # tqdm draws nothing where the terminal says that it has no columns and no lines.
            size = {"dynamic_ncols": True} if _columns() else {"ncols": _COLUMNS, "nrows": 24}
            self._bar = tqdm(total=total, initial=done, desc=what, unit=unit, **size)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def update(self, done, note=lambda: ""):
        """Sets the count to `done`; where it is shown, the text that `note()` returns is shown beside it."""
        self.done = done
        if self._hidden:
            return
        now, ends = time.monotonic(), done >= self.total
        if self._bar is not None:
            self._bar.n = done
            if now - self._told > _BETWEEN_DRAWINGS or ends:
                self._told = now
                self._bar.set_postfix_str(note())
            return
        if now - self._told < self._pause and not (ends and now - self._began > _WORTH_A_LINE):
            return
        self._told = now
        speed = (done - self._first) / (now - self._began)
        left = tqdm.format_interval((self.total - done) / speed) if speed else "unknown time"
        words = "; ".join(filter(None, (f"{speed:,.1f} {self.unit}s/s", note(), f"{left} left")))
        logging.info("%s: %s %s of %s; %s", self.what, self.unit, f"{done:,}", f"{self.total:,}", words)

    def say(self, message):
        """Logs a line of its own; a bar stays below it."""
        with tqdm.external_write_mode(file=sys.stderr):
            logging.info("%s", message)

    def close(self):
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


def _columns():
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 0
