"""Packages whose public names are imported from their homes on first use (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["import_from_home"]


def import_from_home(package: str, homes: Mapping[str, str], name: str) -> Any:
    """
    Import a public name of a package from the module that is its home, and keep it there.

    Args:
        package: the package's name.
        homes: each public name's module, below the package.
        name: what was asked for.

    Raises:
        AttributeError: the package has no such name.
    """
    home = homes.get(name)
    if home is None:
        msg = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"{package}.{home}"), name)
    setattr(sys.modules[package], name, value)
    return value
