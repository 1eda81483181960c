from django.apps import AppConfig


class TelephonyConfig(AppConfig):
    name = "telephony"

    def ready(self):
        from telephony import checks  # noqa: F401  # registers them
        from telephony.services import transfers  # noqa: F401  # its rule for numbers
