# One image for everything of ours: docker-compose.yml names the commands.
FROM python:3.11.16-slim-trixie AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/venv/bin:$PATH

# What is only needed to install stays behind in this stage.
FROM base AS packages
COPY requirements.txt .
RUN python -m venv /venv \
    && pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
# With the key of PostgreSQL's own packages, vouched for by Debian.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-common

FROM base
# pg_dump and its like for `manage.py backup`: the version of docker-compose.yml's server,
# which is newer than Debian's.
COPY --from=packages /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc /etc/apt/keyrings/
RUN echo "deb [signed-by=/etc/apt/keyrings/apt.postgresql.org.asc]" \
        "https://apt.postgresql.org/pub/repos/apt trixie-pgdg main" \
        > /etc/apt/sources.list.d/pgdg.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-18 \
    && rm -rf /var/lib/apt/lists/*
# The directories that the volumes of docker-compose.yml take over, with their owner.
RUN useradd --system --uid 10001 --home-dir /var/lib/voiceops --create-home voiceops \
    && install --directory --mode=0700 --owner=voiceops /var/lib/voiceops /backups

COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
RUN python -m compileall -q .

ENV ENVIRONMENT=production VAR_DIR=/var/lib/voiceops STATIC_ROOT=/app/static-collected
# Production settings, for the names with a hash in them; nothing secret is involved.
RUN SECRET_KEY=only-for-this-line-only-for-this-line-only-for-this-line \
    FIELD_ENCRYPTION_KEYS=b25seS1mb3ItdGhpcy1saW5lLW9mLXRoZS1pbWFnZSE= \
    PUBLIC_BASE_URL=https://image.invalid REDIS_URL=redis://image.invalid \
    DATABASE_URL=sqlite://:memory: EMAIL_URL=smtp://image.invalid \
    python manage.py collectstatic --noinput

# From here on nothing of the image is written to: it runs on a read-only file system.
USER 10001
EXPOSE 8000
