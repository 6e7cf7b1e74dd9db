"""Error messages to clients and in the log."""

import pytest
import tensorflow as tf

from export.serving.errors import Code, ServingError, one_line

_CAUSE = "assertion failed: [] [Condition x >= 0 did not hold element-wise:] [x (x:0) = ] [1 -1]"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (_CAUSE, _CAUSE),
        (f"Graph execution error:\n\n{_CAUSE}\n\t [[{{{{node Assert}}}}]]", _CAUSE),
        (f"{_CAUSE}\n\t [[{{{{node Assert}}}}]]\n\nOriginal stack trace for 'Assert':\n  File", _CAUSE),
        (f"{_CAUSE}\n\nOriginal stack trace for 'Assert':\n  File", _CAUSE),
        (
            "Graph execution error:\n\nDetected at node 'Assert' defined at (most recent call last):\n"
            f"  File \"model.py\", line 1, in f\n    check(x)\nNode: 'Assert'\n{_CAUSE}\n\t [[{{{{node Assert}}}}]]",
            _CAUSE,
        ),
        (
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT: first\n\t [[{{node A}}]]\n\t [[x/_1]]\n"
            "  (1) INVALID_ARGUMENT: second\n\t [[{{node B}}]]\n0 successful operations.\n0 derived errors ignored.",
            "(0) INVALID_ARGUMENT: first",
        ),
        (
            "ZeroDivisionError: division by zero\nTraceback (most recent call last):\n\n  File",
            "ZeroDivisionError: division by zero",
        ),
        ("could not convert string: a\nb\n\t [[{{node StringToNumber}}]]", "could not convert string: a\nb"),
        ("", "InvalidArgumentError"),
    ],
)
def test_the_cause_of_tensorflows_errors_is_kept(message, cause):
    told = ServingError.of(tf.errors.InvalidArgumentError(None, None, message))
    assert (told.code, told.message) == (Code.INVALID_ARGUMENT, cause)


def test_a_text_in_the_log_is_one_line():
    assert one_line("a\nE1123 forged\x1b[2J\u202e") == "'a E1123 forged\\x1b[2J\\u202e'"
    assert len(one_line("a" * 9000)) < 600
