"""What an environment and its backend hand each other: batches, snapshots, look-aheads."""
