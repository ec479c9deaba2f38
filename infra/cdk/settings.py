"""
What a deployment may choose: one frozen value, read once from the context.

Context comes from `-c KEY=VALUE` and from "context" in cdk.json. Values on the command line
are strings, those of the file may be numbers, booleans and lists; both are taken. Every
setting that is wrong is named in one error, so that nobody mends them one deployment at a
time. Keys that are not ours (the CDK's own hold `:`, `@`, `/` or `-`) are left alone; one that only
looks like ours is a mistake that somebody made typing, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import Attribute, field, fields, frozen

REPOSITORY: Final = Path(__file__).resolve().parents[2]
# The four tables of QLDB's vehicle-registration sample.
SAMPLE_TABLES: Final = ("VehicleRegistration", "Vehicle", "Person", "DriversLicense")
# QLDB's rules for names of ledgers and tables (facts 5.1): these go into ARNs and statements.
_LEDGER: Final = re.compile(r"(?!.*--)(?![0-9]+$)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_TABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
_ALIAS: Final = re.compile(r"(?!aws/)[A-Za-z0-9/_-]{1,200}")
_SECRET: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*?\s]+")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_CIDR: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/(1[6-9]|2[0-4])")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
# Templates and variables of functions are read by many; what is here is quoted by no message.
_PASSWORD: Final = re.compile(r"(?i)//[^/?@]*:.*@|[?&][^=&]*(passw|pwd|token|credential)[^=&]*=")


class SettingsError(ValueError):
    """The context asks for something that no deployment can have; the text lists all of it."""


def _text(rule: re.Pattern[str], what: str) -> Callable[[str, Any], str]:
    """Make a reader of a string that the rule takes, or of an empty one."""

    def read(key: str, value: Any) -> str:
        if isinstance(value, str) and (not value or rule.fullmatch(value)):
            return value
        raise SettingsError(f"{key}: expected {what}, found {value!r}")

    return read


def _number(least: int, most: int) -> Callable[[str, Any], int]:
    """Make a reader of a whole number from `least` to `most`."""

    def read(key: str, value: Any) -> int:
        if not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,9}", str(value)):
            number = int(value)
            if least <= number <= most:
                return number
        raise SettingsError(
            f"{key}: expected a whole number from {least} to {most}, found {value!r}"
        )

    return read


def _flag(key: str, value: Any) -> bool:
    """Read true or false."""
    known = {"true": True, "false": False}
    if str(value).lower() in known:
        return known[str(value).lower()]
    raise SettingsError(f"{key}: expected true or false, found {value!r}")


def _choice(*choices: str) -> Callable[[str, Any], str]:
    """Make a reader of one of the choices."""

    def read(key: str, value: Any) -> str:
        if value in choices:
            return str(value)
        raise SettingsError(f"{key}: expected one of {', '.join(choices)}, found {value!r}")

    return read


def _place(*words: str) -> Callable[[str, Any], str]:
    """Make a reader of one of some words, or of a sink's URL."""

    def read(key: str, value: Any) -> str:
        if isinstance(value, str) and _PASSWORD.search(value):
            raise SettingsError(
                f"{key}: a password in a URL would stand in the template: leave it out, and name "
                "a secret that holds it (sinkSecretArn)"
            )
        if value in words or (isinstance(value, str) and _URL.fullmatch(value)):
            return str(value)
        known = ", ".join(word for word in words if word)
        raise SettingsError(f"{key}: expected {known} or a sink's URL, found {value!r}")

    return read


def _tables(key: str, value: Any) -> tuple[str, ...]:
    """Read names of tables: a list, or a string with commas."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or len(names) > 100:  # noqa: PLR2004 - a custom resource's request has room for more, an owner hardly
        raise SettingsError(f"{key}: expected at most 100 names of tables, found {value!r}")
    wrong = [name for name in names if not (isinstance(name, str) and _TABLE.fullmatch(name))]
    if wrong:
        raise SettingsError(f"{key}: no names of tables: {', '.join(map(repr, wrong))}")
    return tuple(names)


def _file(key: str, value: Any) -> Path:
    """Read a path, relative to the repository; that it is there is asked where it is used."""
    if isinstance(value, str) and value:
        return REPOSITORY / value
    raise SettingsError(f"{key}: expected a path, found {value!r}")


def _of(key: str, default: Any, read: Callable[[str, Any], Any]) -> Any:
    """Make a field that is read from the context's `key`."""
    return field(default=default, kw_only=True, metadata={"key": key, "read": read})


