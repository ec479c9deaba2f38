"""
boto3 sessions that know `qldb-session` and `qldb`.

The models are data of this package, found through the loader's search path; ours come last
there, so that a botocore which still has the services uses its own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from qldb_stream.clients._compat import missing_extra
from qldb_stream.errors import UsageError

__all__ = ["MODELS", "boto3_session"]

MODELS: Final = Path(__file__).with_name("models")
"""The folder of service models; also what AWS_DATA_PATH may name, for the AWS CLI and others."""


def boto3_session(botocore_session: Any = None, **options: Any) -> Any:
    """
    Make a boto3 session whose clients may be `qldb-session` and `qldb`.

    Args:
        botocore_session: one to build on, whose loader gets the models; None for a new one.
        options: what `boto3.session.Session` takes: region_name, profile_name,
            aws_access_key_id, aws_secret_access_key, aws_session_token.

    Returns:
        A `boto3.session.Session`.

    Raises:
        UsageError: boto3 is not installed, or does not take the options: half a pair of
            keys, a profile that there is not.
    """
    try:
        import boto3.session
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError as exc:
        raise missing_extra(exc) from exc
    try:
        if botocore_session is None:
            botocore_session = make_botocore_session(options.get("profile_name"))
        session = boto3.session.Session(botocore_session=botocore_session, **options)
        _add_models(botocore_session)
    except (BotoCoreError, TypeError) as exc:
        raise UsageError(f"boto3 does not make such a session: {exc}") from exc
    return session


def _add_models(botocore_session: Any) -> None:
    """Let a botocore session find the models; again does nothing."""
    search_paths = botocore_session.get_component("data_loader").search_paths
    # boto3 adds its own for each session, also where the loader has it.
    search_paths[:] = dict.fromkeys([*search_paths, str(MODELS)])


def make_botocore_session(profile: str | None = None) -> Any:
    """
    Make a session of botocore's that shares what was read of its data files with others.

    Raises:
        ProfileNotFound: of botocore's: there is no such profile.
    """
    import botocore.session

    session = botocore.session.get_session()
    if profile is not None:  # it may name more folders of data
        session.set_config_variable("profile", profile)
    search_paths = session.get_component("data_loader").search_paths
    session.register_component("data_loader", _shared_loader(tuple(search_paths)))
    return session


@cache
def _shared_loader(search_paths: tuple[str, ...]) -> Any:
    """Make what reads botocore's data files; to read them anew took each client 100 ms."""
    from botocore.loaders import Loader

    return Loader(list(search_paths), include_default_search_paths=False)
