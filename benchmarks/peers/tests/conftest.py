"""Lets the tests import the peers, which are files and not a package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
