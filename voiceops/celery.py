"""The Celery application; its beat only rings the bell, rows hold what is due."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import setup_logging, worker_ready

from voiceops import pulse, sign_of_life, tracing, trails

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceops.settings")
# Django's checks load all routes, pages and the API, which no worker and no beat has:
# three quarters of their start. `manage.py check` and the tests run them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("voiceops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["voiceops", "voiceops.isolation"])


@setup_logging.connect
def _keep_our_logging(**kwargs):
    """Celery installs its own handlers unless somebody answers this signal."""


trails.follow()
pulse.keep()
tracing.begin_in_workers()


@worker_ready.connect
def _answer_scrapes(**kwargs):
    from voiceops import scrape  # settings are not read yet when this module is

    scrape.serve_in_worker()


if path := os.environ.get("SIGN_OF_LIFE"):
    sign_of_life.keep(Path(path))
