"""Reads SAM templates into what should be there, and makes it so through the engine's port."""
