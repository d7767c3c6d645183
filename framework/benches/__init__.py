"""What things cost on this machine: one file per bench, found by its option in conf/what."""
