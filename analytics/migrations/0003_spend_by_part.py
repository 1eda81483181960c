from datetime import UTC, datetime, time

from django.db import migrations, models


def count_again(apps, schema_editor):
    """The workers count every day again that was counted without these columns."""
    buckets = apps.get_model("analytics", "Bucket")._base_manager
    days = buckets.filter(span="day", is_total=True).order_by("first_day")
    change = apps.get_model("analytics", "Change")
    change._base_manager.bulk_create(
        [
            change(
                series=series,
                owner_id=owner_id,
                at=datetime.combine(day, time.min, tzinfo=UTC),
                is_whole_day=True,
            )
            for series, owner_id, day in days.values_list(
                "series", "owner_id", "first_day"
            )
        ],
        batch_size=500,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_hours"),
    ]

    operations = [
        migrations.AddField(
            model_name="bucket",
            name="spend_names",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="bucket",
            name="spend_quarters",
            field=models.BinaryField(default=b""),
        ),
        migrations.RunPython(count_again, migrations.RunPython.noop),
    ]
