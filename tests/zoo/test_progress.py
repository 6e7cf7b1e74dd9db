import contextlib
import fcntl
import os
import pty
import struct
import termios

import pytest

from zoo import progress


@pytest.fixture
def logged(monkeypatch):
    """The lines that are logged."""
    lines = []
    monkeypatch.setattr(progress.logging, "info", lambda form, *values: lines.append(form % values))
    return lines


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass by hand."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def count(shown, clock, until, seconds):
    for done in range(1, until + 1):
        clock[0] += seconds
        shown.update(done, lambda: "loss 1")


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(logged, clock):
    with progress.Progress(250, "training", "step") as shown:
        count(shown, clock, 250, 0.125)
    assert [line.split(";")[0] for line in logged] == [f"training: step {step} of 250" for step in (80, 160, 240, 250)]
    assert logged[0].endswith("; 8.0 steps/s; loss 1; 00:21 left") and logged[-1].endswith("; 00:00 left")


def test_speed_and_time_left_are_of_what_was_done_here(logged, clock):
    with progress.Progress(1080, "training", "step", done=1000) as shown:
        clock[0] += 20
        shown.update(1040)
    assert logged == ["training: step 1,040 of 1,080; 2.0 steps/s; 00:20 left"]


def test_a_log_gets_no_line_of_what_takes_less_than_a_second(logged, clock):
    with progress.Progress(9, "training", "step") as shown:
        count(shown, clock, 9, 0.1)
    assert logged == []


def test_work_within_work_is_hidden(logged, clock):
    with progress.Progress(250, "training", "step") as outer:
        with progress.hidden(), progress.Progress(250, "sampling", "image") as inner:
            count(inner, clock, 250, 0.125)
        assert logged == [] and inner.done == 250
        count(outer, clock, 250, 0.125)
    assert logged[0].startswith("training: step 1 of 250;")


@pytest.mark.parametrize("columns", [0, 30, 120])
def test_a_terminal_gets_a_bar_whatever_width_it_tells(columns, monkeypatch):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(progress.sys, "stderr", terminal)
        with progress.Progress(4, "training", "step") as shown:
            for done in range(1, 5):
                shown.update(done)
            shown.say("a line of its own")
    drawn = b""
    # A terminal hands over what is there by then; the error says that the other side has closed and all has come.
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 2**16):
            drawn += piece
    os.close(ours)
    lines = drawn.decode().replace("\n", "\r").split("\r")
    assert any("4/4" in line or "100%" in line for line in lines)
    assert max(map(len, lines)) <= (columns or 80)
