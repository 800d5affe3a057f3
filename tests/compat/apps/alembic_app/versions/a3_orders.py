"""Orders, rows by op.bulk_insert, and an index made outside a transaction."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "a3", "a2"


def upgrade():
    orders = op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False, server_default="acme"),
        sa.Column("customer_id", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Numeric(10, 2), nullable=False),
        sa.Column("note", sa.Text),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="CASCADE"),
        sa.CheckConstraint("total >= 0", name="total_not_negative"),
    )
    first = op.get_bind().execute(sa.text("SELECT min(id) FROM customers")).scalar()
    op.bulk_insert(orders, [{"customer_id": first, "total": n, "note": "old"} for n in range(5)])
    with op.get_context().autocommit_block():
        op.create_index("customer_name", "customers", ["name"], postgresql_concurrently=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index("customer_name", postgresql_concurrently=True)
    op.drop_table("orders")