@frozen
class Settings:
    """
    What a deployment may choose. docs/aws.md lists the keys with what they mean.

    `destination` and `restore` are a word or the URL of a sink. `shards` of 0 is on-demand
    capacity; times end in `_hours`, `_days` or `_minutes`, sizes in `_gib`.
    """

    name: str = _of("name", "qldb-stream", _text(_NAME, "a letter, then letters, digits, -"))
    qldb: bool = _of("qldb", default=False, read=_flag)
    stream: bool = _of("stream", default=True, read=_flag)
    server: bool = _of("server", default=False, read=_flag)
    destination: str = _of("destination", "server", _place("server", "qldb"))
    restore: str = _of("restore", "", _place("", "aurora", "server"))
    retain: bool = _of("retain", default=True, read=_flag)

    ledger_name: str = _of("ledgerName", "vehicle-registration", _text(_LEDGER, "a ledger's name"))
    destination_ledger_name: str = _of(
        "destinationLedgerName", "vehicle-registration-copy", _text(_LEDGER, "a ledger's name")
    )
    table_names: tuple[str, ...] = _of("tableNameList", SAMPLE_TABLES, _tables)
    inclusive_start_time: str = _of(
        "inclusiveStartTime", "2020-01-01T00:00:00Z", _text(_TIME, "a time such as its default")
    )

    shards: int = _of("shards", 0, _number(0, 10_000))
    retention_hours: int = _of("retentionHours", 168, _number(24, 8760))
    kds_kms_alias: str = _of("kdsKmsAlias", "", _text(_ALIAS, "a key's alias without alias/"))
    s3_kms_alias: str = _of("s3KmsAlias", "", _text(_ALIAS, "a key's alias without alias/"))
    lock_days: int = _of("lockDays", 30, _number(0, 36_500))
    archive_bucket: str = _of("archiveBucket", "", _text(_BUCKET, "a bucket's name"))
    archive_key_arn: str = _of("archiveKeyArn", "", _text(_KEY, "the ARN of a KMS key"))
    archive_prefix: str = _of("archivePrefix", "", _text(re.compile(r"[^\s*?]{1,512}"), "a prefix"))

    lambda_zip: Path = _of("lambdaZip", REPOSITORY / "dist/lambda.zip", _file)
    lambda_python: str = _of("lambdaPython", "3.13", _choice("3.11", "3.12", "3.13"))
    lambda_architecture: str = _of("lambdaArchitecture", "arm64", _choice("arm64", "x86_64"))
    start_block: int = _of("startBlock", 0, _number(0, 999_999_999))
    on_refusal: str = _of("onRefusal", "halt", _choice("halt", "park"))
    sink_secret_arn: str = _of("sinkSecretArn", "", _text(_SECRET, "the ARN of a secret"))
    alarm_email: str = _of("alarmEmail", "", _text(_EMAIL, "an address"))
    iterator_age_minutes: int = _of("iteratorAgeMinutes", 15, _number(1, 10_080))

    server_domain: str = _of("serverDomain", "", _text(_DOMAIN, "a domain name, lower case"))
    server_secret_arn: str = _of("serverSecretArn", "", _text(_SECRET, "the ARN of a secret"))
    server_bundle: Path = _of("serverBundle", REPOSITORY / "dist/server", _file)
    ca_bundle: Path | None = _of("caBundle", None, _file)
    instance_type: str = _of(
        "instanceType",
        "t4g.medium",
        _text(re.compile(r"[a-z]+[0-9]+g[a-z]*\.[a-z0-9]+"), "Graviton"),
    )
    volume_gib: int = _of("volumeGib", 100, _number(1, 16_384))
    snapshot_days: int = _of("snapshotDays", 14, _number(1, 365))
    vpc_cidr: str = _of("vpcCidr", "10.20.0.0/16", _text(_CIDR, "a network from /16 to /24"))

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Settings:
        """
        Read the settings from an app's context.

        Raises:
            SettingsError: a value is wrong, a key unknown, or two settings exclude each
                other; all of them are named.

        """
        known = {each.metadata["key"]: each for each in fields(cls)}
        ours = {key: value for key, value in context.items() if not re.search(r"[:@/-]", key)}
        wrong = [f"{key}: no such setting" for key in sorted(ours.keys() - known.keys())]
        values = {}
        for key in sorted(ours.keys() & known.keys()):
            try:
                values[known[key].name] = known[key].metadata["read"](key, ours[key])
            except SettingsError as error:
                wrong.append(str(error))
        if not wrong:
            settings = cls(**values)
            wrong = list(settings._contradictions())
        if wrong:
            raise SettingsError("the context is wrong:\n  " + "\n  ".join(wrong))
        return settings

    @property
    def with_server(self) -> bool:
        """True when a ledger server is deployed: asked for, or somebody's destination."""
        live = self.stream and self.destination == "server"
        return self.server or live or self.restore == "server"

    def _contradictions(self) -> list[str]:
        """List what is right by itself and wrong together."""
        wrong = []
        if self.destination == "qldb" and self.stream and not self.qldb:
            wrong.append("destination: qldb needs qldb=true; AWS closed the service on 2025-07-31")
        if self.with_server and not (self.server_domain and self.server_secret_arn):
            wrong.append(
                "serverDomain, serverSecretArn: the ledger server needs both: the name that its "
                "certificate is for, and the secret with certificate and keys (docs/aws.md)"
            )
        if self.archive_bucket and not self.restore:
            wrong.append("archiveBucket: only the restore stack reads a bucket that exists")
        if self.ledger_name == self.destination_ledger_name:
            wrong.append("destinationLedgerName: a ledger cannot be replayed into itself")
        if not (self.qldb or self.with_server or self.stream or self.restore):
            wrong.append("stream: nothing is left to deploy")
        return wrong


def context_keys() -> dict[str, Attribute[Any]]:
    """Give the field of every context key, in order; the documentation is held to these."""
    return {each.metadata["key"]: each for each in fields(Settings)}
