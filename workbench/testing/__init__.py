"""The public kit for authors of backends and plugins. Importing it does not import pytest."""
