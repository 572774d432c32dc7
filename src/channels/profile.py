"""What a browser leaves in its profile: the login and the site's settings stay, all else goes when it is closed.

Pages, titles, what stood in a text box, and answers of the site are kept by a browser for weeks. Here they are
guests' words. The cache is not written to the disk at all (``browser.ARGUMENTS``).
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from loguru import logger

# Names in Chromium's user data directory, as seen with version 156: the encrypted cookies and their key, the site's
# own Local Storage (a login may hang on it), what the browser knows of secure connections, and its settings. Other
# versions keep some of them in Network/. Named is what stays: what a later version begins to write goes.
_STAYS = ("Local State", "First Run", "Last Version", "Default")
_STAYS_IN_DEFAULT = (
    *("Cookies*", "Local Storage", "Preferences", "Secure Preferences", "Login Data*", "Trust Tokens*"),
    *("TransportSecurity", "Network"),
)
_STAYS_IN_NETWORK = ("Cookies*", "Trust Tokens*", "TransportSecurity")


def sweep(profile: Path) -> bool:
    """Delete what a browser left there but for the login; False, and nothing done, while one has the profile open.

    Needs our lock on the profile. What cannot be deleted is left, and said. Never raises; repeatable.
    """
    if os.path.lexists(profile / "SingletonLock"):
        return False
    left = 0
    for path in _leftovers(profile):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError:
            left += 1
    if left:
        logger.warning("{} things that the browser left in its profile could not be deleted", left)
    return True


def _leftovers(profile: Path) -> Iterator[Path]:
    yield from _but(profile, _STAYS)
    yield from _but(profile / "Default", _STAYS_IN_DEFAULT)
    yield from _but(profile / "Default" / "Network", _STAYS_IN_NETWORK)


def _but(folder: Path, stays: tuple[str, ...]) -> list[Path]:
    try:
        found = list(folder.iterdir())
    except OSError:
        return []
    return [path for path in found if not any(fnmatch.fnmatchcase(path.name, name) for name in stays)]
