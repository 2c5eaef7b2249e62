"""What the terminal UI is told by the command line."""

from workbench.cli.tui import in_short


def test_a_deployment_is_told_in_few_words() -> None:
    lines = ["published version 1 of layer a", "created f", "created g", "created h", "created i", "old has left"]
    assert in_short(lines) == "published version 1 of layer a; created f, g and 2 more; old has left"
