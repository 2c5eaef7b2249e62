"""Values that every room shares: functions, environments, invocations, events, errors. Standard library only."""
