"""The parts of a screen; each file is one widget with its style and its keys."""
