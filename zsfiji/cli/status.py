"""The exit statuses of the command line; see :func:`zsfiji.signals.status`, too."""

OK = 0

BUG = 1
"""A bug in zsfiji, with its traceback."""

USER_ERROR = 2
"""What the user can correct, with a sentence that says how."""
