"""Orders, and an index made outside a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_one_name")]
    operations = [
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("tenant_id", models.CharField(max_length=63, default="acme")),
                ("total", models.DecimalField(max_digits=10, decimal_places=2)),
                ("note", models.TextField(blank=True, default="")),
                (
                    "customer",
                    models.ForeignKey(
                        "shop.Customer", on_delete=models.CASCADE, related_name="orders"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "order",
            models.CheckConstraint(check=models.Q(total__gte=0), name="total_not_negative"),
        ),
        AddIndexConcurrently("customer", models.Index(fields=["name"], name="customer_name")),
        migrations.RunSQL(
            "CREATE VIEW big_orders AS SELECT id, total FROM shop_order WHERE total > 100",
            "DROP VIEW big_orders",
        ),
    ]
