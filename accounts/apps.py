from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self):
        autodiscover_modules("deletion")  # what apps say of their deleted rows
        from accounts import signals  # noqa: F401  (models are loaded by now)
