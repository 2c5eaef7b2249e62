"""File systems of functions: which folder of this machine stands for which access point.

Source: Lambda API reference, FileSystemConfig; Lambda Developer Guide, "Configuring file system access".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.model.errors import EFSMountFailure
from workbench.model.names import Account

#: What may stand for an access point in workbench.toml: its ARN, its id, or the id of its file system.
NAMES = re.compile(r"arn:aws[a-z-]*:(elasticfilesystem|s3files):\S+|fsap-[0-9a-f]{17,40}|fs-[0-9a-f]{8,40}", re.ASCII)
_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:elasticfilesystem:[a-z0-9-]+:\d{12}:access-point/fsap-[a-f0-9]{17}"
    r"|arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}",
    re.ASCII,
)
_PATH = re.compile(r"/mnt/[a-zA-Z0-9-_.]+", re.ASCII)
MAX_PATH = 160


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What a function has at a path of its own: an access point, by its ARN."""

    arn: str
    path: str


def file_systems(settings: Mapping[str, Any]) -> list[FileSystem]:
    """Those that a function's settings name."""
    return [FileSystem(one["Arn"], one["LocalMountPath"]) for one in settings.get("FileSystemConfigs", ())]


def access_point_id(logical_id: str) -> str:
    """The id of an access point that a template declares: always the same one."""
    return f"fsap-{hashlib.sha256(logical_id.encode()).hexdigest()[:17]}"


def access_point_arn(account: Account, identifier: str) -> str:
    """The ARN of an access point of Amazon EFS."""
    return f"arn:aws:elasticfilesystem:{account.region}:{account.id}:access-point/{identifier}"


def complaint(given: object) -> str | None:
    """What keeps a value from being `FileSystemConfigs`; None when nothing does."""
    if not isinstance(given, list) or len(given) > 1:
        return "must be a list of at most one file system"
    for one in given:
        if not isinstance(one, dict) or not {"Arn", "LocalMountPath"} <= one.keys() <= {
            *("Arn", "LocalMountPath", "S3FilesConfig")
        }:
            return "takes Arn and LocalMountPath"
        arn, path = one["Arn"], one["LocalMountPath"]
        if not isinstance(arn, str) or not _ARN.fullmatch(arn):
            return f"has the Arn {arn!r}, which is that of no access point"
        if not isinstance(path, str) or not _PATH.fullmatch(path) or len(path) > MAX_PATH or _leaves(path):
            return f"has the LocalMountPath {path!r}, which is no /mnt/NAME"
    return None


def shown(settings: Mapping[str, Any], folders: Mapping[str, Path]) -> dict[str, Path]:
    """The folders of this machine that a function has, by the paths where it has them.

    Raises:
        EFSMountFailure: no folder stands for an access point; the message has the lines that are missing.
    """
    found = {}
    for wanted in file_systems(settings):
        folder = next((folder for name, folder in folders.items() if _stands_for(name, wanted.arn)), None)
        if folder is None:
            raise EFSMountFailure(unmapped(wanted))
        if _leaves(wanted.path):
            raise EFSMountFailure(f"nothing can be mounted at {wanted.path}")
        found[wanted.path] = folder
    return found


def unmapped(wanted: FileSystem) -> str:
    """What is to be said of an access point that no folder stands for."""
    return (
        f"No folder of this machine stands for the file system at {wanted.path}. "
        "Name one in workbench.toml, and start the engine again:\n"
        f'[file_systems]\n"{wanted.arn}" = "path/of/a/folder"'
    )


def _stands_for(name: str, arn: str) -> bool:
    return name == arn or name in arn.rpartition(":")[2].split("/")


def _leaves(path: str) -> bool:
    """AWS's pattern lets these pass."""
    return path.rpartition("/")[2] in (".", "..")
