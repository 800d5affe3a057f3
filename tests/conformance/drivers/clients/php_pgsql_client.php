<?php
// The common script with PHP's pgsql extension.
require __DIR__ . '/php_report.php';
error_reporting(E_ALL & ~E_WARNING & ~E_NOTICE);

function connect(array $changes = []): PgSql\Connection
{
    $parts = $changes + [
        'host' => getenv('D_HOST'), 'port' => getenv('D_PORT'), 'user' => getenv('D_USER'),
        'password' => getenv('D_PASSWORD'), 'dbname' => getenv('D_DBNAME'),
        'sslmode' => 'verify-full', 'sslrootcert' => getenv('D_CA'),
        'application_name' => 'driver php-pgsql',
    ];
    $words = array_map(fn ($key, $value) => "$key='$value'", array_keys($parts), $parts);
    $connection = @pg_connect(implode(' ', $words), PGSQL_CONNECT_FORCE_NEW);
    if ($connection === false) {
        throw new Exception(error_get_last()['message']);
    }
    return $connection;
}

// The result of a text, an error result included.
function result(string $sql, array $values = []): PgSql\Result
{
    global $db;
    $sent = $values ? pg_send_query_params($db, $sql, $values) : pg_send_query($db, $sql);
    expect($sent, true);
    $last = null;
    while ($result = pg_get_result($db)) {
        $last = $result;
    }
    return $last;
}

function run(string $sql, array $values = []): array
{
    $result = result($sql, $values);
    if (pg_result_error($result)) {
        throw new Exception(pg_result_error($result));
    }
    return pg_fetch_all($result, PGSQL_NUM) ?: [];
}

function one(string $sql, array $values = []): ?string
{
    return run($sql, $values)[0][0];
}

function state(string $sql, array $values = []): ?string
{
    return pg_result_error_field(result($sql, $values), PGSQL_DIAG_SQLSTATE);
}

function refused(array $changes, string $why): void
{
    try {
        connect($changes);
    } catch (Exception $error) {
        expect(str_contains($error->getMessage(), $why), true);
        return;
    }
    throw new Exception('connected');
}

$db = connect();

