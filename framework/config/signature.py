"""The arguments of a class, read in the text of its module: nothing is imported, so a class on top of torch costs
nothing.

Says nothing (None) about whatever is not written plainly: `build.py` then asks the class itself.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import importlib.util
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PLAIN = ("int", "float", "str", "bool", "list", "dict", "tuple")
GENERIC = ("typing", "collections.abc")


@dataclass(frozen=True)
class Argument:
    """Describes one argument of a constructor."""

    required: bool
    hint: Any  # its type, if it is made of plain values alone; otherwise None


class _Unclear(Exception):
    """Something about a class is not written plainly."""


def read(target: str) -> dict[str, Argument] | None:
    """Returns name -> argument of the class at the dotted path `target`; None where the text does not say."""
    module, _, name = target.rpartition(".")
    try:
        return _arguments(module, name)
    except _Unclear:
        return None


def _arguments(module: str, name: str) -> dict[str, Argument]:
    """Those of the class's own constructor or fields, and before them the fields that a dataclass inherits."""
    tree = _tree(module)
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    if len(found) != 1 or found[0].keywords:
        raise _Unclear
    cls, names = found[0], _imported(tree)
    decorators = [_dataclass(decorator) for decorator in cls.decorator_list]
    if not all(decorators):
        raise _Unclear
    own = [node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name in ("__init__", "__new__")]
    if own:
        return _of_function(own[0], names)
    inherited: dict[str, Argument] = {}
    for base in reversed(cls.bases):
        inherited |= _of_base(base, module, tree, names)
    return inherited | dict(_fields(cls, names)) if decorators else inherited


def _of_base(base: ast.expr, module: str, tree: ast.Module, names: dict[str, tuple[str, str]]) -> dict[str, Argument]:
    if not isinstance(base, ast.Name):
        raise _Unclear
    if base.id in names:
        return {} if names[base.id] == ("abc", "ABC") else _arguments(*names[base.id])
    return _arguments(module, base.id)


@cache
def _tree(module: str) -> ast.Module:
    """The text of a module. Packages above it are imported; ours hold nothing."""
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # whatever the package above does
        raise _Unclear from error
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        raise _Unclear
    return ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Name -> (module, name there) of what a module imports by name."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }


def _dataclass(decorator: ast.expr) -> bool:
    """Whether a decorator makes the constructor out of the fields."""
    called, options = decorator, []
    if isinstance(decorator, ast.Call):
        called, options = decorator.func, [option.arg for option in decorator.keywords]
    return isinstance(called, ast.Name) and called.id == "dataclass" and "init" not in options


def _fields(cls: ast.ClassDef, names: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Argument]]:
    """The fields of a dataclass that its constructor takes."""
    for node in cls.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if "ClassVar" in ast.unparse(node.annotation):
            continue
        if "InitVar" in ast.unparse(node.annotation) or isinstance(node.value, ast.Call):  # field(...): what it says
            raise _Unclear
        yield node.target.id, Argument(node.value is None, _hint(node.annotation, names))


def _of_function(node: ast.FunctionDef, names: dict[str, tuple[str, str]]) -> dict[str, Argument]:
    places = [*node.args.posonlyargs, *node.args.args][1:]  # without self
    defaults = len(node.args.defaults)
    required = {place.arg: rank < len(places) - defaults for rank, place in enumerate(places)}
    for place, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        places.append(place)
        required[place.arg] = default is None
    if node.args.vararg:
        raise _Unclear
    return {one.arg: Argument(required[one.arg], one.annotation and _hint(one.annotation, names)) for one in places}


def _hint(node: ast.expr, names: dict[str, tuple[str, str]]) -> Any:
    """The type that an annotation means; None where it is not made of plain values."""
    try:
        return _type(node, names)
    except _Unclear:
        return None


def _type(node: ast.expr, names: dict[str, tuple[str, str]]) -> Any:
    match node:
        case ast.Constant(value=None):
            return type(None)
        case ast.Name(id=name) if name in PLAIN and name not in names:
            return getattr(builtins, name)
        case ast.Name(id=name) if names.get(name, ("", ""))[0] in GENERIC:
            home, real = names[name]
            return getattr(typing if home == "typing" else collections.abc, real)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return typing.Union[_type(left, names), _type(right, names)]  # noqa: UP007
        case ast.Subscript(value=ast.Name(id="Literal"), slice=slice):
            return typing.Literal[ast.literal_eval(slice)]
        case ast.Subscript(value=value, slice=ast.Tuple(elts=parts)):
            return _type(value, names)[tuple(_type(part, names) for part in parts)]
        case ast.Subscript(value=value, slice=part):
            return _type(value, names)[_type(part, names)]
        case ast.Constant(value=value) if value is Ellipsis:
            return Ellipsis
    raise _Unclear
