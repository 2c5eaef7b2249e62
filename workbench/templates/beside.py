"""Paths that a template names: beneath its own folder, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.templates.document import Document


def beside(document: Document, uri: Any, what: str, near: object, *, archive: bool = False) -> Path:
    """The folder that `uri` names, or, with `archive`, the zip file.

    Raises:
        TemplateError: there is none, or it is not beneath the template's folder.
    """
    kind = "folder or zip archive" if archive else "folder"
    if not isinstance(uri, str) or uri.startswith("s3://"):
        raise document.error(f"{what}: code comes from a {kind} beside the template, not {uri!r}", near)
    root = document.path.parent.resolve()
    try:
        path = (root / uri).resolve()
        found = path.is_dir() or (archive and path.is_file())
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that can be none
        raise document.error(f"{what}: {uri[:100]!r} cannot be a {kind}: {error}"[:300], near) from error
    if not path.is_relative_to(root):
        raise document.error(f"{what}: {uri} is outside the template's folder", near)
    if not found:
        raise document.error(f"{what}: there is no {kind} {uri}", near)
    return path
