"""The one exception that means "the request was wrong"."""


class RequestError(ValueError):
    """A request that cannot be met as asked: a bad flag, config value, path or file.

    The message is one line for the user. It names the value, what was expected, and where the value was read, for
    example ``config.objective: 'wassertein'; did you mean 'wasserstein'?``. Programs print it and exit
    with code 2, without a traceback.
    """
