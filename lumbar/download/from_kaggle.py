"""Sets on Kaggle, through its own client kagglehub.

It goes on in the middle of an archive that was cut off, compares the checksum that Kaggle sends, and unpacks. Its cache
stands beside the set's folder until everything is there, and then becomes that folder.
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
    """Make sure that a set of Kaggle is there.

    Returns:
        Its folder. One that is there already, and not empty, is left as it is.

    Raises:
        FetchError: If the set cannot be had.
    """
    if known.place.is_dir() and any(known.place.iterdir()):
        return known.place
    hub = refusals.client("kagglehub")
    refusals.if_no_room(known)
    cache = known.place.with_name(f".{known.folder}.kaggle")
    with _told(known), _cache_at(cache):
        # A competition's handle is its name alone.
        found = (hub.dataset_download if "/" in known.kaggle else hub.competition_download)(known.kaggle)
        if known.place.is_dir():
            known.place.rmdir()
        shutil.move(found, known.place)
        shutil.rmtree(cache, ignore_errors=True)
    return known.place


@contextmanager
def _cache_at(folder: Path) -> Iterator[None]:
    """Let kagglehub keep its cache in a folder of ours; it asks the environment where."""
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
def _told(known: PublicSet) -> Iterator[None]:
    """Tell kagglehub's errors in words that help."""
    import requests
    from kagglehub import exceptions

    try:
        yield
    except (exceptions.UnauthenticatedError, exceptions.CredentialError) as error:
        raise _no_permission(known, error) from error
    except requests.HTTPError as error:  # kagglehub's own is one of them
        answer = error.response.status_code if error.response is not None else 0
        if answer in (401, 403):
            raise _no_permission(known, error) from error
        raise FetchError(
            "Kaggle does not give the data set",
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
            remedy="it was removed; give the command again",
        ) from error
    except OSError as error:
        raise refusals.not_written(known.place, error) from error
    except ValueError as error:  # a damaged kaggle.json, an archive of an unknown kind
        raise FetchError(
            "Kaggle's client gives up", found=refusals.in_one_line(error), remedy=refusals.by_hand(known)
        ) from error


def _no_permission(known: PublicSet, error: Exception) -> FetchError:
    rules = f"accept the rules at {known.address}/rules, and " if "/" not in known.kaggle else ""
    return FetchError(
        "Kaggle wants to know who downloads this set",
        file=known.address,
        found=refusals.in_one_line(error),
        expected="credentials in KAGGLE_API_TOKEN or ~/.kaggle/access_token, or in KAGGLE_USERNAME and KAGGLE_KEY or "
        "~/.kaggle/kaggle.json",
        remedy=f"make a free account, {rules}create a token at {TOKEN}; or {refusals.by_hand(known)}",
    )
