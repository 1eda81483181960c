"""Keys pressed one after the other, put together to what the caller means. Pure."""

LONGEST = 50


class Keypad:
    """An input is complete with #, with as many keys as are wanted, or when whoever
    holds this finds that the pause is long enough."""

    def __init__(self, wanted: int | None) -> None:
        self._wanted = wanted
        self._keys = ""

    @property
    def counts_keys(self) -> bool:
        return self._wanted is not None

    def press(self, key: str) -> bool:
        """Take a key; True if the input is complete."""
        self._keys += key
        return key == "#" or len(self._keys) >= (self._wanted or LONGEST)

    def take(self) -> str:
        """The input so far, and begin anew; empty if there is none.

        Many press # after an input that was complete without: that is none.
        """
        keys, self._keys = self._keys, ""
        return "" if keys == "#" and self.counts_keys else keys
