import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import voiceops.encryption
import voiceops.ids


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_teams")]

    operations = [
        migrations.CreateModel(
            name="KeptAnswer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=voiceops.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("claimed_at", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("body", voiceops.encryption.EncryptedTextField(blank=True)),
                ("media_type", models.CharField(blank=True, max_length=100)),
                (
                    "owner",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "unscoped",
                "default_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["claimed_at"], name="kept_answers_by_claim")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "key"), name="one_answer_an_idempotency_key"
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
    ]
