"""Composition: the one place where rooms are put together into an engine, its doors, and what commands ask of them."""
