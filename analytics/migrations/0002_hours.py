from datetime import UTC, datetime, time

import django.db.models.deletion
from django.db import migrations, models


def count_again(apps, schema_editor):
    """By the hour from now on: the workers count all days again."""
    apps.get_model("analytics", "Quarters")._base_manager.all().delete()
    days = apps.get_model("analytics", "Bucket")._base_manager.filter(
        span="day", is_total=True
    )
    change = apps.get_model("analytics", "Change")
    changes = [
        change(
            series=series,
            owner_id=owner_id,
            at=datetime.combine(day, time.min, tzinfo=UTC),
            is_whole_day=True,
        )
        for series, owner_id, day in days.values_list("series", "owner_id", "first_day")
    ]
    change._base_manager.bulk_create(changes, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_rollup")]

    operations = [
        migrations.RunPython(count_again, migrations.RunPython.noop),
        migrations.AddField(
            model_name="quarters",
            name="hour",
            field=models.PositiveSmallIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="quarters",
            name="bucket",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="details",
                to="analytics.bucket",
            ),
        ),
        migrations.AddConstraint(
            model_name="quarters",
            constraint=models.UniqueConstraint(
                fields=("bucket", "hour"), name="one_row_an_hour"
            ),
        ),
    ]
