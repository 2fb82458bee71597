"""The tests of the client, as it is in this repository: `make test-clients`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
