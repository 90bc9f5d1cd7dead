"""Lets the tests import the peers, and what the peers' own tests share."""

import sys
from pathlib import Path

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"
sys.path[:0] = [str(PEERS), str(PEERS / "tests")]
