"""The two ways in which a command ends early that are not bugs.

Every part of zsfiji raises :class:`UserError` for what a user can mend, and only for that: the
dialog shows its text, a macro stops with it, the command line prints it and exits with status 2.
Any other exception is a bug and is shown as one.
"""


class UserError(Exception):
    """Something the user can mend.

    The text says what is wrong and what to do about it, in one or two sentences and in the words
    of the dialog, without a name of our code in it.
    """


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The user asked to stop and to keep nothing."""
