from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self):
        pre_migrate.connect(_make_way, sender=self)
        post_migrate.connect(_install_triggers, sender=self)


def _make_way(using, plan, **kwargs):
    from analytics import triggers

    if plan:
        triggers.make_way(connections[using])


def _install_triggers(using, **kwargs):
    from accounts.models import Workspace
    from analytics import rebuilding, triggers

    if triggers.install(connections[using]):
        # What changed before they were there was noted by nobody.
        owners = Workspace.objects.values_list("pk", flat=True)
        rebuilding.ask_for_everything(owners.iterator())
