from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self):
        pre_migrate.connect(_remove_triggers, sender=self)
        post_migrate.connect(_install_triggers, sender=self)


def _remove_triggers(using, **kwargs):
    from analytics import triggers

    triggers.remove(connections[using])


def _install_triggers(using, **kwargs):
    from analytics import triggers

    triggers.install(connections[using])
