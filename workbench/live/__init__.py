"""What is happening now: events reduced to entities and bounded rings, pulled by faces as deltas."""
