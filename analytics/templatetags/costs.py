from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def amount(value):
    """Of money: 1,284.50; 0.0112 and 0.000034, where two places would say nothing."""
    if value is None:
        return "–"
    size = abs(value)
    places = 2 if size >= 1 or not size else 4 if size >= 0.001 else 6
    return number_format(value, places, force_grouping=True)
