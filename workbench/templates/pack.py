"""Folders into deployment packages: equal contents give equal bytes, so that nothing is deployed twice."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from workbench.model.errors import UsageError

#: The oldest time that a zip can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, skip: Iterable[str] = (".workbench", ".git", "__pycache__", ".venv")) -> bytes:
    """Zip a folder so that equal contents give equal bytes; links to files are followed only within the folder.

    Raises:
        UsageError: a link leads out of the folder.
    """
    root = folder.resolve()
    skipped = set(skip)
    found: list[Path] = []
    for parent, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in skipped)
        found += [Path(parent, name) for name in sorted(files) if not name.endswith(".pyc")]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for path in found:
            if not path.resolve().is_relative_to(root):
                raise UsageError(f"{path} is a link out of {folder}")
            info = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            package.writestr(info, path.read_bytes())
    return buffer.getvalue()
