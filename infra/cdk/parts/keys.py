"""KMS keys, all of them alike: the customer's own, rotated each year, kept when asked to."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack, aws_kms as kms
from constructs import Construct

from settings import Settings


def removal(settings: Settings) -> RemovalPolicy:
    """Say what becomes of data when its stack goes: kept, unless the owner said `retain=false`."""
    return RemovalPolicy.RETAIN if settings.retain else RemovalPolicy.DESTROY


def make_key(scope: Construct, purpose: str, settings: Settings, alias: str = "") -> kms.Key:
    """
    Make a key with an alias; without one given it is named for the stack and the purpose.

    Aliases are unique in an account and region, stacks' names too: so two deployments can
    live side by side, as long as nobody gives both the same alias.
    """
    return kms.Key(
        scope,
        f"{purpose.capitalize()}Key",
        alias=f"alias/{alias or f'{Stack.of(scope).stack_name}-{purpose}'}",
        description=f"{Stack.of(scope).stack_name}: {purpose}",
        enable_key_rotation=True,
        removal_policy=removal(settings),
    )
