"""What the tests of the shell share."""

from __future__ import annotations


class Screen:
    """Remembers what was printed."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def write(self, text: str) -> None:
        """Print."""
        self._texts.append(text)

    def take(self) -> str:
        """Give what was printed since the last time."""
        text = "".join(self._texts)
        self._texts.clear()
        return text
