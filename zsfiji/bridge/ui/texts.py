"""What the windows of jobs say, in one place: 'zsfiji install' hands the same to a stock Fiji.

``{title}`` and ``{jobs}`` are filled in where a text is shown.
"""

from __future__ import annotations

from zsfiji import progress

STARTING = progress.STARTING
NO_IMAGE = "There are no images open. Open the image that you want to restore first."
LOCKED = (
    'The image "{title}" is locked: another command is working on it. Wait until that has '
    "finished, or free it with Plugins > Utilities > Reset..."
)

FINISH = "Finish now"
FINISH_HINT = "End the training and keep the best result so far."
FINISHING = "Finishing with the best result so far"
CANCEL = "Cancel"
CANCEL_HINT = "Stop and keep nothing. Esc does the same."
CANCELLING = "Cancelling"

KEEP_WORKING, QUIT = "Keep working", "Quit"
STILL_AT_WORK = "Still at work:{jobs}\nWhat has been done so far is lost if you quit."
STOPPING = "Stopping the jobs"


def for_stock_fiji() -> dict[str, str]:
    """The texts by their names in small letters."""
    return {key.lower(): text for key, text in globals().items() if key.isupper()}
