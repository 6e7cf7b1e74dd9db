"""How every program starts and ends: flags in, one line out when something is wrong. Free of TensorFlow."""

import re
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


def run(main):
    """Runs `main(argv)` with absl flags.

    Exit codes: 0 done; 1 the run failed; 2 the request was wrong (a bad flag, config value, path or file), told in one
    line on standard error; 128 + n stopped by signal n, with the work saved.
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

    app.run(guarded, flags_parser=_parse)
