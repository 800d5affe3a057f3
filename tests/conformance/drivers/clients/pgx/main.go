package main

// The common script with pgx v4: named statements, binary values, batches.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
)

var (
	ctx     = context.Background()
	db      *pgx.Conn
	notices []string
)

func connect(changes ...string) (*pgx.Conn, error) {
	parts := map[string]string{
		"host": os.Getenv("D_HOST"), "port": os.Getenv("D_PORT"), "user": os.Getenv("D_USER"),
		"password": os.Getenv("D_PASSWORD"), "dbname": os.Getenv("D_DBNAME"),
		"sslmode": "verify-full", "sslrootcert": os.Getenv("D_CA"),
		"application_name": "driver pgx",
	}
	for i := 0; i < len(changes); i += 2 {
		parts[changes[i]] = changes[i+1]
	}
	var words []string
	for key, value := range parts {
		words = append(words, fmt.Sprintf("%s='%s'", key, value))
	}
	config, err := pgx.ParseConfig(strings.Join(words, " "))
	must(err)
	config.OnNotice = func(_ *pgconn.PgConn, note *pgconn.Notice) {
		notices = append(notices, note.Message)
	}
	return pgx.ConnectConfig(ctx, config)
}

func open(changes ...string) *pgx.Conn {
	conn, err := connect(changes...)
	must(err)
	return conn
}

