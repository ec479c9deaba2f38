"""
What a deployed function is told by its environment, read once and checked whole.

Each variable has a reader; every one that cannot be read is named in a single error, since a
deployment that fails once for each mistake costs a person an hour. An unknown variable of our
prefix is a mistake too: a misspelt QLDB_STREAM_EXCLUDE_TABLES must not deliver what it was to
keep back. An empty variable counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.observe import LOG_LEVELS
from qldb_stream.pipeline import LEASE_S, OnRefusal, RetryPolicy
from qldb_stream.plugins import find_sink
from qldb_stream.report import Gap
from qldb_stream.sinks.url import mask_url, parse_sink_url

if TYPE_CHECKING:
    from qldb_stream.filters import Filter

__all__ = ["FUNCTION_RETRY", "PREFIX", "Settings", "parse_settings", "read_start", "with_mode"]

PREFIX: Final = "QLDB_STREAM_"

_MODES: Final = ("replay", "statement", "mirror")
_REFUSALS: Final = ("halt", "park")
_LEVELS: Final = ("off", *LOG_LEVELS)
_GAP: Final = ("strand_id", "first", "last", "reason")
# A function has its deadline: what fails for longer is tried by the next event or drain.
_RETRIES: Final = 4
_RETRY_S: Final = 10.0
FUNCTION_RETRY: Final = RetryPolicy(_RETRIES, within_s=_RETRY_S)
"""How a function retries, unless its settings say otherwise."""

_MAX_NUMBER: Final = 2**63 - 1
_MAX_GAPS: Final = 10_000


@attrs.frozen
class Settings:
    """
    What the environment says; the names are those of the variables.

    `sinks` gives by name the URL of each sink; with `sink_secret` there is at most one, whose
    credentials, or all of it, the secret holds. `retry` is bounded, because a function's time is.
    """

    sinks: Mapping[str, str]
    inbox: str
    sink_secret: str | None = None
    ledger_secret: str | None = None
    start: int | None = None
    mode: str | None = None
    on_refusal: OnRefusal = "halt"
    accept_gaps: Mapping[str, Sequence[Gap]] = attrs.field(factory=dict)
    filter: Filter | None = attrs.field(default=None, repr=False)  # it holds the salt
    batch_blocks: int = 100
    lease_s: float = LEASE_S
    retry: RetryPolicy = FUNCTION_RETRY
    log_level: str = "info"


def parse_settings(environ: Mapping[str, str]) -> Settings:
    """
    Read the settings of an environment.

    Args:
        environ: all of it; what does not begin with `PREFIX` is passed over.

    Raises:
        UsageError: names every variable that is missing, unknown or cannot be read, and why;
            passwords are masked.
    """
    found, problems = _read_all(environ)
    for name in ("SINK", "INBOX"):
        if name not in found and not (name == "SINK" and "SINK_SECRET" in found):
            problems.append(f"{PREFIX}{name} is missing: the URL of the {name.lower()}")
    sinks = _take(found, problems, "SINK", lambda: _sinks_of(found))
    block_filter = _take(found, problems, "FILTER", lambda: _filter_of(found))
    if problems:
        raise UsageError(f"the environment is not fit to work in: {'; '.join(problems)}")
    retry = RetryPolicy(
        found.get("RETRIES", _RETRIES), within_s=float(found.get("RETRY_S", _RETRY_S))
    )
    named = {name.lower(): found[name] for name in _AS_THEY_ARE if name in found}
    return Settings(
        sinks or {},
        found["INBOX"],
        filter=block_filter,
        retry=retry,
        **named,
    )


def read_start(environ: Mapping[str, str]) -> int | None:
    """
    Read QLDB_STREAM_START alone.

    Raises:
        UsageError: it is no number.
    """
    text = environ.get(f"{PREFIX}START", "").strip()
    try:
        return _whole(0)(text) if text else None
    except UsageError as exc:
        raise UsageError(f"{PREFIX}START: {exc}") from exc


def _read_all(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    problems: list[str] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or not text.strip():
            continue
        name = variable.removeprefix(PREFIX)
        reader = _READERS.get(name)
        if reader is None:
            if variable not in _OTHERS:
                known = ", ".join(PREFIX + each for each in _READERS)
                problems.append(f"{variable} is no setting; there are {known}")
            continue
        try:
            found[name] = reader(text.strip())
        except (QldbStreamError, ValueError) as exc:
            problems.append(f"{variable}: {exc}")
    return found, problems


def _take(found: Mapping[str, Any], problems: list[str], name: str, make: Callable[[], Any]) -> Any:
    """Make what several variables say together; name the first of them if it makes no sense."""
    try:
        return make()
    except QldbStreamError as exc:
        first = next((key for key in _TOGETHER.get(name, ()) if key in found), name)
        problems.append(f"{PREFIX}{first}: {exc}")
        return None


# --- readers of single variables ---------------------------------------------------------------


def _text(text: str) -> str:
    return text


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not least <= number <= _MAX_NUMBER:
            raise UsageError(f"expected a whole number from {least} on, found {text[:40]!r}")
        return number

    return read


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _MAX_NUMBER:
        raise UsageError(f"expected seconds, more than 0, found {text[:40]!r}")
    return seconds


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise UsageError(f"expected {', '.join(choices)}, found {text[:40]!r}")
        return text

    return read


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _object(text: str) -> dict[str, Any]:
    found = _json(text)
    if not isinstance(found, dict):
        raise UsageError("expected a JSON object")
    return found


def _sink(text: str) -> str | dict[str, str]:
    """Read one URL, or a JSON object that names several."""
    if not text.startswith("{"):
        return text
    found = _object(text)
    if not found or not all(isinstance(url, str) for url in found.values()):
        raise UsageError("expected a URL, or a JSON object of names and URLs")
    return found


def _gaps(text: str) -> dict[str, list[Gap]]:
    found = _json(text)
    if not isinstance(found, list) or len(found) > _MAX_GAPS:
        raise UsageError(f"expected a JSON list of at most {_MAX_GAPS} objects of {_GAP}")
    gaps: dict[str, list[Gap]] = {}
    for each in found:
        if not isinstance(each, dict) or set(each) != set(_GAP):
            raise UsageError(f"expected of each gap {', '.join(_GAP)} and nothing else")
        strand_id, first, last, reason = (each[key] for key in _GAP)
        texts = isinstance(strand_id, str) and isinstance(reason, str) and reason.strip()
        if not texts or type(first) is not int or type(last) is not int:
            raise UsageError("a gap's strand_id and reason are texts, first and last whole numbers")
        gaps.setdefault(strand_id, []).append(Gap(first, last, reason))
    return {strand_id: sorted(of, key=lambda gap: gap.first) for strand_id, of in gaps.items()}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        # What json says quotes nothing but the place.
        raise UsageError(f"no JSON: {exc}") from exc


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "SINK": _sink,
    "SINK_SECRET": _text,
    "LEDGER_SECRET": _text,
    "INBOX": _text,
    "START": _whole(0),
    "MODE": _one_of(_MODES),
    "ON_REFUSAL": _one_of(_REFUSALS),
    "ACCEPT_GAPS": _gaps,
    "TABLES": _names,
    "EXCLUDE_TABLES": _names,
    "FILTER": _object,
    "SALT": _text,
    "BATCH_BLOCKS": _whole(1),
    "LEASE_S": _seconds,
    "RETRIES": _whole(0),
    "RETRY_S": _seconds,
    "LOG_LEVEL": _one_of(_LEVELS),
}

# Of this package, though no settings of a function: what sinks sign, or log in, with.
_OTHERS: Final = tuple(
    f"{PREFIX}{name}"
    for name in (
        "LEDGER_ACCESS_KEY",
        "LEDGER_SECRET_KEY",
        "OPENSEARCH_PASSWORD",
        "OPENSEARCH_USER",
        "WEBHOOK_SECRET",
    )
)

_AS_THEY_ARE: Final = (
    "SINK_SECRET",
    "LEDGER_SECRET",
    "START",
    "MODE",
    "ON_REFUSAL",
    "ACCEPT_GAPS",
    "BATCH_BLOCKS",
    "LEASE_S",
    "LOG_LEVEL",
)

_TOGETHER: Final = {"FILTER": ("FILTER", "TABLES", "EXCLUDE_TABLES")}


# --- what several say together -----------------------------------------------------------------


def _sinks_of(found: Mapping[str, Any]) -> dict[str, str]:
    """
    Give the sinks by name; with a mode, it is put into the URL.

    Raises:
        UsageError: there is no such sink, or it does not take the mode.
    """
    given, mode = found.get("SINK"), found.get("MODE")
    if given is None:
        return {}
    sinks = {mask_url(given): given} if isinstance(given, str) else dict(given)
    if len(sinks) > 1 and ("SINK_SECRET" in found or mode is not None):
        raise UsageError("with several sinks write mode=... into their URLs, and use no secret")
    for name, url in sinks.items():
        sinks[name] = with_mode(url, mode)
        find_sink(sinks[name])
    return sinks


def with_mode(url: str, mode: str | None) -> str:
    """
    Put a mode into a sink's URL; what every ledger does anyway needs no option.

    Raises:
        UsageError: the URL has one already, or makes no sense.
    """
    if mode is None or (mode == "replay" and "mode" not in parse_sink_url(url).options):
        return url
    if "mode" in parse_sink_url(url).options:
        raise UsageError(f"{mask_url(url)} has a mode already: leave {PREFIX}MODE away")
    return f"{url}{'&' if '?' in url else '?'}mode={mode}"


def _filter_of(found: Mapping[str, Any]) -> Filter | None:
    """
    Join the variables that say what is delivered.

    Raises:
        UsageError: rules that make no sense, or a table list in two places.
    """
    rules = dict(found.get("FILTER", {}))
    for name in ("TABLES", "EXCLUDE_TABLES"):
        if name in found:
            if name.lower() in rules:
                raise UsageError(f"{name.lower()} is given here and in {PREFIX}{name}")
            rules[name.lower()] = found[name]
    salt: str | None = found.get("SALT")
    if not rules:
        return None
    from qldb_stream.filters import parse_filter  # it brings PartiQL, which costs at each start

    return parse_filter(rules, salt=None if salt is None else salt.encode())
