"""Settings of a command: one frozen dataclass defines its flags, notebook parameters and config.json.

Each setting is defined once::

    @dataclass(frozen=True)
    class TrainingSettings:
        epochs: int = setting(50, "passes over the training images")

It is ``--epochs`` on the command line, ``EPOCHS`` in a notebook and ``"epochs"`` in the config.json of a run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from lumbar.core.errors import SettingsError

Settings = TypeVar("Settings")

_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    identifies: bool = True,
    first_released_as: str | None = None,
    added: bool = False,
) -> Any:
    """Return a dataclass field for a setting, with its help text and the values that it accepts.

    Args:
        default: Value of the setting unless the user gives another.
        help: Help text: one line without a full stop, with the unit if there is one.
        choices: The accepted values, if they are few.
        at_least: The smallest accepted number.
        at_most: The largest accepted number.
        identifies: Whether another value makes a different run. A setting for which it does not, such as the number of
            devices, is ignored when settings are compared, and may change when a run is continued.
        first_released_as: Name of the setting in an earlier release, if it was renamed. The old name is still accepted
            on the command line and in files, with a note.
        added: Whether the first release lacked it. While it has its default it counts for no fingerprint, so that the
            runs of the first release keep their names.

    Returns:
        The field, as `dataclasses.field` returns it.
    """
    allowed = {"choices": choices, "at_least": at_least, "at_most": at_most}
    metadata = {"help": help, **allowed, "first_released_as": first_released_as, "added": added}
    return dataclasses.field(default=default, metadata=metadata, compare=identifies)


def add_flags(parser: argparse.ArgumentParser, kind: type, *, skip: tuple[str, ...] = ()) -> None:
    """Add one flag for each setting to a parser; the setting ``batch_size`` becomes ``--batch-size``.

    Args:
        parser: The parser, or one of its argument groups.
        kind: Dataclass of the settings.
        skip: Names of settings that get no flag.
    """
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


def mentioned(kind: type, namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that a parsed command line mentions, under their current names: name → value.

    Args:
        kind: Dataclass of the settings.
        namespace: The parsed command line; what is not a setting of `kind` is left out.
    """
    names = {field.name for field in dataclasses.fields(kind)} | set(_renamed(kind))
    return _with_current_names(kind, {name: value for name, value in vars(namespace).items() if name in names})


def from_flags(kind: type[Settings], namespace: argparse.Namespace) -> Settings:
    """Return the settings that a parsed command line asks for; those that it does not mention keep their defaults.

    Args:
        kind: Dataclass of the settings.
        namespace: The parsed command line; what is not a setting of `kind` is ignored.

    Raises:
        SettingsError: If a value is invalid.
    """
    return from_dict(kind, mentioned(kind, namespace))


def from_dict(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Return settings made from plain values, such as those of a JSON file.

    Args:
        kind: Dataclass of the settings.
        values: Setting name → value; settings that are not mentioned keep their defaults.

    Raises:
        SettingsError: If a name is unknown, or a value has the wrong type or is outside the choices or bounds.
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
    """Return the settings as plain values that JSON can hold: paths as text, tuples as lists."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=str))


def identity(settings: Any) -> dict[str, Any]:
    """Return the part of `to_dict` that distinguishes one run from another."""
    identifying = {field.name for field in dataclasses.fields(settings) if field.compare}
    return {name: value for name, value in to_dict(settings).items() if name in identifying}


def differences(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which two runs differ: name → (value of the first, value of the second)."""
    a, b = identity(one), identity(other)
    return {name: (a[name], b[name]) for name in a if a[name] != b[name]}


def first_released_names(settings: Any) -> dict[str, Any]:
    """Return `identity` in the terms of the first release; fingerprints are computed from it.

    Each renamed setting has its first name, and settings that the first release lacked are left out if they have their
    defaults.
    """
    names = {new: old for old, new in _renamed(type(settings)).items()}
    unused = {each.name for each in dataclasses.fields(settings) if each.metadata["added"]}
    unused = {name for name in unused if getattr(settings, name) == getattr(type(settings), name)}
    return {names.get(name, name): value for name, value in identity(settings).items() if name not in unused}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _renamed(kind: type) -> dict[str, str]:
    """Return the settings that were renamed: earlier name → current name."""
    renamed = ((field.metadata.get("first_released_as"), field.name) for field in dataclasses.fields(kind))
    return {old: new for old, new in renamed if old}


_noted: set[str] = set()


def _with_current_names(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values under the current names of their settings; print one note per process for each old name."""
    renamed = _renamed(kind)
    for old in (name for name in values if name in renamed and name not in _noted):
        _noted.add(old)
        print(
            f"note: the setting {old} is now called {renamed[old]} ({_flag(renamed[old])}); "
            "the old name is accepted for one more release",
            file=sys.stderr,
        )
    return {renamed.get(name, name): value for name, value in values.items()}


def _plain_type(hint: Any) -> tuple[type, bool]:
    """Return (element type, whether it is a tuple) of a hint such as ``Path | None`` or ``tuple[str, ...]``."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def _checked(field: dataclasses.Field, hint: Any, value: Any) -> Any:
    """Return the value of a setting, converted to its type.

    Raises:
        SettingsError: If it has the wrong type, or is outside the choices or bounds of the setting.
    """
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
                f"the setting {field.name} must be {_TYPES.get(element, element.__name__)}",
                field=field.name,
                found=repr(value),
            )
        choices, at_least, at_most = (field.metadata[name] for name in ("choices", "at_least", "at_most"))
        if choices and each not in choices:
            raise SettingsError(
                f"the setting {field.name} has an unknown value",
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
    """Return the help text of a setting; the default is added unless the text itself describes it."""
    text = field.metadata["help"]
    describes_default = field.default in (None, ()) and ("default:" in text or "left out" in text)
    return text if describes_default else f"{text} (default: {_shown(field.default)})"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
