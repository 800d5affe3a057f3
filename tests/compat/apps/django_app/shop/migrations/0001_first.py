"""Customers, as they were first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Customer",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("tenant_id", models.CharField(max_length=63, default="acme")),
                ("first", models.CharField(max_length=40)),
                ("last", models.CharField(max_length=40)),
                ("email", models.EmailField(unique=True, max_length=254)),
                ("joined", models.DateTimeField()),
            ],
            options={"ordering": ("id",)},
        ),
    ]
