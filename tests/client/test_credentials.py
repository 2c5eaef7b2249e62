"""The state folder's credentials, and who else is on a machine."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from workbench.client.credentials import NAME, Credentials, other_users, read_credentials
from workbench.model.errors import UsageError


def test_they_are_read_as_they_were_made(tmp_path: Path) -> None:
    assert read_credentials(tmp_path) is None
    made = Credentials.fresh()
    (tmp_path / NAME).write_bytes(made.document())
    assert read_credentials(tmp_path) == made
    assert made != Credentials.fresh()
    assert (made.access_key_id[:4], len(made.access_key_id), len(made.secret_access_key)) == ("AKIA", 20, 40)


PAIR = '{"access_key_id": %s, "secret_access_key": %s}'
CONTENTS = [
    "",
    "[]",
    "{}",
    PAIR[:-1] % ('"a"', '"b"') + ', "more": 1}',
    *(PAIR % ('"a"', bad) for bad in ("1", "null", '""')),
]


@pytest.mark.parametrize("content", CONTENTS)
def test_what_are_none_is_said(content: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(UsageError, match="holds no credentials"):
        read_credentials(tmp_path)


def test_others_are_those_who_may_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    users = [
        ("root", 0, "/bin/bash"),
        ("daemon", 1, "/usr/sbin/nologin"),
        ("me", 1000, "/bin/bash"),
        ("bob", 1001, "/bin/zsh"),
        ("alice", 1002, ""),
        ("builds", 1003, "/bin/false"),
        ("nobody", 65534, "/bin/sh"),
    ]
    entries = [pwd.struct_passwd((name, "x", uid, uid, "", "/", shell)) for name, uid, shell in users]
    monkeypatch.setattr(pwd, "getpwall", lambda: entries)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert other_users() == ["alice", "bob"]
