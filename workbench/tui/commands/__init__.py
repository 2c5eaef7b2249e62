"""What a person can tell the TUI to do: one class a command; keys, footer, help and palette all read from it."""
