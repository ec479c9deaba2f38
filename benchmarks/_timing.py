"""Time functions side by side, so that what the machine does meanwhile hits all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

ROUNDS = 7


@attrs.frozen
class Row:
    """One line of the printed table: what was measured, and what was to be reached."""

    what: str
    value: str
    target: str = ""
    reached: bool | None = None


def best_us(functions: Mapping[str, Callable[[], Any]], per_call: int) -> dict[str, float]:
    """
    Time each function in turn, round after round, and keep each one's best.

    Args:
        functions: what to run, by name; each does the same work.
        per_call: how many records one call works through.

    Returns:
        Microseconds for each record, by name.
    """
    best = dict.fromkeys(functions, float("inf"))
    for function in functions.values():
        function()  # caches fill, once
    with _no_collector():
        for _ in range(ROUNDS):
            for name, function in functions.items():
                started = time.perf_counter()
                function()
                best[name] = min(best[name], time.perf_counter() - started)
    return {name: seconds / per_call * 1e6 for name, seconds in best.items()}


def ratio_row(what: str, ours_us: float, peer_us: float, target: float | None) -> Row:
    """Say how many times faster we are than the peer."""
    ratio = peer_us / ours_us
    value = f"{ratio:.2f}x  ({ours_us:.1f} us against {peer_us:.1f} us)"
    if target is None:
        return Row(what, value)
    return Row(what, value, f">= {target:g}x", ratio >= target)


def rate_row(what: str, per_s: float, target: float) -> Row:
    """Say how many of something were done in a second."""
    return Row(what, f"{per_s:,.0f}/s", f">= {target:,.0f}/s", per_s >= target)


def ceiling_row(what: str, value: float, unit: str, target: float) -> Row:
    """Say how far below a limit something stayed."""
    shown = f"{value:.0f}" if value >= 100 else f"{value:.2g}"
    return Row(what, f"{shown} {unit}", f"< {target:g} {unit}", value < target)


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
