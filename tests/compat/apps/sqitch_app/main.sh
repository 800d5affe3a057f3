#!/bin/bash
# sqitch's phases: main.sh first|seed|latest|traffic|back|empty
set -euo pipefail
cd "$(dirname "$0")"
target="db:pg://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE"
export SQITCH_PASSWORD="$PGPASSWORD" SQITCH_FULLNAME=Compat SQITCH_EMAIL=compat@example.com

case "$1" in
  first) sqitch deploy --to customers "$target" ;;
  seed)
    psql -X -q -v ON_ERROR_STOP=1 <<'SQL'
INSERT INTO customers (first, last, email)
  SELECT 'Given' || n, 'Family' || n, 'c' || n || '@example.com' FROM generate_series(1, 20) n;
SQL
    echo seeded
    ;;
  latest) sqitch deploy "$target" ;;
  traffic)
    sqitch verify "$target"
    sqitch status "$target" | sed '/^# Deployed:/d'
    sqitch log --format 'format:%e %n %h' "$target" | sed '/^On database/d'
    sqitch rebase --onto one_name -y "$target"
    psql -X -A -t -c 'SELECT name, spent(id) FROM customers ORDER BY id LIMIT 3'
    ;;
  back) sqitch revert -y --to customers "$target" ;;
  empty) sqitch revert -y "$target" ;;
esac