step('connect', function () {
    $sql = 'SELECT current_user, current_database()';
    expect(run($sql), [[getenv('D_USER'), getenv('D_DBNAME')]]);
});
step('tls_verify', fn () => refused(['sslrootcert' => getenv('D_WRONG_CA')], 'verify failed'));
step('wrong_password', fn () => refused(['password' => 'x'], 'password authentication failed'));
step('connections', function () {
    $many = array_map(fn () => connect(), range(0, 7));
    foreach ($many as $n => $each) {
        $result = pg_query_params($each, 'SELECT $1', [$n]);
        expect(pg_fetch_result($result, 0, 0), "$n");
    }
    array_map('pg_close', $many);
});
step('application_name', function () {
    $sql = 'SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()';
    expect(one($sql), 'driver php-pgsql');
});
foreach (types() as [$name, $sql, $literal, $check]) {
    step("text_$name", function () use ($sql, $literal, $check) {
        expect(one("SELECT ($1::text)::$sql$check", [$literal]), $literal);
    });
}
foreach (types() as [$name, $sql, $literal, $check]) {
    step("native_$name", function () use ($name, $sql, $literal, $check) {
        $value = one("SELECT ($1::text)::$sql", [$literal]);
        if ($name === 'bytea') {
            global $db;
            $value = pg_unescape_bytea($value);
            $value = pg_escape_bytea($db, $value);
        }
        expect(one("SELECT ($1::$sql)$check", [$value]), $literal);
    });
}
step('nulls', function () {
    expect(run("SELECT $1::text IS NULL, NULL::int4, ''", [null]), [['t', null, '']]);
});
step('prepared', function () {
    global $db;
    pg_prepare($db, 'plus_one', 'SELECT $1::int4 + 1');
    pg_prepare($db, 'twice', 'SELECT $1::text || $1');
    for ($n = 0; $n < 12; $n++) {
        expect(pg_fetch_result(pg_execute($db, 'plus_one', [$n]), 0, 0), (string) ($n + 1));
        expect(pg_fetch_result(pg_execute($db, 'twice', ['a']), 0, 0), 'aa');
    }
    run('DEALLOCATE plus_one');
    pg_send_execute($db, 'plus_one', [1]);
    expect(pg_result_error_field(pg_get_result($db), PGSQL_DIAG_SQLSTATE), '26000');
    expect(pg_get_result($db), false);
    run('DEALLOCATE ALL');
});
step('cursor', function () {
    $total = 0;
    run('BEGIN');
    run('DECLARE rows CURSOR FOR SELECT generate_series(1, 1000)');
    while ($part = run('FETCH 100 FROM rows')) {
        $total += array_sum(array_column($part, 0));
    }
    run('COMMIT');
    expect($total, 500500);
});
step('copy_in', function () {
    global $db;
    $lines = array_map(fn ($n) => "$n\tlabel $n\n", range(0, 9999));
    expect(pg_copy_from($db, 'numbers', $lines), true);
    expect(run('SELECT count(*), sum(n) FROM numbers'), [['10000', '49995000']]);
    expect(pg_copy_from($db, 'numbers', ["not a number\tx\n"]), false);
    expect(one('SELECT count(*) FROM numbers'), '10000');
});
step('copy_out', function () {
    global $db;
    $lines = pg_copy_to($db, 'numbers');
    expect(array_sum(array_map('intval', $lines)), 49995000);
});
step('cancel', function () {
    global $db;
    $started = microtime(true);
    pg_send_query($db, 'SELECT pg_sleep(20)');
    usleep(500000);
    expect(pg_connection_busy($db), true);
    // pg_cancel_query reads the statement's results to their end and throws them away: without a
    // cancel it would take 20 s.
    expect(pg_cancel_query($db), true);
    expect(microtime(true) - $started < 10, true);
    expect(one('SELECT 1'), '1');
});
step('error_unique', function () {
    $result = result("INSERT INTO items VALUES (2, 'one')");
    $fields = [PGSQL_DIAG_SQLSTATE, PGSQL_DIAG_SCHEMA_NAME, PGSQL_DIAG_TABLE_NAME,
        PGSQL_DIAG_CONSTRAINT_NAME, PGSQL_DIAG_MESSAGE_DETAIL];
    $found = array_map(fn ($field) => pg_result_error_field($result, $field), $fields);
    $detail = 'Key (name)=(one) already exists.';
    expect($found, ['23505', 'public', 'items', 'items_name_key', $detail]);
});
step('error_syntax', function () {
    $result = result('SELECT 1 FRM items');
    expect(pg_result_error_field($result, PGSQL_DIAG_SQLSTATE), '42601');
    expect(pg_result_error_field($result, PGSQL_DIAG_STATEMENT_POSITION), '14');
});
step('error_in_transaction', function () {
    global $db;
    run('BEGIN');
    run("INSERT INTO items VALUES (3, 'three')");
    expect(state('SELECT 1 / $1::int4', [0]), '22012');
    expect(pg_transaction_status($db), PGSQL_TRANSACTION_INERROR);
    expect(state('SELECT 1'), '25P02');
    run('ROLLBACK');
    expect(pg_transaction_status($db), PGSQL_TRANSACTION_IDLE);
    expect(one('SELECT count(*) FROM items WHERE id = 3'), '0');
});
step('notice', function () {
    global $db;
    run("SELECT say('php')");
    expect(pg_last_notice($db), 'NOTICE:  heard php');
});
step('listen_notify', function () {
    global $db;
    run('LISTEN news');
    $other = connect();
    pg_query($other, "NOTIFY news, 'hello'");
    pg_close($other);
    for ($n = 0; $n < 100 && !($note = pg_get_notify($db)); $n++) {
        usleep(100000);
    }
    expect([$note['message'], $note['payload']], ['news', 'hello']);
    run('UNLISTEN news');
});
step('pipeline', function () {
    global $db;
    pg_send_query($db, 'SELECT 1; INSERT INTO numbers VALUES (-1); SELECT 3');
    $found = [];
    while ($result = pg_get_result($db)) {
        $found[] = pg_num_fields($result) ? pg_fetch_result($result, 0, 0) : null;
    }
    expect($found, ['1', null, '3']);
    expect(state('INSERT INTO numbers VALUES (-2); SELECT 1 / 0; SELECT 3'), '22012');
    $sql = 'SELECT n, count(*) FROM numbers WHERE n < 0 GROUP BY 1';
    expect(run($sql), [['-1', '1']]);
});
step('transaction', function () {
    run('BEGIN');
    run("INSERT INTO items VALUES (10, 'ten')");
    run('ROLLBACK');
    run('BEGIN');
    run("INSERT INTO items VALUES (11, 'eleven')");
    run('COMMIT');
    expect(run('SELECT id FROM items WHERE id IN (10, 11)'), [['11']]);
});
step('savepoint', function () {
    run('BEGIN');
    run("INSERT INTO items VALUES (20, 'twenty')");
    run('SAVEPOINT a');
    expect(state("INSERT INTO items VALUES (20, 'x')"), '23505');
    run('ROLLBACK TO SAVEPOINT a');
    run("INSERT INTO items VALUES (21, 'twenty-one')");
    run('RELEASE SAVEPOINT a');
    run('COMMIT');
    expect(run('SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1'), [['20'], ['21']]);
});
step('settings', function () {
    global $db;
    run("SET statement_timeout = '54321ms'");
    run("SET DateStyle = 'German'");
    for ($n = 0; $n < 5; $n++) {
        expect(one('SHOW statement_timeout'), '54321ms');
        expect(one('SELECT $1::date::text', ['2024-02-29']), '29.02.2024');
    }
    expect(explode(',', pg_parameter_status($db, 'DateStyle'))[0], 'German');
    run('RESET statement_timeout');
    run('RESET DateStyle');
    expect(one('SHOW statement_timeout'), '0');
});
step('search_path', function () {
    expect(one('SELECT place FROM marker'), 'public');
    run('SET search_path = other, public');
    for ($n = 0; $n < 5; $n++) {
        expect(one('SELECT place FROM marker'), 'other');
    }
    run('RESET search_path');
    expect(one('SELECT place FROM marker'), 'public');
});
step('big_text', function () {
    $value = str_repeat('žluť', 1000000);
    expect(run('SELECT length($1::text), $1::text', [$value]), [['4000000', $value]]);
});
step('big_bytea', function () {
    $value = str_repeat(implode('', array_map('chr', range(0, 255))), 20480);
    $found = one('SELECT $1::bytea', ['\x' . bin2hex($value)]);
    expect(pg_unescape_bytea($found) === $value, true);
});
step('many_rows', function () {
    $found = run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i");
    expect([count($found), $found[99999]], [100000, ['100000', 'row 100000']]);
    expect(array_sum(array_column($found, 0)), 5000050000);
});
pg_close($db);
