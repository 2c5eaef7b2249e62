"""Folders into deployment packages: equal contents give equal bytes, so that nothing is deployed twice."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench.model.errors import UsageError

#: The oldest time that a zip can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, skip: Iterable[str] = (".workbench", ".git", "__pycache__", ".venv")) -> bytes:
    """Zip a folder so that equal contents give equal bytes; links are followed only within the folder.

    Raises:
        UsageError: a link leads out of the folder or in a circle, or something in it is no file or cannot be read.
    """
    root = folder.resolve()
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
            for path in _files(root, root, frozenset(skip), (root,)):
                info = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
                package.writestr(info, path.read_bytes())
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be packed: {error.strerror or error}") from error
    except UnicodeEncodeError as error:
        raise UsageError(f"{folder} has a file whose name is no text: {error.object!r}") from error
    return buffer.getvalue()


def _files(folder: Path, root: Path, skip: frozenset[str], above: tuple[Path, ...]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in skip or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(root) or skip.intersection(target.relative_to(root).parts):
                raise UsageError(f"{path} is a link out of {root}")
            if target in above:
                raise UsageError(f"{path} is a link in a circle")
        if path.is_dir():
            yield from _files(path, root, skip, (*above, path.resolve()))
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path} is no file")
