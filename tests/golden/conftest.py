"""`pytest tests/golden --update` writes what the builders make now; read the difference before committing it.

`--released` writes what the next release is compared with (see `test_released_pods`).
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the golden files anew")
    parser.addoption(
        "--released", action="store_true", help="write the ledger of released pods anew: at a release only"
    )
