from django import template

from alerts import standing

register = template.Library()


@register.inclusion_tag("alerts/_firing.html")
def firing_alerts(owner):
    """The alerts of the workspace that fire, with what they have found."""
    return {"found": standing.firing(owner)}
