"""The two exceptions by which a command ends early without a bug.

Every part of zsfiji raises :class:`UserError` for what a user can correct, and only for that: the
dialog shows its text, a macro stops with it, the command line prints it and exits with status 2.
Any other exception is a bug in zsfiji and is shown as one.
"""


class UserError(Exception):
    """Something that the user can correct.

    The text says what is wrong and what to do about it, in one or two sentences and in the words
    of the dialog, without names from the code.

    Parameters
    ----------
    *text : str
        The text.
    in_dialog : str
        The text for a dialog, where it is another one: a dialog has labels instead of the names of
        options, and room for two lines.
    """

    def __init__(self, *text: str, in_dialog: str = "") -> None:
        super().__init__(*text)
        self.in_dialog = in_dialog or " ".join(text)


class Cancelled(Exception):  # noqa: N818 - it is not an error
    """The user asked to stop and to keep nothing."""
