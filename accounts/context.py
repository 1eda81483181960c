from django.conf import settings


def workspace(request):
    """What every page's frame shows."""
    return {
        "workspace": getattr(request, "workspace", None),
        "simulator_enabled": settings.SIMULATOR,
    }
