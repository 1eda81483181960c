from django.db import migrations, models


class Migration(migrations.Migration):
    """With triggers that were not there before, so every day is counted again."""

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
    ]
