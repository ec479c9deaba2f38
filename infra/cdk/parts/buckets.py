"""S3 buckets, all of them private, encrypted and reached over TLS alone."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, aws_kms as kms, aws_s3 as s3
from constructs import Construct

from parts.keys import removal
from settings import Settings


def make_log_bucket(scope: Construct, settings: Settings) -> s3.Bucket:
    """Make the bucket that the others' access logs go to. S3 writes those with SSE-S3 only."""
    return s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        lifecycle_rules=[_expire(365)],
        removal_policy=removal(settings),
    )


def make_bucket(
    scope: Construct,
    purpose: str,
    settings: Settings,
    *,
    key: kms.IKey,
    logs: s3.IBucket,
    **more: Any,
) -> s3.Bucket:
    """Make a private bucket, encrypted with `key`; `more` goes to the CDK's Bucket as it is."""
    return s3.Bucket(
        scope,
        purpose,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        server_access_logs_bucket=logs,
        server_access_logs_prefix=f"{purpose.lower()}/",
        removal_policy=removal(settings),
        **more,
    )


def make_archive_bucket(
    scope: Construct, settings: Settings, *, key: kms.IKey, logs: s3.IBucket
) -> s3.Bucket:
    """
    Make the bucket of a journal's archive: versioned, locked, and cheap as it grows old.

    Locked in governance mode: who may bypass it can still delete for good, as a duty to
    erase personal data may ask. `lockDays=0` leaves the lock to those who write.
    """
    lock = s3.ObjectLockRetention.governance(Duration.days(settings.lock_days or 1))
    return make_bucket(
        scope,
        "Archive",
        settings,
        key=key,
        logs=logs,
        versioned=True,
        object_lock_enabled=True,
        object_lock_default_retention=lock if settings.lock_days else None,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="older-is-cheaper",
                abort_incomplete_multipart_upload_after=Duration.days(7),
                noncurrent_version_expiration=Duration.days(max(90, settings.lock_days)),
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass.INTELLIGENT_TIERING,
                        transition_after=Duration.days(30),
                    )
                ],
            )
        ],
    )


def make_passing_bucket(
    scope: Construct,
    purpose: str,
    settings: Settings,
    *,
    key: kms.IKey,
    logs: s3.IBucket,
    days: int,
) -> s3.Bucket:
    """
    Make a bucket for what only passes through; what is still there after `days` goes.

    It is not versioned, because what a redaction erases must be gone: an old version would
    keep it.
    """
    return make_bucket(
        scope, purpose, settings, key=key, logs=logs, lifecycle_rules=[_expire(days)]
    )


def _expire(days: int) -> s3.LifecycleRule:
    """Delete objects after `days`, and halves of uploads after a week."""
    return s3.LifecycleRule(
        id="expire",
        expiration=Duration.days(days),
        abort_incomplete_multipart_upload_after=Duration.days(7),
    )
