"""Write the generated JSON, or with `--check` say whether what is committed has drifted from the code."""

from __future__ import annotations

import sys

from dashboards.catalog import place, rendered


def main() -> int:
    """Return 1 when something has drifted and was only to be checked."""
    texts = {place(topic): text for topic, text in rendered().items()}
    drifted = {path: text for path, text in texts.items() if not path.exists() or path.read_text() != text}
    if "--check" in sys.argv[1:]:
        for path in drifted:
            print(f"{path} has drifted from dashboards/: run python -m dashboards", file=sys.stderr)  # noqa: T201
        return 1 if drifted else 0
    for path, text in drifted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
