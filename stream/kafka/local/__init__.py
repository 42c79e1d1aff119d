"""A broker on this machine, and child processes that never outlive us."""
