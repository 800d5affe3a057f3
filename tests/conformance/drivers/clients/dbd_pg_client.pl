# The common script with DBD::Pg.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:pg_types :async);
use Time::HiRes qw(sleep time);

$| = 1;
binmode STDOUT, ':encoding(UTF-8)';

sub connect_with {
    my %changes = @_;
    my %part = (
        host => $ENV{D_HOST}, port => $ENV{D_PORT}, dbname => $ENV{D_DBNAME},
        sslmode => 'verify-full', sslrootcert => $ENV{D_CA},
        application_name => "'driver DBD-Pg'", %changes);
    my $password = delete $part{password} // $ENV{D_PASSWORD};
    my $dsn = 'dbi:Pg:' . join ';', map { "$_=$part{$_}" } sort keys %part;
    return DBI->connect($dsn, $ENV{D_USER}, $password,
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_enable_utf8 => 1 });
}

sub step {
    my ($name, $action) = @_;
    if (eval { $action->(); 1 }) { print "ok $name\n"; return }
    my $why = "$@";
    $why =~ s/\n/ | /g;
    print "FAIL $name $why\n";
}

sub flat {
    my ($value) = @_;
    return '(null)' unless defined $value;
    return ref $value eq 'ARRAY' ? '[' . join(',', map { flat($_) } @$value) . ']' : $value;
}

sub expect {
    my ($actual, $wanted) = map { flat($_) } @_;
    die substr($actual, 0, 200) . ' instead of ' . substr($wanted, 0, 200) . "\n"
        if $actual ne $wanted;
}

our $db = connect_with();
# Without it pg_prepared_statements shows a connection that others prepare on as well.
my $own_server = $ENV{D_MODE} eq 'session' || $ENV{D_TARGET} eq 'direct';

sub run {
    my ($sql, @values) = @_;
    my $statement = $db->prepare($sql);
    $statement->execute(@values);
    return $statement->{NUM_OF_FIELDS} ? $statement->fetchall_arrayref : [];
}

sub one { return run(@_)->[0][0] }

# The SQLSTATE with which the action fails.
sub state_of {
    my ($action) = @_;
    die "no error\n" if eval { $action->(); 1 };
    return $db->state;
}

step connect => sub {
    expect(run('SELECT current_user, current_database()'), [[@ENV{qw(D_USER D_DBNAME)}]]);
};
step tls_verify => sub {
    die "connected\n" if eval { connect_with(sslrootcert => $ENV{D_WRONG_CA}) };
    die $@ unless $@ =~ /certificate verify failed/;
};
step wrong_password => sub {
    die "connected\n" if eval { connect_with(password => 'wrong') };
    die $@ unless $@ =~ /password authentication failed/;
};
step connections => sub {
    my @many = map { connect_with() } 1 .. 8;
    for my $n (0 .. 7) {
        expect($many[$n]->selectrow_arrayref('SELECT ?::int4', undef, $n), [$n]);
    }
    $_->disconnect for @many;
};
step application_name => sub {
    expect(one('SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()'),
        'driver DBD-Pg');
};

open my $file, '<:encoding(UTF-8)', $ENV{D_TYPES} or die $!;
my @types = map { chomp; [split /\t/] } <$file>;
for my $type (@types) {
    my ($name, $sql, $literal, $check) = @$type;
    step "text_$name" => sub {
        expect(one("SELECT (?::text)::$sql$check", $literal), $literal);
    };
}
for my $type (@types) {
    my ($name, $sql, $literal, $check) = @$type;
    step "native_$name" => sub {
        my $value = one("SELECT (?::text)::$sql", $literal);
        my $statement = $db->prepare("SELECT (?::$sql)$check");
        $statement->bind_param(1, $value, $name eq 'bytea' ? { pg_type => PG_BYTEA } : undef);
        $statement->execute;
        expect($statement->fetchrow_arrayref->[0], $literal);
    };
}

