"""The contract that a runtime backend implements. Importing it loads no third-party package but pluggy."""
