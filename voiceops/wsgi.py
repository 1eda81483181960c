"""The pages, the API and the carrier's webhooks, for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

from voiceops import tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceops.settings")

tracing.begin()
application = get_wsgi_application()
