"""Read the parameters of notebooks from YAML files: the profiles of `runner` and the grids of `grid`.

Numbers are read by the rules of YAML 1.2: ``1e-3`` is a number, ``010`` is ten, ``1:30`` and ``2026-11-28`` are text.
PyYAML follows YAML 1.1, in which ``1e-3`` is text, ``010`` is eight, ``1:30`` is ninety and ``2026-11-28`` is a date.
Underscores between digits, and yes, no, on and off for true and false, are read as in YAML 1.1.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lumbar.core.errors import SettingsError
from lumbar.course.notebook import offered_parameters

_TEXT, _INTEGER, _FLOAT, _TIMESTAMP, _VALUE, _MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "timestamp", "value", "merge")
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the numbers of YAML 1.2, names that are always text, and no name twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in known if tag not in (_INTEGER, _FLOAT, _TIMESTAMP, _VALUE)]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode) or name.tag == _MERGE:
                continue
            name.tag = _TEXT  # the name of a parameter, such as ON, is not a value
            if name.value in seen:
                raise SettingsError(
                    "a name occurs twice",
                    file=self.name,
                    field=name.value,
                    found=f"again in line {name.start_mark.line + 1}",
                    expected="each name once",
                )
            seen.add(name.value)
        return node

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        digits = self.construct_scalar(node).replace("_", "")
        return int(digits, 0 if digits.lstrip("+-")[:2] in ("0b", "0o", "0x") else 10)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        digits = self.construct_scalar(node).replace("_", "").lower()
        return float(digits.replace(".", "") if digits.endswith(("inf", "nan")) else digits)


_Loader.add_implicit_resolver(
    _INTEGER,
    re.compile(r"[-+]?(?:[0-9][0-9_]*|0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+)$"),
    list("+-0123456789"),
)
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"(?:[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("+-.0123456789"),
)
_Loader.add_constructor(_INTEGER, _Loader.construct_integer)
_Loader.add_constructor(_FLOAT, _Loader.construct_float)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file in UTF-8 or UTF-16; it is empty if the file is.

    Raises:
        SettingsError: If the file is not YAML or in another encoding, contains something other than a mapping, or has a
            name twice; YAML itself would use the last value.
    """
    with path.open("rb") as file:
        try:
            content = yaml.load(file, Loader=_Loader)  # a safe loader
        except yaml.reader.ReaderError as error:
            raise SettingsError(
                "this file is not text in UTF-8",
                file=path,
                found=" ".join(str(error).split()),
                remedy="save it with the encoding UTF-8",
            ) from error
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
            # PyYAML raises the others for tags that do not fit, such as `!!bool maybe`, and for deep nesting
            raise SettingsError("this is not a YAML file", file=path, found=" ".join(str(error).split())) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError("the file does not contain a mapping", file=path, expected="lines NAME: value")
    return content


def check_parameters(source: Path, values: Mapping[str, Sequence[Any]], *, file: Path) -> None:
    """Check that a notebook has the given parameters and can hold their values; papermill would warn at most.

    Args:
        source: The notebook.
        values: Parameter → values for it.
        file: The file with the values, for the message.

    Raises:
        SettingsError: If the notebook does not have a parameter or cannot be read, a value does not exist in JSON, the
            format of notebooks, or the value of a number, or in a list of numbers, is text.
    """
    offered = offered_parameters(source)
    for name, given in values.items():
        if name not in offered:
            raise SettingsError(
                f"the notebook {source.stem} has no such parameter",
                file=file,
                field=name,
                expected=", ".join(offered) or "no parameters",
                remedy="look at the cell of the notebook that is tagged `parameters`",
            )
        for value in given:
            _check_value(value, name, file)
            text = next(_texts(value), None)
            if text is not None and _is_numeric(offered[name]):
                raise SettingsError(
                    "this parameter must be a number",
                    file=file,
                    field=name,
                    found=repr(text),
                    expected=f"a number like {offered[name]}",
                    remedy="write a number with a decimal point, without quotes and without a unit",
                )


def _check_value(value: Any, name: str, file: Path) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            "this cannot be the value of a parameter",
            file=file,
            field=name,
            found=repr(value),
            expected="a finite number, text, true or false, null, or a list of them",
            remedy="a notebook is JSON, which has no infinity and no NaN; give null or a large number"
            if isinstance(error, ValueError)
            else "put text in quotes",
        ) from error


def _texts(value: Any) -> Iterator[str]:
    """Yield the text in a value, or in the elements of a list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _is_numeric(default: str) -> bool:
    """Return whether the source of a default is a number, arithmetic such as ``10 ** -3``, or a list of numbers."""
    try:
        nodes = list(ast.walk(ast.parse(default, mode="eval")))
    except SyntaxError:
        return False
    structure = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.List, ast.Tuple, ast.Load)
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return (
        bool(constants)
        and all(isinstance(node, (*structure, ast.Constant)) for node in nodes)
        and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in constants)
    )
