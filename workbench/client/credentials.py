"""The credentials with which AWS's clients sign where workbench.toml says `auth = "strict"`."""

from __future__ import annotations

import json
import os
import pwd
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.model.errors import UsageError

NAME = "credentials.json"
_ANEW = "remove it: the next engine makes new ones"
_ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#: Where the users of persons begin on Linux (login.defs, UID_MIN); 500 on macOS.
_FIRST_PERSON = 500 if os.uname().sysname == "Darwin" else 1000
_NO_PERSON = 65_533  # nobody, and what lies above
_NO_SHELLS = ("nologin", "false", "sync")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A pair of AWS's kind. Only who may read the state folder knows it."""

    access_key_id: str
    secret_access_key: str

    @classmethod
    def fresh(cls) -> Credentials:
        """Random ones, in AWS's forms."""
        identifier = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(16))
        return cls(f"AKIA{identifier}", secrets.token_urlsafe(30))

    def document(self) -> bytes:
        """As they are kept."""
        return json.dumps(asdict(self)).encode()


def read_credentials(state: Path) -> Credentials | None:
    """Those of a state folder; None when no engine has made any there.

    Raises:
        UsageError: they are there and cannot be read.
    """
    path = state / NAME
    try:
        found = Credentials(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} holds no credentials", mend=_ANEW) from error
    if not all(isinstance(text, str) and text for text in (found.access_key_id, found.secret_access_key)):
        raise UsageError(f"{path} holds no credentials", mend=_ANEW)
    return found


def other_users() -> list[str]:
    """The names of those, beside this user and root, who may log in to this machine."""
    return sorted(
        user.pw_name
        for user in pwd.getpwall()
        if _FIRST_PERSON <= user.pw_uid <= _NO_PERSON
        and user.pw_uid != os.geteuid()
        and user.pw_shell.rpartition("/")[2] not in _NO_SHELLS
    )
