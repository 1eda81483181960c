"""What an agent can do during a call besides talking; it knows no carrier."""

from agents.tools.outcome import Outcome
from agents.tools.toolbox import BuiltIn, Toolbox

__all__ = ["BuiltIn", "Outcome", "Toolbox"]
