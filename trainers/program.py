"""How every program starts and ends: flags in, one line out when something is wrong. Free of TensorFlow."""

import errno
import os
import re
import signal
import sys

from absl import app, flags

from zoo.errors import RequestError


class RunFailed(Exception):
    """The work was asked for rightly and failed. Programs print the message, one line, and exit with `code`."""

    code = 1


class Interrupted(RunFailed):
    """SIGINT or SIGTERM arrived; what was done is saved. Exit code 128 + signal, as shells have it."""

    def __init__(self, signum, message):
        super().__init__(message)
        self.code = 128 + signum


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


def _one_line(error):
    return " ".join(str(error).split())


def _disk_full(error):
    """Whether `error` says that a file had no room: Python's own, or TensorFlow's, which has the system's words."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT))


def _full_path(error):
    """The file that had no room, where the error names it."""
    if isinstance(error, OSError):
        return error.filename or ""
    named = re.search(r"(\S+); ", str(error))
    return named[1] if named else ""


def run(main):
    """Runs `main(argv)` with absl flags.

    Exit codes: 0 done; 1 the run failed; 2 the request was wrong (a bad flag, config value, path or file), told in one
    line on standard error; 128 + n stopped by signal n. A run that trains saves a checkpoint first; what else a program
    writes appears whole or not at all.
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
            if not _disk_full(error):
                raise
            where = f" ({path})" if (path := _full_path(error)) else ""
            _fail(f"the disk is full{where}; what was finished before is whole. Free some space and start again", 1)

    try:
        app.run(guarded, flags_parser=_parse)
    except KeyboardInterrupt:
        # A second Ctrl-C ends the process at once: there is nothing left to tidy.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _fail("SIGINT: stopped before the end", 128 + signal.SIGINT)
