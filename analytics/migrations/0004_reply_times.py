from datetime import UTC, datetime, time

from django.db import migrations, models


def count_again(apps, schema_editor):
    """The workers count all days of calls again: they have reply times of their own."""
    days = apps.get_model("analytics", "Bucket")._base_manager.filter(
        series="calls", span="day", is_total=True
    )
    change = apps.get_model("analytics", "Change")
    changes = [
        change(
            series="calls",
            owner_id=owner_id,
            at=datetime.combine(day, time.min, tzinfo=UTC),
            is_whole_day=True,
        )
        for owner_id, day in days.values_list("owner_id", "first_day")
    ]
    change._base_manager.bulk_create(changes, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("analytics", "0003_spend_by_part")]

    operations = [
        migrations.AddField(
            model_name="bucket",
            name="replies_incoming",
            field=models.BinaryField(default=b""),
        ),
        migrations.AddField(
            model_name="bucket",
            name="replies_outgoing",
            field=models.BinaryField(default=b""),
        ),
        migrations.RunPython(count_again, migrations.RunPython.noop),
    ]
