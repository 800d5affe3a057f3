<?php
// The common script with PHP's PDO for PostgreSQL.
require __DIR__ . '/php_report.php';

function connect(array $changes = []): PDO
{
    $parts = $changes + [
        'host' => getenv('D_HOST'), 'port' => getenv('D_PORT'), 'dbname' => getenv('D_DBNAME'),
        'sslmode' => 'verify-full', 'sslrootcert' => getenv('D_CA'),
        'application_name' => "'driver php-pdo'",
    ];
    $password = $parts['password'] ?? getenv('D_PASSWORD');
    unset($parts['password']);
    $words = array_map(fn ($key, $value) => "$key=$value", array_keys($parts), $parts);
    $dsn = 'pgsql:' . implode(';', $words);
    return new PDO($dsn, getenv('D_USER'), $password, [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM,
    ]);
}

function run(string $sql, array $values = []): array
{
    global $db;
    if (!$values) {
        return $db->query($sql)->fetchAll();
    }
    $statement = $db->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}

function one(string $sql, array $values = []): mixed
{
    return run($sql, $values)[0][0];
}

function state(callable $action): string
{
    return error($action)->errorInfo[0];
}

function error(callable $action): PDOException
{
    try {
        $action();
    } catch (PDOException $error) {
        return $error;
    }
    throw new Exception('no error');
}

