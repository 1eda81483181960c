# One image, five commands (see docker-compose.yml): migrate, web, live, worker, beat.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 \
    ENVIRONMENT=production VAR_DIR=/var/lib/voiceops STATIC_ROOT=/app/static-collected

RUN useradd --system --home-dir /var/lib/voiceops --create-home voiceops

WORKDIR /app
COPY requirements.txt .
RUN pip install --disable-pip-version-check -r requirements.txt
COPY . .

# Production settings, for the names with a hash in them; nothing secret is involved.
RUN SECRET_KEY=only-for-this-line-only-for-this-line-only-for-this-line \
    FIELD_ENCRYPTION_KEYS=b25seS1mb3ItdGhpcy1saW5lLW9mLXRoZS1pbWFnZSE= \
    PUBLIC_BASE_URL=https://image.invalid REDIS_URL=redis://image.invalid \
    DATABASE_URL=sqlite://:memory: EMAIL_URL=smtp://image.invalid \
    python manage.py collectstatic --noinput

USER voiceops
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--blocking-threads", "8", "--respawn-failed-workers", \
     "voiceops.wsgi:application"]
