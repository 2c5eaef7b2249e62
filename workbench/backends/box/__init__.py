"""What backends share that make a box with a process 1 of ours in it: that process, the channel, the environment."""

from __future__ import annotations

from pathlib import Path

#: The program that is process 1 of a box.
INIT = Path(__file__).with_name("init.py")