step nulls => sub {
    expect(run("SELECT ?::text IS NULL, NULL::int4, ''", undef), [[1, undef, '']]);
};
step prepared => sub {
    my $plus_one = $db->prepare('SELECT ?::int4 + 1', { pg_prepare_now => 1 });
    my $twice = $db->prepare('SELECT $1::text || $1', { pg_prepare_now => 1 });
    for my $n (0 .. 11) {
        $plus_one->execute($n);
        expect($plus_one->fetchall_arrayref, [[$n + 1]]);
        $twice->execute('a');
        expect($twice->fetchall_arrayref, [['aa']]);
    }
    my $name = $plus_one->{pg_prepare_name};
    expect(one('SELECT count(*) FROM pg_prepared_statements WHERE name = ?', $name), 1)
        if $own_server;
    $db->do("DEALLOCATE $name");
    expect(state_of(sub { $plus_one->execute(1) }), '26000');
};
step cursor => sub {
    my $total = 0;
    $db->begin_work;
    $db->do('DECLARE rows CURSOR FOR SELECT generate_series(1, 1000)');
    while (my @part = @{ run('FETCH 100 FROM rows') }) { $total += $_->[0] for @part }
    $db->commit;
    expect($total, 500500);
};
step copy_in => sub {
    $db->do('COPY numbers FROM STDIN');
    $db->pg_putcopydata("$_\tlabel $_\n") for 0 .. 9999;
    $db->pg_putcopyend;
    expect(run('SELECT count(*), sum(n) FROM numbers'), [[10000, 49995000]]);
    expect(state_of(sub {
        $db->do('COPY numbers FROM STDIN');
        $db->pg_putcopydata("not a number\tx\n");
        $db->pg_putcopyend;
    }), '22P02');
    expect(one('SELECT count(*) FROM numbers'), 10000);
};
step copy_out => sub {
    my ($total, $line) = (0, '');
    $db->do('COPY (SELECT generate_series(1, 10000)) TO STDOUT');
    while ($db->pg_getcopydata(\$line) >= 0) { $total += $line }
    expect($total, 50005000);
};
step cancel => sub {
    my $started = time;
    $db->do('SELECT pg_sleep(20)', { pg_async => PG_ASYNC });
    sleep 0.5;
    expect($db->pg_ready, 0);
    $db->pg_cancel;
    expect($db->state, '57014');
    die "too slow\n" if time - $started > 10;
    expect(one('SELECT 1'), 1);
};
step error_unique => sub {
    expect(state_of(sub { run("INSERT INTO items VALUES (2, 'one')") }), '23505');
    expect([map { $db->pg_error_field($_) } qw(schema table constraint detail)],
        ['public', 'items', 'items_name_key', 'Key (name)=(one) already exists.']);
};
step error_syntax => sub {
    expect(state_of(sub { run('SELECT 1 FRM items') }), '42601');
    expect($db->pg_error_field('statement_position'), 14);
};
step error_in_transaction => sub {
    $db->begin_work;
    run("INSERT INTO items VALUES (3, 'three')");
    expect(state_of(sub { run('SELECT 1 / ?::int4', 0) }), '22012');
    expect(state_of(sub { run('SELECT 1') }), '25P02');
    expect($db->ping, 4);
    $db->rollback;
    expect(one('SELECT count(*) FROM items WHERE id = 3'), 0);
};
step notice => sub {
    my @heard;
    local $SIG{__WARN__} = sub { push @heard, $_[0] };
    run("SELECT say('perl')");
    expect(\@heard, ["NOTICE:  heard perl\n"]);
};
step listen_notify => sub {
    $db->do('LISTEN news');
    my $other = connect_with();
    $other->do("NOTIFY news, 'hello'");
    $other->disconnect;
    my $note;
    for (1 .. 100) { last if $note = $db->pg_notifies; sleep 0.1 }
    expect([@$note[0, 2]], ['news', 'hello']);
    $db->do('UNLISTEN news');
};
step pipeline => sub {
    $db->do('SELECT 1; INSERT INTO numbers VALUES (-1); SELECT 3');
    expect(one('SELECT count(*) FROM numbers WHERE n = -1'), 1);
    expect(state_of(sub { $db->do('INSERT INTO numbers VALUES (-2); SELECT 1 / 0; SELECT 3') }),
        '22012');
    expect(one('SELECT count(*) FROM numbers WHERE n = -2'), 0);
};
step transaction => sub {
    $db->begin_work;
    run("INSERT INTO items VALUES (10, 'ten')");
    $db->rollback;
    $db->begin_work;
    run("INSERT INTO items VALUES (11, 'eleven')");
    $db->commit;
    expect(run('SELECT id FROM items WHERE id IN (10, 11)'), [[11]]);
};
step savepoint => sub {
    $db->begin_work;
    run("INSERT INTO items VALUES (20, 'twenty')");
    $db->pg_savepoint('a');
    expect(state_of(sub { run("INSERT INTO items VALUES (20, 'x')") }), '23505');
    $db->pg_rollback_to('a');
    run("INSERT INTO items VALUES (21, 'twenty-one')");
    $db->pg_release('a');
    $db->commit;
    expect(run('SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1'), [[20], [21]]);
};
step settings => sub {
    $db->do("SET statement_timeout = '54321ms'");
    $db->do("SET DateStyle = 'German'");
    for (1 .. 5) {
        expect(one('SHOW statement_timeout'), '54321ms');
        expect(one("SELECT '2024-02-29'::date::text"), '29.02.2024');
    }
    $db->do('RESET statement_timeout');
    $db->do('RESET DateStyle');
    expect(one('SHOW statement_timeout'), '0');
};
step search_path => sub {
    expect(one('SELECT place FROM marker'), 'public');
    $db->do('SET search_path = other, public');
    expect(one('SELECT place FROM marker'), 'other') for 1 .. 5;
    $db->do('RESET search_path');
    expect(one('SELECT place FROM marker'), 'public');
};
step big_text => sub {
    my $value = 'žluť' x 1_000_000;
    expect(run('SELECT length(?::text), ?::text', $value, $value), [[4_000_000, $value]]);
};
step big_bytea => sub {
    my $value = join('', map { chr } 0 .. 255) x 20480;
    my $statement = $db->prepare('SELECT ?::bytea');
    $statement->bind_param(1, $value, { pg_type => PG_BYTEA });
    $statement->execute;
    expect($statement->fetchrow_arrayref->[0], $value);
};
step many_rows => sub {
    my $found = run(q{SELECT i, 'row ' || i FROM generate_series(1, 100000) i});
    expect([scalar @$found, $found->[99999]], [100000, [100000, 'row 100000']]);
    my $total = 0;
    $total += $_->[0] for @$found;
    expect($total, 5000050000);
};
step variants => sub {
    for my $change (
        { pg_server_prepare => 0 }, { pg_switch_prepared => 1 }, { pg_switch_prepared => -1 },
        { pg_placeholder_dollaronly => 1 }) {
        my $other = connect_with(options => "'-c search_path=other'");
        $other->{$_} = $change->{$_} for keys %$change;
        my $statement = $other->prepare('SELECT $1::int4 + 1, place FROM marker');
        for my $n (0 .. 6) {
            $statement->execute($n);
            expect($statement->fetchall_arrayref, [[$n + 1, 'other']]);
        }
        undef $statement;
        $other->disconnect;
    }
};
$db->disconnect;
