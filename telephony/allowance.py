"""How much may come at once, and how much after that. Pure."""


class Allowance:
    """`at_once` things, and `per_second` more with every second that passes."""

    def __init__(self, *, at_once: int, per_second: float) -> None:
        self._most = self._left = float(at_once)
        self._per_second = per_second
        self._counted_at: float | None = None

    def spend(self, at: float) -> bool:
        """Take one at `at` (seconds of a clock that only runs on); False: used up."""
        since = 0.0 if self._counted_at is None else at - self._counted_at
        self._counted_at = at
        self._left = min(self._most, self._left + since * self._per_second)
        if self._left < 1:
            return False
        self._left -= 1
        return True