func tryRows(text string, values ...interface{}) ([][]interface{}, error) {
	rows, err := db.Query(ctx, text, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found [][]interface{}
	for rows.Next() {
		row, err := rows.Values()
		must(err)
		found = append(found, row)
	}
	return found, rows.Err()
}

func rows(text string, values ...interface{}) [][]interface{} {
	found, err := tryRows(text, values...)
	must(err)
	return found
}

func one(text string, values ...interface{}) interface{} { return rows(text, values...)[0][0] }

func execute(texts ...string) {
	for _, text := range texts {
		_, err := db.Exec(ctx, text)
		must(err)
	}
}

func failure(err error) *pgconn.PgError {
	var told *pgconn.PgError
	if !errors.As(err, &told) {
		panic(fmt.Errorf("no error of the server but %v", err))
	}
	return told
}

func try(text string, values ...interface{}) *pgconn.PgError {
	_, err := tryRows(text, values...)
	return failure(err)
}

func logins() {
	step("connect", func() {
		wanted := [][]string{{os.Getenv("D_USER"), os.Getenv("D_DBNAME")}}
		expect(rows("SELECT current_user::text, current_database()::text"), wanted)
	})
	step("tls_verify", func() {
		_, err := connect("sslrootcert", os.Getenv("D_WRONG_CA"))
		expect(err != nil && strings.Contains(err.Error(), "unknown authority"), true)
	})
	step("wrong_password", func() {
		_, err := connect("password", "x")
		expect(failure(err).Code, "28P01")
	})
	step("connections", func() {
		var many []*pgx.Conn
		for n := 0; n < 8; n++ {
			many = append(many, open())
		}
		for n, conn := range many {
			var found int
			must(conn.QueryRow(ctx, "SELECT $1::int4", n).Scan(&found))
			expect(found, n)
			must(conn.Close(ctx))
		}
	})
	step("application_name", func() {
		text := "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
		expect(one(text), "driver pgx")
	})
}

// pgx knows an enum only when it is told of it.
func register(name string) {
	var oid uint32
	must(db.QueryRow(ctx, "SELECT $1::regtype::oid", name).Scan(&oid))
	var labels []string
	must(db.QueryRow(ctx, "SELECT enum_range(NULL::mood)::text[]").Scan(&labels))
	value := pgtype.NewEnumType(name, labels)
	db.ConnInfo().RegisterDataType(pgtype.DataType{Value: value, Name: name, OID: oid})
}

func values() {
	for _, kind := range types() {
		kind := kind
		step("text_"+kind.name, func() {
			text := fmt.Sprintf("SELECT ($1::text)::%s%s", kind.sql, kind.check)
			expect(one(text, kind.literal), kind.literal)
		})
	}
	register("mood")
	for _, kind := range types() {
		kind := kind
		step("native_"+kind.name, func() {
			value := one(fmt.Sprintf("SELECT ($1::text)::%s", kind.sql), kind.literal)
			send := fmt.Sprintf("SELECT ($1::%s)%s", kind.sql, kind.check)
			if number, isTime := value.(int64); isTime && kind.name == "time" {
				value = pgtype.Time{Microseconds: number, Status: pgtype.Present}
			}
			expect(one(send, value), kind.literal)
		})
	}
	step("nulls", func() {
		found := rows("SELECT $1::text IS NULL, NULL::int4, ''", nil)
		expect(found, [][]interface{}{{true, nil, ""}})
	})
}

func copySteps() {
	step("copy_in", func() {
		copyIn := func(values [][]interface{}) (int64, error) {
			columns := []string{"n", "label"}
			return db.CopyFrom(ctx, pgx.Identifier{"numbers"}, columns, pgx.CopyFromRows(values))
		}
		var values [][]interface{}
		for n := 0; n < 10000; n++ {
			values = append(values, []interface{}{n, fmt.Sprint("label ", n)})
		}
		copied, err := copyIn(values)
		must(err)
		expect(copied, 10000)
		expect(one("SELECT sum(n)::int8 FROM numbers"), 49995000)
		bad := strings.NewReader("not a number\tx\n")
		_, err = db.PgConn().CopyFrom(ctx, bad, "COPY numbers FROM STDIN")
		expect(failure(err).Code, "22P02")
		expect(one("SELECT count(*) FROM numbers"), 10000)
	})
	step("copy_out", func() {
		var target bytes.Buffer
		text := "COPY (SELECT generate_series(1, 10000)) TO STDOUT"
		_, err := db.PgConn().CopyTo(ctx, &target, text)
		must(err)
		var total, number int
		for _, line := range strings.Fields(target.String()) {
			fmt.Sscan(line, &number)
			total += number
		}
		expect(total, 50005000)
	})
}

func statements() {
	step("prepared", func() {
		_, err := db.Prepare(ctx, "plus_one", "SELECT $1::int4 + 1")
		must(err)
		_, err = db.Prepare(ctx, "twice", "SELECT $1::text || $1")
		must(err)
		for n := 0; n < 12; n++ {
			expect(one("plus_one", n), n+1)
			expect(one("twice", "a"), "aa")
		}
		must(db.Deallocate(ctx, "plus_one"))
		_, err = db.PgConn().ExecPrepared(ctx, "plus_one", nil, nil, nil).Close()
		expect(failure(err).Code, "26000")
		must(db.Deallocate(ctx, "twice"))
	})
	step("cursor", func() {
		total := 0
		tx, err := db.Begin(ctx)
		must(err)
		execute("DECLARE rows CURSOR FOR SELECT generate_series(1, 1000)")
		for part := rows("FETCH 100 FROM rows"); len(part) > 0; part = rows("FETCH 100 FROM rows") {
			for _, row := range part {
				total += int(row[0].(int32))
			}
		}
		must(tx.Commit(ctx))
		expect(total, 500500)
	})
	copySteps()
	step("cancel", func() {
		started := time.Now()
		timer := time.AfterFunc(500*time.Millisecond, func() { db.PgConn().CancelRequest(ctx) })
		defer timer.Stop()
		expect(try("SELECT pg_sleep(20)").Code, "57014")
		expect(time.Since(started) < 10*time.Second, true)
		expect(one("SELECT 1"), 1)
	})
}

func errorSteps() {
	step("error_unique", func() {
		told := try("INSERT INTO items VALUES ($1, $2)", 2, "one")
		found := []string{told.Code, told.SchemaName, told.TableName, told.ConstraintName}
		expect(found, []string{"23505", "public", "items", "items_name_key"})
		expect(told.Detail, "Key (name)=(one) already exists.")
	})
	step("error_syntax", func() {
		told := try("SELECT 1 FRM items")
		expect(fmt.Sprint(told.Code, " ", told.Position), "42601 14")
	})
	step("error_in_transaction", func() {
		tx, err := db.Begin(ctx)
		must(err)
		execute("INSERT INTO items VALUES (3, 'three')")
		expect(try("SELECT 1 / $1::int4", 0).Code, "22012")
		expect(string(db.PgConn().TxStatus()), "E")
		expect(try("SELECT 1").Code, "25P02")
		must(tx.Rollback(ctx))
		expect(string(db.PgConn().TxStatus()), "I")
		expect(one("SELECT count(*) FROM items WHERE id = 3"), 0)
	})
	step("notice", func() {
		notices = nil
		rows("SELECT say($1)", "pgx")
		expect(notices, []string{"heard pgx"})
	})
}

func sessions() {
	step("listen_notify", func() {
		execute("LISTEN news")
		other := open()
		_, err := other.Exec(ctx, "SELECT pg_notify($1, $2)", "news", "hello")
		must(err)
		must(other.Close(ctx))
		short, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		note, err := db.WaitForNotification(short)
		must(err)
		expect(note.Channel+" "+note.Payload, "news hello")
		execute("UNLISTEN news")
	})
	step("pipeline", func() {
		batch := &pgx.Batch{}
		for n := 0; n < 200; n++ {
			batch.Queue("SELECT $1::int4", n)
		}
		batch.Queue("INSERT INTO numbers VALUES (-1)")
		results := db.SendBatch(ctx, batch)
		for n := 0; n < 200; n++ {
			var found int
			must(results.QueryRow().Scan(&found))
			expect(found, n)
		}
		must(results.Close())
		bad := &pgx.Batch{}
		bad.Queue("INSERT INTO numbers VALUES (-2)")
		bad.Queue("SELECT 1 / $1::int4", 0)
		bad.Queue("SELECT 3")
		expect(failure(db.SendBatch(ctx, bad).Close()).Code, "22012")
		expect(rows("SELECT n, count(*) FROM numbers WHERE n < 0 GROUP BY 1"), "[[-1 1]]")
	})
	step("transaction", func() {
		tx, err := db.Begin(ctx)
		must(err)
		execute("INSERT INTO items VALUES (10, 'ten')")
		must(tx.Rollback(ctx))
		tx, err = db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
		must(err)
		execute("INSERT INTO items VALUES (11, 'eleven')")
		must(tx.Commit(ctx))
		expect(rows("SELECT id FROM items WHERE id IN (10, 11)"), "[[11]]")
	})
	step("savepoint", func() {
		tx, err := db.Begin(ctx)
		must(err)
		execute("INSERT INTO items VALUES (20, 'twenty')")
		inner, err := tx.Begin(ctx)
		must(err)
		expect(try("INSERT INTO items VALUES (20, 'x')").Code, "23505")
		must(inner.Rollback(ctx))
		execute("INSERT INTO items VALUES (21, 'twenty-one')")
		must(tx.Commit(ctx))
		expect(rows("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1"), "[[20] [21]]")
	})
	step("settings", func() {
		execute("SET statement_timeout = '54321ms'", "SET IntervalStyle = 'sql_standard'")
		for n := 0; n < 5; n++ {
			expect(one("SHOW statement_timeout"), "54321ms")
			expect(one("SELECT '1 day 2 hours'::interval::text"), "1 2:00:00")
		}
		expect(db.PgConn().ParameterStatus("IntervalStyle"), "sql_standard")
		execute("RESET statement_timeout", "RESET IntervalStyle")
		expect(one("SHOW statement_timeout"), "0")
	})
	step("search_path", func() {
		expect(one("SELECT place FROM marker"), "public")
		execute("SET search_path = other, public")
		for n := 0; n < 5; n++ {
			expect(one("SELECT place FROM marker"), "other")
		}
		execute("RESET search_path")
		expect(one("SELECT place FROM marker"), "public")
	})
}

func sizes() {
	step("big_text", func() {
		value := strings.Repeat("žluť", 1000000)
		found := rows("SELECT length($1::text), $1::text", value)[0]
		expect(found[0], 4000000)
		expect(found[1] == value, true)
	})
	step("big_bytea", func() {
		found := one("SELECT $1::bytea", bigBytes()).([]byte)
		expect(bytes.Equal(found, bigBytes()), true)
	})
	step("many_rows", func() {
		found := rows("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
		expect(len(found), 100000)
		expect(found[99999], "[100000 row 100000]")
		var total int64
		for _, row := range found {
			total += int64(row[0].(int32))
		}
		expect(total, int64(5000050000))
	})
}

// Each of pgx's ways to send a text.
func variants() {
	for _, mode := range []string{"prepare", "describe", "simple"} {
		config := db.Config().Copy()
		config.RuntimeParams["search_path"] = "other"
		config.PreferSimpleProtocol = mode == "simple"
		if mode != "simple" {
			described, err := pgx.ParseConfig("statement_cache_mode=" + mode)
			must(err)
			config.BuildStatementCache = described.BuildStatementCache
		}
		conn, err := pgx.ConnectConfig(ctx, config)
		must(err)
		for n := 0; n < 7; n++ {
			var sum int
			var place string
			row := conn.QueryRow(ctx, "SELECT $1::int4 + 1, place FROM marker", n)
			must(row.Scan(&sum, &place))
			expect(fmt.Sprint(sum, " ", place), fmt.Sprint(n+1, " other"))
		}
		must(conn.Close(ctx))
	}
}

func main() {
	db = open()
	logins()
	values()
	statements()
	errorSteps()
	sessions()
	sizes()
	step("variants", variants)
	must(db.Close(ctx))
}
