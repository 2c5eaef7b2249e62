"""What lasts: SQLite for records, content-addressed files for code."""
