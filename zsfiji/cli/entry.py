"""The command line: ``zsfiji``, ``zsfiji run``, ``macro``, ``script``, ``demo``, ``doctor``.

Exit status: 0; 2 for what the user can correct; 1 for a bug, with its traceback; 130 for Ctrl-C,
143 for SIGTERM, 129 for SIGHUP.
Results (paths, tables, what a macro prints) go to standard output, messages and progress to
standard error.

Everything heavier than argparse is imported by the command that needs it, so that ``--help`` is
there at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

from zsfiji import signals
from zsfiji.cli.status import BUG, OK, USER_ERROR
from zsfiji.errors import Cancelled, UserError
from zsfiji.version import __version__

_SECONDS_TO_END = 8.0
"""For Java and other threads to end after the work is done; then the process ends all the same."""

_REPORT = (
    "This is a bug in zsfiji, not a mistake of yours. Please report it with the lines above, the "
    "command, and what 'zsfiji doctor' prints."
)
_DESCRIPTION = """\
Zero-shot microscopy restoration inside ImageJ and Fiji.

  zsfiji [image ...]                           ImageJ (or your Fiji) with the Zero-Shot menu
  zsfiji demo                                  denoise an example image and show it
  zsfiji run "Zero-Shot Denoise..." cells.tif  restore images without a window
  zsfiji list                                  the commands
  zsfiji help "Zero-Shot Denoise..."           the options of one
  zsfiji install Fiji.app                      put them into your Fiji's own menu
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The words behind ``zsfiji``; those of the process when left out.

    Returns
    -------
    int
        Exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser, actions = _parser()
    if not words or words[0] not in (*actions, "-h", "--help", "--version"):
        words.insert(0, "open")
    arguments, rest = parser.parse_known_args(words)
    # argparse gives back, as unknown, what stands behind an option: run "..." a.tif -o b.tif x=1
    unknown = [word for word in rest if word.startswith("-")] or _taken(arguments, rest)
    if unknown:
        actions[arguments.action].error(f"unknown argument: {' '.join(unknown)}")
    handler = logging.StreamHandler()
    # A note of a result is printed with it, and with the name of its image.
    handler.addFilter(lambda record: not getattr(record, "is_note", False))
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[handler])
    if arguments.verbose:
        logging.getLogger("zsfiji").setLevel(logging.INFO)
    # Called by a program of its own, and not by another one in Python, it is the whole process.
    whole = argv is None
    with signals.watched(to_the_end=whole):
        status = guarded(lambda: arguments.call(arguments))
    if whole:
        signals.end_within(_SECONDS_TO_END, status)
    return status


def _taken(arguments: argparse.Namespace, words: list[str]) -> list[str]:
    """Give an action the words that it can take; gives back the others."""
    for several in ("words", "images"):
        if hasattr(arguments, several):
            getattr(arguments, several).extend(words)
            return []
    if getattr(arguments, "argument", None) == "" and words:
        arguments.argument, *words = words
    return words


