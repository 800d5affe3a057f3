"""Two names become one; a type, an array, JSON."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision, down_revision = "a2", "a1"
LEVEL = postgresql.ENUM("plain", "gold", name="level")


def upgrade():
    LEVEL.create(op.get_bind())
    op.add_column("customers", sa.Column("name", sa.Text))
    op.execute("UPDATE customers SET name = first || ' ' || last")
    op.alter_column("customers", "name", nullable=False)
    op.drop_column("customers", "first")
    op.drop_column("customers", "last")
    for name, kind, default in (
        ("tags", postgresql.ARRAY(sa.Text), "{}"),
        ("profile", postgresql.JSONB, "{}"),
        ("level", postgresql.ENUM("plain", "gold", name="level", create_type=False), "plain"),
    ):
        column = sa.Column(name, kind, nullable=False, server_default=default)
        op.add_column("customers", column)


def downgrade():
    for name in ("tags", "profile", "level"):
        op.drop_column("customers", name)
    LEVEL.drop(op.get_bind())
    op.add_column("customers", sa.Column("first", sa.Text))
    op.add_column("customers", sa.Column("last", sa.Text))
    op.execute(
        "UPDATE customers SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2)"
    )
    op.alter_column("customers", "first", nullable=False)
    op.alter_column("customers", "last", nullable=False)
    op.drop_column("customers", "name")
