"""A project of its own, and no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.client.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(root=tmp_path, state=tmp_path / "state", backend="subprocess", parameters={})
