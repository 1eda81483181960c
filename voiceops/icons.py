"""`{% icon %}`: lucide's tag, which each process asks once for each icon.

The library copies a tree of elements and writes it anew for every icon of every page.
"""

from functools import lru_cache

from django import template
from lucide.templatetags.lucide import lucide

# By name, size and classes, all of which templates choose; some 500 bytes each.
MOST_KEPT = 1_000

register = template.Library()
register.simple_tag(lru_cache(maxsize=MOST_KEPT)(lucide), name="icon")
