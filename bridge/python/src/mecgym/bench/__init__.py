"""Playing and measuring policies: episodes, suites, data sets, digests."""