def guarded(call: Callable[[], int | None]) -> int:
    """Exit status of `call`, with a message where it fails.

    Parameters
    ----------
    call : callable
        Gives an exit status; None means 0.
    """
    try:
        return call() or OK
    except UserError as error:
        print(f"zsfiji: {error}", file=sys.stderr)
        return USER_ERROR
    except (Cancelled, KeyboardInterrupt):
        # The terminal may have been closed.
        with suppress(OSError):
            print(signals.message(), file=sys.stderr, flush=True)
        return signals.status()
    except BrokenPipeError:
        # The program that read our output, as "head" does, has ended.
        sys.stderr.close()
        return OK
    except Exception:
        traceback.print_exc()
        print(_REPORT, file=sys.stderr)
        return BUG


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="zsfiji", description=_DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"zsfiji {__version__}")
    actions = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def action(
        name: str, call: Callable[[argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        added = actions.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", add_help=False
        )
        added.add_argument(
            "-h", "--help", nargs=0, action=_HelpAction, help="show this message and exit"
        )
        added.add_argument("-v", "--verbose", action="store_true", help="say more about the work")
        added.set_defaults(call=call)
        return added

    def with_fiji(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument(
            "--fiji",
            metavar="FOLDER",
            help="the Fiji to use: its folder, or 'none' for the ImageJ that zsfiji brings",
        )
        return added

    added = with_fiji(action("open", _open, "open ImageJ with the Zero-Shot menu (the default)"))
    added.add_argument("images", nargs="*", help="images to open")

    added = with_fiji(action("demo", _demo, "denoise an example image and a simulated one"))
    added.add_argument("--headless", action="store_true", help="without windows")
    added.add_argument(
        "--quality", default="standard", choices=("quick", "standard", "best"), help="of the result"
    )

    added = action("run", _run, "restore images without a window, with one of the commands")
    added.add_argument(
        "label",
        help='the command, such as "Zero-Shot Denoise..."; "zsfiji list" names them, "zsfiji help '
        'COMMAND" explains the options of one',
    )
    added.add_argument("words", nargs="*", metavar="image | folder | key=value", help="what to do")
    added.add_argument("-o", "--output", metavar="PATH", help="file, or folder of several results")
    added.add_argument("--overwrite", action="store_true", help="replace results that are there")

    added = with_fiji(action("macro", _macro, "run an ImageJ macro without a window"))
    added.add_argument("file", help="the macro, .ijm or .txt")
    added.add_argument("argument", nargs="?", default="", help="what getArgument() gives")

    added = with_fiji(action("script", _script, "run a Python script with #@ parameters"))
    added.add_argument("file", help="the script")
    added.add_argument("words", nargs="*", metavar="key=value", help="its parameters")

    added = action("install", _install, "put the commands into a Fiji's own menu")
    added.add_argument("fiji", help="the folder of the Fiji")
    added = action("uninstall", _uninstall, "take the commands out of a Fiji's menu")
    added.add_argument("fiji", help="the folder of the Fiji")
    added = action("config", _config, "show the settings, or change one")
    added.add_argument("key", nargs="?", choices=("fiji",), help="fiji: the Fiji to open")
    added.add_argument("value", nargs="?", help="its value; 'none' forgets it")

    action("list", _list, "list the commands")
    added = action("help", _help, "explain a command and its options")
    added.add_argument("label", help="the command")
    with_fiji(action("doctor", _doctor, "say what works here, and what to do about the rest"))
    return parser, dict(actions.choices)


class _HelpAction(argparse.Action):
    """Explain ``zsfiji run``, or the command that stands before: ``zsfiji run LABEL --help``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if not getattr(namespace, "label", None):
            parser.print_help()
            parser.exit()
        parser.exit(guarded(lambda: _help(namespace)))


def _open(arguments: argparse.Namespace) -> None:
    from zsfiji.cli.window import open_window

    open_window(arguments.images, arguments.fiji)


def _demo(arguments: argparse.Namespace) -> None:
    from zsfiji.cli.demo import demo

    demo(headless=arguments.headless or None, fiji=arguments.fiji, quality=arguments.quality)


def _run(arguments: argparse.Namespace) -> int:
    from zsfiji.cli.run import run_files

    return run_files(
        arguments.label, arguments.words, output=arguments.output, overwrite=arguments.overwrite
    )


def _macro(arguments: argparse.Namespace) -> None:
    from zsfiji.cli.window import run_macro_file

    run_macro_file(arguments.file, arguments.argument, arguments.fiji)


def _script(arguments: argparse.Namespace) -> None:
    from zsfiji.bridge.scripts.runner import run_script

    run_script(arguments.file, arguments.words, arguments.fiji)


def _install(arguments: argparse.Namespace) -> None:
    from zsfiji.bridge.stock.install import install

    print(install(arguments.fiji))


def _uninstall(arguments: argparse.Namespace) -> None:
    from zsfiji.bridge.stock.install import uninstall

    print(uninstall(arguments.fiji))


def _config(arguments: argparse.Namespace) -> None:
    from zsfiji import folders
    from zsfiji.bridge.start.fiji import choose

    if arguments.value is not None:
        forget = arguments.value.lower() == "none"
        folders.set_setting(arguments.key, None if forget else choose(arguments.value))
    print(f"fiji = {folders.setting('fiji') or 'none'}")
    print(f"These settings are kept in {folders.settings_file()}", file=sys.stderr)


def _list(arguments: argparse.Namespace) -> None:
    from zsfiji.cli.listing import print_commands

    print_commands()


def _help(arguments: argparse.Namespace) -> None:
    from zsfiji.cli.listing import print_help

    print_help(arguments.label)


def _doctor(arguments: argparse.Namespace) -> int:
    from zsfiji.cli.listing import print_report

    return print_report(arguments.fiji)
