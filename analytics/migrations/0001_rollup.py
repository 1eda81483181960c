import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import voiceops.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0006_texts"),
        ("telephony", "0023_counted_by_time"),
    ]

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "series",
                    models.CharField(
                        choices=[("calls", "Calls"), ("texts", "Texts")], max_length=5
                    ),
                ),
                ("owner_id", models.UUIDField(db_index=True)),
                ("at", models.DateTimeField()),
                ("is_whole_day", models.BooleanField(db_default=False)),
            ],
        ),
        migrations.CreateModel(
            name="Bucket",
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
                (
                    "series",
                    models.CharField(
                        choices=[("calls", "Calls"), ("texts", "Texts")], max_length=5
                    ),
                ),
                (
                    "span",
                    models.CharField(
                        choices=[("day", "Day"), ("month", "Month")], max_length=5
                    ),
                ),
                ("first_day", models.DateField()),
                ("is_total", models.BooleanField()),
                ("agent", models.UUIDField(null=True)),
                ("phone", models.UUIDField(null=True)),
                ("sums", models.JSONField(default=dict)),
                ("facts", models.JSONField(default=dict)),
                ("names", models.JSONField(default=list)),
                ("quarters", models.BinaryField(default=b"")),
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
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Quarters",
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
                ("tallies", models.JSONField(default=dict)),
                (
                    "bucket",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="detail",
                        to="analytics.bucket",
                    ),
                ),
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
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name="bucket",
            index=models.Index(
                condition=models.Q(("is_total", False)),
                fields=["owner", "agent", "series", "span", "first_day"],
                name="buckets_of_an_agent",
            ),
        ),
        migrations.AddIndex(
            model_name="bucket",
            index=models.Index(
                condition=models.Q(("is_total", False)),
                fields=["owner", "phone", "series", "span", "first_day"],
                name="buckets_of_a_phone",
            ),
        ),
        migrations.AddConstraint(
            model_name="bucket",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_total", True)),
                fields=("owner", "series", "span", "first_day"),
                name="one_total_a_span",
            ),
        ),
        migrations.AddConstraint(
            model_name="bucket",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_total", False)),
                fields=("owner", "series", "span", "first_day", "agent", "phone"),
                name="one_bucket_a_pair_and_span",
            ),
        ),
    ]
