"""Programs that answer one question each. They reach strategies through the configuration only."""
