"""The exit statuses of the command line; see :func:`zsfiji.signals.status`, too."""

OK = 0
BUG = 1
"""A fault of zsfiji, with its traceback."""

USER_ERROR = 2
"""What the user can mend, with a sentence that says how."""
