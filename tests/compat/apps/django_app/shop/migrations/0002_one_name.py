"""Two names become one: a new column, its data, the old columns gone."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import F, Value
from django.db.models.functions import Concat, StrIndex, Substr


def join(apps, schema_editor):
    customers = apps.get_model("shop", "Customer").objects
    customers.update(name=Concat(F("first"), Value(" "), F("last")))


def split(apps, schema_editor):
    customers = apps.get_model("shop", "Customer").objects
    space = StrIndex(F("name"), Value(" "))
    customers.update(first=Substr("name", 1, space - 1), last=Substr("name", space + 1))


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_first")]
    operations = [
        migrations.AddField("customer", "name", models.CharField(max_length=80, default="")),
        migrations.AlterField("customer", "first", models.CharField(max_length=40, default="")),
        migrations.AlterField("customer", "last", models.CharField(max_length=40, default="")),
        migrations.RunPython(join, split),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL IMMEDIATE"),
        migrations.RemoveField("customer", "first"),
        migrations.RemoveField("customer", "last"),
        migrations.AlterField("customer", "name", models.CharField(max_length=80)),
        migrations.AddField("customer", "active", models.BooleanField(default=True)),
        migrations.AddField("customer", "profile", models.JSONField(default=dict)),
        migrations.AddField(
            "customer",
            "tags",
            django.contrib.postgres.fields.ArrayField(models.TextField(), default=list),
        ),
    ]
