"""Calls, values and plug-ins that make no sense as given."""

from __future__ import annotations

import attrs

from qldb_stream.errors._root import QldbStreamError

__all__ = ["DeniedObjectError", "IonEncodeError", "PluginError", "UsageError"]


@attrs.frozen
class UsageError(QldbStreamError):
    """A call, an option or a configuration that makes no sense as given."""

    problem: str

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class DeniedObjectError(UsageError):
    """One object of a bucket that may not be read, or is frozen in an archive class."""

    problem: str

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class IonEncodeError(QldbStreamError):
    """A Python value that has no Ion equivalent, or exceeds our bounds."""

    problem: str

    def __str__(self) -> str:
        return f"cannot write as Ion: {self.problem}"


@attrs.frozen
class PluginError(QldbStreamError):
    """A plug-in that does not do what its hook says."""

    plugin: str
    hook: str
    problem: str

    def __str__(self) -> str:
        return f"plug-in {self.plugin}, hook {self.hook}: {self.problem}"
