"""The commands of `lumbar.cli` and their arguments, as their own parsers state them."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from lumbar.cli.main import VERBS


@dataclass(frozen=True)
class Argument:
    """One argument of a command.

    Args:
        name: Its name without dashes, for an anchor.
        spelling: How it is written, with what it takes: ``--out FILE``.
        help: What it does.
    """

    name: str
    spelling: str
    help: str


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        verb: Its name.
        purpose: A sentence.
        usage: How it is called.
        groups: Heading → the arguments below it; a heading without arguments is left out.
    """

    verb: str
    purpose: str
    usage: str
    groups: dict[str, list[Argument]]


def commands() -> Iterator[Command]:
    """Yield every command, in the order of ``python -m lumbar --help``."""
    for verb, purpose in VERBS.items():
        parser = argparse.ArgumentParser(prog=f"python -m lumbar {verb}", add_help=False)
        importlib.import_module(f"lumbar.cli.{verb}").add_arguments(parser)
        # argparse gives its groups and actions no public names; `--help` is made from these, too.
        groups = {
            group.title or "": [_argument(parser, action) for action in group._group_actions if _is_shown(action)]
            for group in parser._action_groups
        }
        yield Command(
            verb,
            f"{purpose[0].upper()}{purpose[1:]}.",
            _usage(parser),
            {title: arguments for title, arguments in groups.items() if arguments},
        )


def _usage(parser: argparse.ArgumentParser) -> str:
    words = [parser.prog]
    options = [action for action in parser._actions if action.option_strings]
    if not all(option.required for option in options):
        words.append("[OPTIONS]")
    words += [f"{option.option_strings[-1]} {_takes(parser, option)}" for option in options if option.required]
    words += [_takes(parser, action) for action in parser._actions if not action.option_strings]
    return " ".join(words)


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    spellings = [f"{option} {_takes(parser, action)}".strip() for option in action.option_strings]
    name = (action.option_strings or [action.dest])[0].lstrip("-")
    help_text = parser._get_formatter()._expand_help(action) if action.help else ""
    return Argument(name, ", ".join(spellings) or _takes(parser, action), help_text)


def _takes(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    formatter = parser._get_formatter()
    default = formatter._get_default_metavar_for_optional(action) if action.option_strings else action.dest.upper()
    return formatter._format_args(action, default)
