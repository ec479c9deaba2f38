"""librdkafka's errors in our words: what may pass, what has to be put right, who was faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from qldb_stream.errors import QldbStreamError, SinkUnavailableError, UsageError

__all__ = ["REFUSED", "FencedError", "error_of", "translated", "translation"]

_FENCED: Final = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        KafkaError.PRODUCER_FENCED,
    }
)

REFUSED: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_MSG_SIZE,
    }
)
"""What brokers say of a record that they will never take."""

_TO_DO: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "may not use the topic; allow it Write and Read",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (
        "may not use its transactional id; allow it Write and Describe on qldb-stream.*"
    ),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "may not write with idempotence; allow it",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "may not use the group qldb-stream; allow it Read",
    KafkaError.SASL_AUTHENTICATION_FAILED: "is not let in; check name and password",
    KafkaError._AUTHENTICATION: "is not let in; check name and password",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "finds no such topic; make it, or take topics=create",
    KafkaError._UNKNOWN_TOPIC: "finds no such topic; make it",
    KafkaError._UNKNOWN_PARTITION: "finds no such partition; open it anew",
    KafkaError._INVALID_ARG: "has a setting that librdkafka does not take",
    KafkaError.UNSUPPORTED_VERSION: "needs brokers with transactions (0.11 or later)",
    KafkaError.INVALID_REPLICATION_FACTOR: "cannot make the topic so; make it yourself",
    KafkaError.POLICY_VIOLATION: "may not make the topic so; make it yourself",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "wants longer transactions than the brokers allow",
}


class FencedError(Exception):
    """Another producer has the strand's transactional id now."""


def error_of(exc: KafkaException) -> KafkaError:
    """Give what an exception of confluent-kafka carries."""
    found = exc.args[0]
    return found if isinstance(found, KafkaError) else KafkaError(KafkaError._FAIL, str(exc))


def translation(sink: str, error: KafkaError) -> QldbStreamError | FencedError:
    """Say an error in our words; its text is librdkafka's and holds no contents."""
    code = error.code()
    if code in _FENCED:
        return FencedError()
    if code in _TO_DO:
        return UsageError(f"{sink} {_TO_DO[code]} ({error.name()}: {error.str()})")
    return SinkUnavailableError(sink, f"{error.name()}: {error.str()}")


@contextmanager
def translated(sink: str) -> Iterator[None]:
    """
    Let nothing of confluent-kafka's out.

    Raises:
        UsageError: what somebody has to put right.
        SinkUnavailableError: what may pass.
        FencedError: another writer was faster.
    """
    try:
        yield
    except KafkaException as exc:
        raise translation(sink, error_of(exc)) from exc
    except BufferError as exc:  # the queue of librdkafka is full
        raise SinkUnavailableError(sink, "the brokers take records too slowly") from exc
