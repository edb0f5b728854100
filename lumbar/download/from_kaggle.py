"""Download data sets from Kaggle with its own client, kagglehub.

kagglehub resumes an interrupted download in the middle of the archive, compares the checksum that Kaggle sends, and
unpacks. Its cache is beside the set's folder until everything is unpacked, and then becomes that folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lumbar.core.errors import FetchError
from lumbar.download import refusals
from lumbar.download.catalogue import PublicSet

TOKEN = "https://www.kaggle.com/settings/api"
_CACHE = "KAGGLEHUB_CACHE"


def download(known: PublicSet) -> Path:
    """Download a data set from Kaggle, unless its folder exists and is not empty.

    Args:
        known: The data set.

    Returns:
        Folder of the set.

    Raises:
        FetchError: If the set cannot be downloaded.
    """
    if known.place.is_dir() and any(known.place.iterdir()):
        return known.place
    hub = refusals.import_client("kagglehub")
    refusals.check_free_space(known)
    cache = known.place.with_name(f".{known.folder}.kaggle")
    with _described_errors(known), _cache_at(cache):
        # The handle of a competition has no owner.
        found = (hub.dataset_download if "/" in known.kaggle else hub.competition_download)(known.kaggle)
        if known.place.is_dir():
            known.place.rmdir()
        shutil.move(found, known.place)
        shutil.rmtree(cache, ignore_errors=True)
    return known.place


@contextmanager
def _cache_at(folder: Path) -> Iterator[None]:
    """Make kagglehub keep its cache in a given folder, which it reads from the environment."""
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE]
        else:
            os.environ[_CACHE] = before


@contextmanager
def _described_errors(known: PublicSet) -> Iterator[None]:
    """Turn kagglehub's errors into a FetchError that says what to do."""
    import requests
    from kagglehub import exceptions

    try:
        yield
    except (exceptions.UnauthenticatedError, exceptions.CredentialError) as error:
        raise _no_permission(known, error) from error
    except requests.HTTPError as error:  # the base of kagglehub's own error
        answer = error.response.status_code if error.response is not None else 0
        if answer in (401, 403):
            raise _no_permission(known, error) from error
        raise FetchError(
            "Kaggle refuses the data set",
            file=known.address,
            found=refusals.in_one_line(error),
            remedy=refusals.by_hand(known),
        ) from error
    except requests.RequestException as error:
        raise refusals.unreachable(known, known.address, error) from error
    except exceptions.DataCorruptionError as error:
        raise FetchError(
            "the archive is not the one that Kaggle announced",
            file=known.address,
            found=refusals.in_one_line(error),
            remedy="it was deleted; run the same command again",
        ) from error
    except OSError as error:
        raise refusals.not_written(known.place, error) from error
    except ValueError as error:  # a damaged kaggle.json, an archive of an unknown kind
        raise FetchError(
            "Kaggle's client failed", found=refusals.in_one_line(error), remedy=refusals.by_hand(known)
        ) from error


def _no_permission(known: PublicSet, error: Exception) -> FetchError:
    rules = f"accept the rules at {known.address}/rules, and " if "/" not in known.kaggle else ""
    return FetchError(
        "Kaggle does not let you download this set",
        file=known.address,
        found=refusals.in_one_line(error),
        expected="credentials in KAGGLE_API_TOKEN or ~/.kaggle/access_token, or in KAGGLE_USERNAME and KAGGLE_KEY or "
        "~/.kaggle/kaggle.json",
        remedy=f"make a free account, {rules}create a token at {TOKEN}; or {refusals.by_hand(known)}",
    )
