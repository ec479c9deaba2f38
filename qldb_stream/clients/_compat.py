"""
Let ionhash, and pyqldb which needs it, be imported beside a new amazon.ion.

ionhash 1.2.1 hangs its method on `amazon.ion.simple_types._IonNature`, the base class of
all values, which amazon.ion 0.11 removed. The name is put back for ionhash to find, and the
method is copied onto each class that took over. That is all it takes: hashes, and with them
commit digests, are those of the old pair (a test compares them with our own Ion Hash) - but for
nan: the new C reader makes one with a payload, which ionhash would hash and no reader of Ion
keeps. It is hashed as the one nan that Ion has (Ion Hash: "nan" is one value).

It changes two third-party modules for the whole process, so it is done once, under a lock,
changes nothing where the old name is still there, and leaves no trace when ionhash is missing.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import attrs

from qldb_stream.errors import UsageError

__all__ = ["load_ionhash", "missing_extra"]

_LOCK: Final = threading.Lock()
_BASE: Final = "_IonNature"
_METHOD: Final = "ion_hash"


def load_ionhash() -> None:
    """
    Import ionhash, whichever amazon.ion is installed; again does nothing.

    Afterwards all values that amazon.ion reads have the method `ion_hash`, and pyqldb can
    be imported.

    Raises:
        UsageError: ionhash is not installed; amazon.ion is then as it was.
    """
    from amazon.ion import simple_types

    with _LOCK:
        was_there = hasattr(simple_types, _BASE)
        if not was_there:
            setattr(simple_types, _BASE, type(_BASE, (), {}))
        try:
            _import_ionhash()
        except BaseException:
            if not was_there:
                delattr(simple_types, _BASE)
            raise
        # Where the name is amazon.ion's own, its values have inherited the method by now; where
        # it was put there, by this function or by somebody else, they have not.
        if not hasattr(simple_types.IonPyNull, _METHOD):
            _copy_method(simple_types, getattr(getattr(simple_types, _BASE), _METHOD))
        _hash_one_nan()


def missing_extra(error: ImportError) -> UsageError:
    """Say what to install, for an import that failed."""
    return UsageError(
        f"AWS's clients for QLDB need the extra `qldb`, {error.name or 'a package'} is missing: "
        "pip install 'qldb-stream[qldb]'"
    )


def _import_ionhash() -> None:
    try:
        with warnings.catch_warnings():
            # It uses an enum that amazon.ion wants to itself; nobody can act on the warning.
            warnings.simplefilter("ignore", DeprecationWarning)
            import ionhash  # noqa: F401 - it installs its method when it is imported
    except ModuleNotFoundError as exc:
        raise missing_extra(exc) from exc


def _copy_method(simple_types: Any, method: Any) -> None:
    for name in dir(simple_types):
        if name.startswith("IonPy"):
            setattr(getattr(simple_types, name), _METHOD, method)


def _hash_one_nan() -> None:
    """Let ionhash see the same nan whatever bits one has; again does nothing."""
    from amazon.ion.core import IonType
    from ionhash import hasher

    serializers = hasher._UPDATE_SCALAR_HASH_BYTES_JUMP_TABLE  # noqa: SLF001 - no other way in
    serialize = serializers[IonType.FLOAT]
    if isinstance(serialize, _FloatSerializer):
        return
    serializers[IonType.FLOAT] = _FloatSerializer(serialize)


@attrs.frozen
class _FloatSerializer:
    """Ionhash's own way to write a float, given a canonical nan."""

    serialize: Callable[[Any], Any]

    def __call__(self, event: Any) -> Any:
        """Write what an event of amazon.ion holds."""
        if math.isnan(event.value):
            event = SimpleNamespace(ion_type=event.ion_type, value=math.nan)
        return self.serialize(event)