function refused(array $changes, string $why): void
{
    expect(str_contains(error(fn () => connect($changes))->getMessage(), $why), true);
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
        $statement = $each->prepare('SELECT ?::int4');
        $statement->execute([$n]);
        expect($statement->fetchAll(), [[$n]]);
    }
});
step('application_name', function () {
    $sql = 'SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()';
    expect(one($sql), 'driver php-pdo');
});
foreach (types() as [$name, $sql, $literal, $check]) {
    step("text_$name", function () use ($sql, $literal, $check) {
        expect(one("SELECT CAST(CAST(? AS text) AS $sql)$check", [$literal]), $literal);
    });
}
foreach (types() as [$name, $sql, $literal, $check]) {
    step("native_$name", function () use ($sql, $literal, $check) {
        global $db;
        $value = one("SELECT CAST(CAST(? AS text) AS $sql)", [$literal]);
        $kind = match (true) {
            is_bool($value) => PDO::PARAM_BOOL,
            is_int($value) => PDO::PARAM_INT,
            is_resource($value) => PDO::PARAM_LOB,
            default => PDO::PARAM_STR,
        };
        $statement = $db->prepare("SELECT CAST(? AS $sql)$check");
        $statement->bindValue(1, $value, $kind);
        $statement->execute();
        expect($statement->fetchAll(), [[$literal]]);
    });
}
step('nulls', function () {
    $sql = "SELECT CAST(? AS text) IS NULL, NULL::int4, ''";
    expect(run($sql, [null]), [[true, null, '']]);
});
step('prepared', function () {
    global $db;
    $plusOne = $db->prepare('SELECT ?::int4 + 1');
    $twice = $db->prepare('SELECT CAST(:part AS text) || CAST(:part AS text)');
    for ($n = 0; $n < 12; $n++) {
        $plusOne->execute([$n]);
        expect($plusOne->fetchAll(), [[$n + 1]]);
        $twice->execute(['part' => 'a']);
        expect($twice->fetchAll(), [['aa']]);
    }
    // Elsewhere the view shows a connection that others prepare on as well.
    if (getenv('D_MODE') === 'session' || getenv('D_TARGET') === 'direct') {
        expect(one('SELECT count(*) >= 2 FROM pg_prepared_statements'), true);
    }
});
step('cursor', function () {
    global $db;
    $db->beginTransaction();
    $portal = $db->prepare('SELECT generate_series(1, 1000)',
        [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $portal->execute();
    $total = 0;
    while ($row = $portal->fetch()) {
        $total += $row[0];
    }
    expect($portal->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 100), [100]);
    $portal = null;
    $db->commit();
    expect($total, 500500);
});
step('copy_in', function () {
    global $db;
    $lines = array_map(fn ($n) => "$n\tlabel $n\n", range(0, 9999));
    expect($db->pgsqlCopyFromArray('numbers', $lines), true);
    expect(run('SELECT count(*), sum(n) FROM numbers'), [[10000, 49995000]]);
    $bad = fn () => $db->pgsqlCopyFromArray('numbers', ["not a number\tx\n"]);
    expect(state($bad), '22P02');
    expect(one('SELECT count(*) FROM numbers'), 10000);
});
step('copy_out', function () {
    global $db;
    expect(array_sum(array_map('intval', $db->pgsqlCopyToArray('numbers'))), 49995000);
});
step('error_unique', function () {
    $error = error(fn () => run("INSERT INTO items VALUES (2, 'one')"));
    expect($error->errorInfo[0], '23505');
    $told = "duplicate key value violates unique constraint \"items_name_key\"\n"
        . 'DETAIL:  Key (name)=(one) already exists.';
    expect(str_contains($error->errorInfo[2], $told), true);
});
step('error_syntax', function () {
    $error = error(fn () => run('SELECT 1 FRM items'));
    expect($error->errorInfo[0], '42601');
    $told = "LINE 1: SELECT 1 FRM items\n                     ^";
    expect(str_contains($error->errorInfo[2], $told), true);
});
step('error_in_transaction', function () {
    global $db;
    $db->beginTransaction();
    run("INSERT INTO items VALUES (3, 'three')");
    expect(state(fn () => run('SELECT 1 / ?::int4', [0])), '22012');
    expect(state(fn () => run('SELECT 1')), '25P02');
    $db->rollBack();
    expect(one('SELECT count(*) FROM items WHERE id = 3'), 0);
});
step('listen_notify', function () {
    global $db;
    $db->exec('LISTEN news');
    connect()->exec("NOTIFY news, 'hello'");
    $note = $db->pgsqlGetNotify(PDO::FETCH_ASSOC, 10000);
    expect([$note['message'], $note['payload']], ['news', 'hello']);
    $db->exec('UNLISTEN news');
});
step('pipeline', function () {
    global $db;
    $db->exec('SELECT 1; INSERT INTO numbers VALUES (-1); SELECT 3');
    $bad = fn () => $db->exec('INSERT INTO numbers VALUES (-2); SELECT 1 / 0; SELECT 3');
    expect(state($bad), '22012');
    expect(run('SELECT n, count(*) FROM numbers WHERE n < 0 GROUP BY 1'), [[-1, 1]]);
});
step('transaction', function () {
    global $db;
    $db->beginTransaction();
    run("INSERT INTO items VALUES (10, 'ten')");
    $db->rollBack();
    $db->beginTransaction();
    run("INSERT INTO items VALUES (11, 'eleven')");
    $db->commit();
    expect(run('SELECT id FROM items WHERE id IN (10, 11)'), [[11]]);
});
step('savepoint', function () {
    global $db;
    $db->beginTransaction();
    run("INSERT INTO items VALUES (20, 'twenty')");
    $db->exec('SAVEPOINT a');
    expect(state(fn () => run("INSERT INTO items VALUES (20, 'x')")), '23505');
    $db->exec('ROLLBACK TO SAVEPOINT a');
    run("INSERT INTO items VALUES (21, 'twenty-one')");
    $db->exec('RELEASE SAVEPOINT a');
    $db->commit();
    expect(run('SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1'), [[20], [21]]);
});
step('settings', function () {
    global $db;
    $db->exec("SET statement_timeout = '54321ms'");
    $db->exec("SET DateStyle = 'German'");
    for ($n = 0; $n < 5; $n++) {
        expect(one('SHOW statement_timeout'), '54321ms');
        expect(one('SELECT CAST(? AS date)::text', ['2024-02-29']), '29.02.2024');
    }
    $db->exec('RESET statement_timeout');
    $db->exec('RESET DateStyle');
    expect(one('SHOW statement_timeout'), '0');
});
step('search_path', function () {
    global $db;
    expect(one('SELECT place FROM marker'), 'public');
    $db->exec('SET search_path = other, public');
    for ($n = 0; $n < 5; $n++) {
        expect(one('SELECT place FROM marker'), 'other');
    }
    $db->exec('RESET search_path');
    expect(one('SELECT place FROM marker'), 'public');
});
step('big_text', function () {
    $value = str_repeat('žluť', 1000000);
    $sql = 'SELECT length(CAST(:v AS text)), CAST(:v AS text)';
    expect(run($sql, ['v' => $value]), [[4000000, $value]]);
});
step('big_bytea', function () {
    global $db;
    $value = str_repeat(implode('', array_map('chr', range(0, 255))), 20480);
    $statement = $db->prepare('SELECT CAST(? AS bytea)');
    $statement->bindValue(1, $value, PDO::PARAM_LOB);
    $statement->execute();
    expect(stream_get_contents($statement->fetchAll()[0][0]) === $value, true);
});
step('many_rows', function () {
    $found = run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i");
    expect([count($found), $found[99999]], [100000, [100000, 'row 100000']]);
    expect(array_sum(array_column($found, 0)), 5000050000);
});
step('variants', function () {
    foreach ([PDO::ATTR_EMULATE_PREPARES, PDO::PGSQL_ATTR_DISABLE_PREPARES] as $attribute) {
        $other = connect(['options' => "'-c search_path=other'"]);
        $other->setAttribute($attribute, true);
        $statement = $other->prepare('SELECT CAST(? AS int4) + 1, place FROM marker');
        for ($n = 0; $n < 7; $n++) {
            $statement->execute([$n]);
            expect($statement->fetchAll(), [[$n + 1, 'other']]);
        }
    }
});
