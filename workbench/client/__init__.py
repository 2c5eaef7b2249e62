"""How a face reaches an engine: `port` says what it may ask, `local` and `remote` are the two roads."""
