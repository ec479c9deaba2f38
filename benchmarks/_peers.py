"""The peers: AWS's KPL package, amazon.ion's own reader, ionhash."""

from __future__ import annotations

from typing import Any

from amazon.ion import simple_types, simpleion


def load_ionhash() -> None:
    """
    Make ionhash work beside a newer amazon.ion.

    It imports a name that amazon.ion 0.11 removed and hangs its method on that class;
    the classes that took over get the method here (shared dependencies notes).
    """
    if not hasattr(simple_types, "_IonNature"):
        simple_types._IonNature = type("_IonNature", (), {})  # noqa: SLF001 - its old home
        import ionhash

        method = simple_types._IonNature.ion_hash  # noqa: SLF001 - as above
        for name in dir(simple_types):
            if name.startswith("IonPy"):
                getattr(simple_types, name).ion_hash = method
    else:
        import ionhash  # noqa: F401 - it installs the method on import


def ion_hash(value: Any) -> bytes:
    """Hash a value that amazon.ion has read, through ionhash."""
    digest: bytes = value.ion_hash("SHA256")
    return digest


def loads(data: bytes) -> Any:
    """Read one record with amazon.ion's default values."""
    return simpleion.loads(data)
