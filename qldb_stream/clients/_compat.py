"""
Let ionhash, and pyqldb which needs it, be imported beside a new amazon.ion.

ionhash 1.2.1 hangs its method on `amazon.ion.simple_types._IonNature`, the base class of
all values, which amazon.ion 0.11 removed. The name is put back for ionhash to find, and the
method is copied onto each class that took over. That is all it takes: hashes, and with them
commit digests, are those of the old pair (a test compares them with our own Ion Hash).

It changes two third-party modules for the whole process, so it is done once, under a lock,
changes nothing where the old name is still there, and leaves no trace when ionhash is missing.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any, Final

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
