"""Which version of an agent talked: everything that decides how it does, in a hash.

The parts are kept too, a hash each, so that it can be said what changed between two
versions without keeping anybody's texts twice.
"""

import hashlib
import json
from typing import Any

from agents.models import Tool, VoiceAgent

LENGTH = 12  # hexadecimal digits
# Who it is and where it works, not how it talks; in a test it knows nobody.
NO_PART = {
    "knows_contact",
    *("id", "owner", "created_at", "updated_at", "deleted_at", "name", "phone"),
    *("is_active", "direction", "prompt", "prompt_version", "instructions"),
    *("summary_enabled", "extraction_schema", "recording_enabled", "tools"),
    *("window_start", "window_end", "window_days"),
}
# What the model is told of a tool, and where its requests go.
OF_TOOL = ("name", "description", "parameters", "method", "url", "timeout_s")


def parts_of(agent: VoiceAgent, *, model: str) -> dict[str, str]:
    """The parts that make this version, by name, as hashes; `model` is who thinks."""
    fields = [f for f in VoiceAgent._meta.concrete_fields if f.name not in NO_PART]
    parts = {field.name: getattr(agent, field.attname) for field in fields}
    parts |= {"instructions": agent.prompt_text, "model": model}
    parts["tools"] = _tools_of(agent)
    return {name: _hash(value) for name, value in sorted(parts.items())}


def _tools_of(agent: VoiceAgent) -> list[Any]:
    own = Tool.objects.of_agent(agent).order_by("name")
    given = [{name: getattr(tool, name) for name in OF_TOOL} for tool in own]
    ids = {str(tool.pk) for tool in own}
    return [sorted(name for name in agent.tools if name not in ids), given]


def version_of(parts: dict[str, str]) -> str:
    return _hash(parts)


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def changed_parts(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What people call the parts in which two versions differ."""
    fields = {field.name: field for field in VoiceAgent._meta.concrete_fields}
    names = [name for name in after if before.get(name) != after[name]]
    return [str(fields[name].verbose_name) for name in names if name in fields]
