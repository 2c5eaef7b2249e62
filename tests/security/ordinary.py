"""How root's tests run a command as an ordinary user, although Python and the checkout are in a folder of root's."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

UID = 1500
TUN = Path("/dev/net/tun")


def command(*needed: Path) -> list[str]:
    """A prefix that runs the rest as user 1500, for whom this Python and the `needed` folders can be read.

    A folder on the way that only its owner may enter is, in a mount namespace of the command's own, replaced by an
    empty one in which there is nothing but what is needed.
    """
    if os.geteuid() != 0:
        pytest.skip("the tests already run as an ordinary user")
    for tool in ("setpriv", "unshare", "mount"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    folders = {Path(sys.base_prefix), Path(sys.prefix), *needed}
    covers = {cover for folder in folders if (cover := _closed(folder)) is not None}
    lines = ["set -e", 'aside=$(mktemp -d); trap "" HUP']
    hidden = [folder for folder in sorted(folders) if _closed(folder) is not None]
    for number, folder in enumerate(hidden):
        lines += [f"mkdir $aside/{number}", f"mount --rbind {shlex.quote(str(folder))} $aside/{number}"]
    lines += [f"mount -t tmpfs -o mode=755 none {shlex.quote(str(cover))}" for cover in sorted(covers)]
    for number, folder in enumerate(hidden):
        place = shlex.quote(str(folder))
        lines += [f"mkdir -p {place}", f"mount --rbind $aside/{number} {place}", f"umount -l $aside/{number}"]
    if TUN.exists():  # here it may be root's alone; most systems let everybody use it
        lines += [f"mknod -m 666 $aside/tun c 10 200; mount --bind $aside/tun {TUN}"]
    lines += ["rm -r $aside", f'exec setpriv --reuid={UID} --regid={UID} --clear-groups -- "$@"']
    return ["unshare", "--mount", "sh", "-c", "\n".join(lines), "sh"]


def _closed(folder: Path) -> Path | None:
    """The outermost folder on the way that others may not enter."""
    return next((path for path in (*reversed(folder.parents), folder) if not path.stat().st_mode & 0o001), None)
