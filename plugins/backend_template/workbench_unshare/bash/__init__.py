"""A runtime for functions in bash: `catalogue/bash.toml` describes it, `program/` is what runs inside."""
