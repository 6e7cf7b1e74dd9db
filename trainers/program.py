"""Start and end of every program: flags, one-line error messages, exit codes. Free of TensorFlow."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys

from absl import app, flags, logging

from zoo.errors import RequestError
from zoo.files import FULL

#: Harmless lines of TensorFlow's C++ log, printed before its level takes effect.
_HARMLESS = [
    "All log messages before absl::InitializeLog",
    r"^I0000 00:00:",
    "already registered",
    "already been registered",
]
#: Logged on every machine without a GPU.
_NO_GPU = "failed call to cuInit"
#: Folders of this project's own modules.
_OURS = tuple(f"{pathlib.Path(__file__).parents[1] / name}{os.sep}" for name in ("zoo", "trainers", "export"))
_FILTER = """
import os, re, sys
for line in sys.stdin.buffer:
    if not re.search(os.fsencode(sys.argv[1]), line):
        os.write(2, line)
"""


class RunFailed(Exception):
    """A valid request failed. Programs print the message, one line, and exit with `code`."""

    code = 1


class Interrupted(RunFailed):
    """SIGINT or SIGTERM arrived; finished work is saved. Exit code 128 + signal, as shells have it."""

    def __init__(self, signum, message):
        super().__init__(message)
        self.code = 128 + signum


class _Terminated(KeyboardInterrupt):
    """SIGTERM arrived. Handlers of Ctrl-C catch it, and no others.

    Not a plain KeyboardInterrupt: after one, Python may end the process by SIGINT, whatever its exit code.
    """


def start_tensorflow():
    """Imports TensorFlow and lists its devices, without the harmless lines of its log.

    Its C++ libraries write them to standard error while they load, whatever the log's level. TF_CPP_MIN_LOG_LEVEL of 0
    or 1 in the environment shows all; unset, it becomes 2, which hides warnings.
    """
    if "tensorflow" not in sys.modules:
        with hiding(hidden_lines(_sees_gpu())):
            _import_tensorflow()


@contextlib.contextmanager
def hiding(lines):
    """A context without those lines of standard error that match one of some regular expressions.

    A filter in another process drops them, C++ libraries' too, so that the last lines of a crash are not lost.
    TF_CPP_MIN_LOG_LEVEL is as in `start_tensorflow`.
    """
    with contextlib.ExitStack() as stack:
        if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") not in ("0", "1"):
            command = [sys.executable, "-ISc", _FILTER, "|".join(lines)]
            # A process that has changed its user may not be allowed to start its interpreter again: it shows the lines.
            with contextlib.suppress(OSError):
                # A session of its own, so that Ctrl-C ends this process and not the filter before it.
                through = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
                stack.enter_context(through)
                stack.callback(_restore, os.dup(2))
                os.dup2(through.stdin.fileno(), 2)
        yield


def _restore(standard_error):
    os.dup2(standard_error, 2)
    os.close(standard_error)


def _import_tensorflow():
    import tensorflow as tf

    tf.config.list_physical_devices()
    tf.get_logger().setLevel("ERROR")  # The log of its Python code, such as deprecations.


def hidden_lines(gpu):
    """Regular expressions of the lines that `start_tensorflow` hides, with or without a GPU."""
    return _HARMLESS if gpu else [*_HARMLESS, _NO_GPU]


def _sees_gpu():
    """Whether this process may use an NVIDIA GPU, by the device files of Linux or of WSL (dxg)."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and any(any(pathlib.Path("/dev").glob(name)) for name in ("nvidia[0-9]*", "dxg"))


def _fail(message, code):
    print(f"{sys.argv[0].rsplit(chr(47), 1)[-1]}: {message}", file=sys.stderr)
    sys.exit(code)


def _parse(argv):
    try:
        return flags.FLAGS(argv)
    except SystemExit:
        # absl's help flags end with 1, though nothing is wrong.
        sys.exit(0)
    except (AttributeError, KeyError) as error:
        # How ml_collections reports a key that the config does not have: the bare key, quoted more than once.
        named = re.findall(r"[\w.]+", str(error))
        asked = [
            arg for arg in argv if arg.startswith("--config.") and set(arg[2:].split("=")[0].split(".")) & set(named)
        ]
        _fail(f"{asked[0] if asked else _one_line(error)}: the config has no such key", 2)
    except (flags.Error, TypeError, ValueError, OSError) as error:
        _fail(_one_line(error), 2)


def _is_worth_a_line(record):
    """Whether a log record is a warning or comes from this project. Other libraries' info is dropped, such as of every
    shard of a checkpoint and of font caches."""
    return record.levelno > logging.converter.absl_to_standard(logging.INFO) or record.pathname.startswith(_OURS)


def _one_line(error):
    return " ".join(str(error).split())


def _disk_full(error):
    """Whether `error` reports a full disk: an OSError, or TensorFlow's, which quotes the system's message."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return any(os.strerror(code) in str(error) for code in FULL)


def _full_path(error):
    """The file that did not fit on a full disk, where the error names it; otherwise ""."""
    if isinstance(error, OSError):
        return error.filename or ""
    named = re.search(r"(\S+); ", str(error))
    return named[1] if named else ""


def _out_of_memory(error):
    """The failed allocation if `error`, Python's or TensorFlow's, reports a lack of memory; otherwise ""."""
    if isinstance(error, MemoryError):
        return str(error) or "MemoryError"
    asked = re.search(r"OOM when allocating tensor with shape\[.*?\] and type \w+", str(error))
    return asked[0] if asked else ""


def run(main):
    """Runs `main(argv)` with absl flags.

    Exit codes: 0 done; 1 the run failed; 2 the request was wrong (a bad flag, config value, path or file), reported in
    one line on standard error; 128 + n stopped by signal n. Training saves a checkpoint first; other files are written
    atomically.
    """

    def guarded(argv):
        try:
            if len(argv) > 1:
                raise RequestError(f"{argv[1]!r}: this program takes flags only, see --help")
            main(argv)
        except RequestError as error:
            _fail(_one_line(error), 2)
        except RunFailed as error:
            _fail(_one_line(error), error.code)
        except Exception as error:
            if _disk_full(error):
                where = f" ({path})" if (path := _full_path(error)) else ""
                _fail(f"the disk is full{where}; what was finished before is whole. Free some space and start again", 1)
            if asked := _out_of_memory(error):
                _fail(f"out of memory; smaller networks and batches take less ({asked})", 1)
            raise

    def terminate(signum, frame):
        # By default the process would end without cleanup.
        raise _Terminated

    logging.get_absl_handler().addFilter(_is_worth_a_line)
    signal.signal(signal.SIGTERM, terminate)
    try:
        app.run(guarded, flags_parser=_parse)
    except KeyboardInterrupt as stopped:
        signum = signal.SIGTERM if isinstance(stopped, _Terminated) else signal.SIGINT
        # A second signal ends the process at once: nothing is left to clean up.
        signal.signal(signum, signal.SIG_DFL)
        _fail(f"{signum.name}: stopped before the end", 128 + signum)
