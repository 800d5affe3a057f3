<?php
// What the two PHP clients share: a line per step, comparisons, the types.

function step(string $name, callable $action): void
{
    try {
        $action();
        echo "ok $name\n";
    } catch (Throwable $error) {
        $why = get_class($error) . ': ' . $error->getMessage();
        echo "FAIL $name " . str_replace("\n", ' | ', $why) . "\n";
    }
}

function expect(mixed $actual, mixed $wanted): void
{
    if ($actual !== $wanted) {
        $show = fn ($value) => substr(var_export($value, true), 0, 200);
        throw new Exception($show($actual) . ' instead of ' . $show($wanted));
    }
}

function types(): array
{
    $lines = file(getenv('D_TYPES'), FILE_IGNORE_NEW_LINES);
    return array_map(fn ($line) => explode("\t", $line), $lines);
}
