"""Settings of a verb: one frozen dataclass, from which flags, notebook parameters and config.json are made alike.

A setting is written once::

    @dataclass(frozen=True)
    class TrainingSettings:
        epochs: int = setting(50, "passes over the training pictures")

and is then ``--epochs`` on the command line, ``EPOCHS`` in a notebook and ``"epochs"`` in a run's config.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import types
import typing
from typing import Any, TypeVar

from lumbar.core.errors import SettingsError

Settings = TypeVar("Settings")


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    identifies: bool = True,
    first_released_as: str | None = None,
) -> Any:
    """A dataclass field with the help text that a person reads.

    Args:
        default: The value used when nobody says otherwise.
        help: One line, no full stop; units where there are any.
        choices: The only values allowed, if they are few.
        at_least: The smallest value allowed, for a number.
        at_most: The largest value allowed, for a number.
        identifies: Whether another value makes another run. A setting that does not (where a run is computed, who else
            records it) is ignored when settings are compared, and may change from one start to the next.
        first_released_as: The setting's name in an earlier release, if it was renamed. The old name is still accepted,
            on the command line and in files, with a note.
    """
    allowed = {"choices": choices, "at_least": at_least, "at_most": at_most}
    metadata = {"help": help, **allowed, "first_released_as": first_released_as}
    return dataclasses.field(default=default, metadata=metadata, compare=identifies)


def add_flags(parser: argparse.ArgumentParser, kind: type, *, skip: tuple[str, ...] = ()) -> None:
    """Give `parser` one flag for each setting of the dataclass `kind`; ``batch_size`` becomes ``--batch-size``."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in skip:
            continue
        options: dict[str, Any] = {
            "dest": field.name,
            "default": argparse.SUPPRESS,
            "help": _help(field).replace("%", "%%"),
        }
        hint, several = _plain_type(hints[field.name])
        if hint is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = hint
            options["choices"] = field.metadata["choices"]
            options["metavar"] = None if field.metadata["choices"] else hint.__name__.upper()
            if several:
                options["nargs"] = "+"
        parser.add_argument(_flag(field.name), **options)
        if field.metadata["first_released_as"]:
            renamed = {"dest": field.metadata["first_released_as"], "help": argparse.SUPPRESS}
            parser.add_argument(_flag(field.metadata["first_released_as"]), **options | renamed)


def from_flags(kind: type[Settings], namespace: argparse.Namespace) -> Settings:
    """The settings that a parsed command line asks for; whatever it does not mention keeps its default."""
    names = {field.name for field in dataclasses.fields(kind)} | set(_renamed(kind))
    return from_dict(kind, {name: value for name, value in vars(namespace).items() if name in names})


def from_dict(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Settings from plain values, as read from JSON.

    Raises:
        SettingsError: For an unknown name, a value of the wrong type, outside the choices or the bounds.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    values = _with_current_names(kind, values)
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise SettingsError(
            f"{kind.__name__} has no setting named {', '.join(unknown)}", expected=", ".join(fields), field=unknown[0]
        )
    return kind(**{name: _checked(fields[name], hints[name], value) for name, value in values.items()})


def to_dict(settings: Any) -> dict[str, Any]:
    """The settings as plain values that JSON can hold (paths become text, tuples lists)."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=str))


def identity(settings: Any) -> dict[str, Any]:
    """The part of `to_dict` that makes a run this run and no other."""
    identifying = {field.name for field in dataclasses.fields(settings) if field.compare}
    return {name: value for name, value in to_dict(settings).items() if name in identifying}


def differences(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Return the settings whose values make two runs different: name → both values."""
    a, b = identity(one), identity(other)
    return {name: (a[name], b[name]) for name in a if a[name] != b[name]}


def first_released_names(settings: Any) -> dict[str, Any]:
    """Return `identity` with renamed settings under the names of their first release; fingerprints are made of it."""
    names = {new: old for old, new in _renamed(type(settings)).items()}
    return {names.get(name, name): value for name, value in identity(settings).items()}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _renamed(kind: type) -> dict[str, str]:
    """Return earlier name → current name of the settings that were renamed."""
    renamed = ((field.metadata.get("first_released_as"), field.name) for field in dataclasses.fields(kind))
    return {old: new for old, new in renamed if old}


_noted: set[str] = set()


def _with_current_names(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values under the settings' current names; each earlier name is noted once in a process."""
    renamed = _renamed(kind)
    for old in (name for name in values if name in renamed and name not in _noted):
        _noted.add(old)
        print(
            f"note: the setting {old} is called {renamed[old]} now ({_flag(renamed[old])}); "
            "the old name is accepted for one more release",
            file=sys.stderr,
        )
    return {renamed.get(name, name): value for name, value in values.items()}


def _plain_type(hint: Any) -> tuple[type, bool]:
    """(element type, whether several are taken) of ``int``, ``Path | None``, ``tuple[str, ...]`` and the like."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def _checked(field: dataclasses.Field, hint: Any, value: Any) -> Any:
    if value is None and type(None) in typing.get_args(hint):
        return None
    element, several = _plain_type(hint)
    elements = list(value) if several and isinstance(value, (list, tuple)) else [value]
    for index, each in enumerate(elements):
        if element is bool or isinstance(each, bool):
            correct = element is bool and isinstance(each, bool)
        else:
            try:
                elements[index] = each = element(each)
                correct = not (element is int and float(value if not several else each) != each)
            except (TypeError, ValueError):
                correct = False
        if not correct:
            raise SettingsError(
                f"the setting {field.name} needs {element.__name__}", field=field.name, found=repr(value)
            )
        choices, at_least, at_most = (field.metadata[name] for name in ("choices", "at_least", "at_most"))
        if choices and each not in choices:
            raise SettingsError(
                f"the setting {field.name} has a value that is not offered",
                field=field.name,
                found=repr(each),
                expected=", ".join(map(str, choices)),
            )
        if at_least is not None and not each >= at_least:
            raise SettingsError(
                f"the setting {field.name} is too small", field=field.name, found=each, expected=f"at least {at_least}"
            )
        if at_most is not None and not each <= at_most:
            raise SettingsError(
                f"the setting {field.name} is too large", field=field.name, found=each, expected=f"at most {at_most}"
            )
    return tuple(elements) if several else elements[0]


def _help(field: dataclasses.Field) -> str:
    """The help text with the default, unless it says itself what being left out means."""
    told = field.default in (None, ()) and (
        "default:" in field.metadata["help"] or "left out" in field.metadata["help"]
    )
    return field.metadata["help"] + ("" if told else f" (default: {_shown(field.default)})")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
