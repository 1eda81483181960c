from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self):
        pre_migrate.connect(_make_way, sender=self)
        post_migrate.connect(_install_triggers, sender=self)


def _make_way(using, **kwargs):
    from analytics import triggers

    triggers.make_way(connections[using])


def _install_triggers(using, **kwargs):
    from analytics import triggers

    triggers.install(connections[using])
