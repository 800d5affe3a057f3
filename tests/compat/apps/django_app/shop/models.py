"""Models with what PostgreSQL has beyond the common types."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Customer(models.Model):
    tenant_id = models.CharField(max_length=63, default="acme")
    name = models.CharField(max_length=80)
    email = models.EmailField(unique=True)
    tags = ArrayField(models.TextField(), default=list)
    profile = models.JSONField(default=dict)
    joined = models.DateTimeField()
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=["name"], name="customer_name"),)


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")
    tenant_id = models.CharField(max_length=63, default="acme")
    total = models.DecimalField(max_digits=10, decimal_places=2)
    note = models.TextField(blank=True, default="")

    class Meta:
        constraints = (
            models.CheckConstraint(check=models.Q(total__gte=0), name="total_not_negative"),
        )
