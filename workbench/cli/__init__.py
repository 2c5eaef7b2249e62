"""The command line. One file a command; each imports what it needs when it runs."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `workbench` script."""
    from workbench.cli.app import run

    run()
