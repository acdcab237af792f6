"""Users who are not root, and folders that are theirs: for tests of a server that root starts."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

NOBODY = pwd.getpwnam("nobody")


def need_root() -> None:
    """Fail, with the mend, where there are no other users to become."""
    assert os.geteuid() == 0, "only root starts a server for another user: run this test as root"


def let_through(folder: Path) -> Path:
    """Let everybody go through the folders that lead here, as to a site in /srv."""
    for place in (folder, *folder.parents):
        about = place.stat()
        if about.st_uid == os.geteuid() and about.st_mode & 0o055 != 0o055:
            os.chmod(place, about.st_mode & 0o7777 | 0o055)
    return folder


def folder_of(user: pwd.struct_passwd, folder: Path) -> Path:
    """Make a folder that belongs to somebody."""
    folder.mkdir(parents=True, exist_ok=True)
    let_through(folder)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return folder
