package main

// The common script with Go's lib/pq.

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
)

var (
	ctx     = context.Background()
	notices []string
)

func dsn(changes ...string) string {
	parts := map[string]string{
		"host": os.Getenv("D_HOST"), "port": os.Getenv("D_PORT"), "user": os.Getenv("D_USER"),
		"password": os.Getenv("D_PASSWORD"), "dbname": os.Getenv("D_DBNAME"),
		"sslmode": "verify-full", "sslrootcert": os.Getenv("D_CA"),
		"application_name": "driver lib-pq",
	}
	for i := 0; i < len(changes); i += 2 {
		parts[changes[i]] = changes[i+1]
	}
	var words []string
	for key, value := range parts {
		words = append(words, fmt.Sprintf("%s='%s'", key, value))
	}
	return strings.Join(words, " ")
}

func open(changes ...string) *sql.Conn {
	connector, err := pq.NewConnector(dsn(changes...))
	must(err)
	heard := func(note *pq.Error) { notices = append(notices, note.Message) }
	pool := sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, heard))
	conn, err := pool.Conn(ctx)
	must(err)
	return conn
}

type querier interface {
	QueryContext(context.Context, string, ...interface{}) (*sql.Rows, error)
}

func tryRows(db querier, text string, values ...interface{}) ([][]interface{}, error) {
	rows, err := db.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	must(err)
	var found [][]interface{}
	for rows.Next() {
		row, into := make([]interface{}, len(columns)), make([]interface{}, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		must(rows.Scan(into...))
		for i, value := range row {
			if text, isBytes := value.([]byte); isBytes {
				row[i] = string(text)
			}
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

func rows(text string, values ...interface{}) [][]interface{} {
	found, err := tryRows(db, text, values...)
	must(err)
	return found
}

func one(text string, values ...interface{}) interface{} { return rows(text, values...)[0][0] }

func execute(texts ...string) {
	for _, text := range texts {
		_, err := db.ExecContext(ctx, text)
		must(err)
	}
}

func failure(err error) *pq.Error {
	var told *pq.Error
	if !errors.As(err, &told) {
		panic(fmt.Errorf("no error of the server but %v", err))
	}
	return told
}

func try(text string, values ...interface{}) *pq.Error {
	_, err := tryRows(db, text, values...)
	return failure(err)
}

func refused(why string, changes ...string) {
	pool, err := sql.Open("postgres", dsn(changes...))
	must(err)
	defer pool.Close()
	err = pool.Ping()
	expect(err != nil && strings.Contains(err.Error(), why), true)
}

var db *sql.Conn

func logins() {
	step("connect", func() {
		wanted := [][]string{{os.Getenv("D_USER"), os.Getenv("D_DBNAME")}}
		expect(rows("SELECT current_user, current_database()"), wanted)
	})
	step("tls_verify", func() {
		refused("certificate signed by unknown authority", "sslrootcert", os.Getenv("D_WRONG_CA"))
	})
	step("wrong_password", func() { refused("password authentication failed", "password", "x") })
	step("connections", func() {
		pool, err := sql.Open("postgres", dsn())
		must(err)
		defer pool.Close()
		var many []*sql.Conn
		for n := 0; n < 8; n++ {
			conn, err := pool.Conn(ctx)
			must(err)
			many = append(many, conn)
		}
		for n, conn := range many {
			found, err := tryRows(conn, "SELECT $1::int4", n)
			must(err)
			expect(found, [][]int{{n}})
			must(conn.Close())
		}
	})
	step("application_name", func() {
		text := "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
		expect(one(text), "driver lib-pq")
	})
}

// Values as lib/pq scans them, in text and with binary_parameters.
func native(kind valueType, conn *sql.Conn) {
	var value interface{}
	fetch := fmt.Sprintf("SELECT ($1::text)::%s", kind.sql)
	must(conn.QueryRowContext(ctx, fetch, kind.literal).Scan(&value))
	switch kind.name {
	case "bytea":
	case "time":
		value = value.(time.Time).Format("15:04:05.999999")
	default:
		if text, isBytes := value.([]byte); isBytes {
			value = string(text)
		}
	}
	send := fmt.Sprintf("SELECT ($1::%s)%s", kind.sql, kind.check)
	found, err := tryRows(conn, send, value)
	must(err)
	expect(found[0][0], kind.literal)
}

func values() {
	for _, kind := range types() {
		kind := kind
		step("text_"+kind.name, func() {
			text := fmt.Sprintf("SELECT ($1::text)::%s%s", kind.sql, kind.check)
			expect(one(text, kind.literal), kind.literal)
		})
	}
	binary := open("binary_parameters", "yes")
	for _, kind := range types() {
		kind := kind
		step("native_"+kind.name, func() {
			native(kind, db)
			native(kind, binary)
		})
	}
	must(binary.Close())
	step("nulls", func() {
		found := rows("SELECT $1::text IS NULL, NULL::int4, ''", nil)
		expect(found, [][]interface{}{{true, nil, ""}})
	})
}

// Elsewhere the view shows a connection that others prepare on as well.
func expectPrepared(wanted int) {
	if os.Getenv("D_MODE") == "session" || os.Getenv("D_TARGET") == "direct" {
		expect(one("SELECT count(*) FROM pg_prepared_statements"), wanted)
	}
}

func statements() {
	step("prepared", func() {
		plusOne, err := db.PrepareContext(ctx, "SELECT $1::int4 + 1")
		must(err)
		twice, err := db.PrepareContext(ctx, "SELECT $1::text || $1")
		must(err)
		for n := 0; n < 12; n++ {
			var number int
			var text string
			must(plusOne.QueryRow(n).Scan(&number))
			must(twice.QueryRow("a").Scan(&text))
			expect(number, n+1)
			expect(text, "aa")
		}
		expectPrepared(2)
		must(plusOne.Close())
		expectPrepared(1)
		must(twice.Close())
	})
	step("cursor", func() {
		var total int64
		execute("BEGIN", "DECLARE rows CURSOR FOR SELECT generate_series(1, 1000)")
		for part := rows("FETCH 100 FROM rows"); len(part) > 0; part = rows("FETCH 100 FROM rows") {
			for _, row := range part {
				total += row[0].(int64)
			}
		}
		execute("COMMIT")
		expect(total, 500500)
	})
	step("copy_in", func() {
		copyIn := func(values ...[]interface{}) error {
			tx, err := db.BeginTx(ctx, nil)
			must(err)
			copying, err := tx.Prepare(pq.CopyIn("numbers", "n", "label"))
			must(err)
			for _, row := range values {
				if _, err := copying.Exec(row...); err != nil {
					tx.Rollback()
					return err
				}
			}
			if _, err = copying.Exec(); err != nil {
				tx.Rollback()
				return err
			}
			must(copying.Close())
			return tx.Commit()
		}
		var values [][]interface{}
		for n := 0; n < 10000; n++ {
			values = append(values, []interface{}{n, fmt.Sprint("label ", n)})
		}
		must(copyIn(values...))
		expect(rows("SELECT count(*), sum(n) FROM numbers"), "[[10000 49995000]]")
		expect(failure(copyIn([]interface{}{"not a number", "x"})).Code, "22P02")
		expect(one("SELECT count(*) FROM numbers"), 10000)
	})
	step("cancel", func() {
		started := time.Now()
		short, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		defer stop()
		_, err := db.ExecContext(short, "SELECT pg_sleep(20)")
		expect(failure(err).Code, "57014")
		expect(time.Since(started) < 10*time.Second, true)
		// database/sql gives up a connection whose statement was cancelled.
		db = open()
		expect(one("SELECT 1"), 1)
	})
}

func errorSteps() {
	step("error_unique", func() {
		told := try("INSERT INTO items VALUES ($1, $2)", 2, "one")
		found := []string{string(told.Code), told.Schema, told.Table, told.Constraint}
		expect(found, []string{"23505", "public", "items", "items_name_key"})
		expect(told.Detail, "Key (name)=(one) already exists.")
	})
	step("error_syntax", func() {
		told := try("SELECT 1 FRM items")
		expect(string(told.Code)+" "+told.Position, "42601 14")
	})
	step("error_in_transaction", func() {
		tx, err := db.BeginTx(ctx, nil)
		must(err)
		_, err = tx.Exec("INSERT INTO items VALUES (3, 'three')")
		must(err)
		_, err = tryRows(tx, "SELECT 1 / $1::int4", 0)
		expect(failure(err).Code, "22012")
		_, err = tryRows(tx, "SELECT 1")
		expect(failure(err).Code, "25P02")
		must(tx.Rollback())
		expect(one("SELECT count(*) FROM items WHERE id = 3"), 0)
	})
	step("notice", func() {
		notices = nil
		rows("SELECT say($1)", "go")
		expect(notices, []string{"heard go"})
	})
}

func sessions() {
	step("listen_notify", func() {
		listener := pq.NewListener(dsn(), time.Second, time.Second, nil)
		must(listener.Listen("news"))
		execute("NOTIFY news, 'hello'")
		select {
		case note := <-listener.Notify:
			expect(note.Channel+" "+note.Extra, "news hello")
		case <-time.After(10 * time.Second):
			panic("no notification")
		}
		must(listener.Unlisten("news"))
		must(listener.Close())
	})
	step("pipeline", func() {
		execute("SELECT 1; INSERT INTO numbers VALUES (-1); SELECT 3")
		_, err := db.ExecContext(ctx, "INSERT INTO numbers VALUES (-2); SELECT 1 / 0; SELECT 3")
		expect(failure(err).Code, "22012")
		expect(rows("SELECT n, count(*) FROM numbers WHERE n < 0 GROUP BY 1"), "[[-1 1]]")
	})
	step("transaction", func() {
		tx, err := db.BeginTx(ctx, nil)
		must(err)
		_, err = tx.Exec("INSERT INTO items VALUES (10, 'ten')")
		must(err)
		must(tx.Rollback())
		tx, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		must(err)
		_, err = tx.Exec("INSERT INTO items VALUES (11, 'eleven')")
		must(err)
		must(tx.Commit())
		expect(rows("SELECT id FROM items WHERE id IN (10, 11)"), "[[11]]")
	})
	step("savepoint", func() {
		execute("BEGIN", "INSERT INTO items VALUES (20, 'twenty')", "SAVEPOINT a")
		expect(try("INSERT INTO items VALUES (20, 'x')").Code, "23505")
		execute("ROLLBACK TO SAVEPOINT a", "INSERT INTO items VALUES (21, 'twenty-one')")
		execute("RELEASE SAVEPOINT a", "COMMIT")
		expect(rows("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1"), "[[20] [21]]")
	})
	step("settings", func() {
		execute("SET statement_timeout = '54321ms'", "SET IntervalStyle = 'sql_standard'")
		for n := 0; n < 5; n++ {
			expect(one("SHOW statement_timeout"), "54321ms")
			expect(one("SELECT '1 day 2 hours'::interval::text"), "1 2:00:00")
		}
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
		var found []byte
		must(db.QueryRowContext(ctx, "SELECT $1::bytea", bigBytes()).Scan(&found))
		expect(bytes.Equal(found, bigBytes()), true)
	})
	step("many_rows", func() {
		found := rows("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
		expect(len(found), 100000)
		expect(found[99999], "[100000 row 100000]")
		var total int64
		for _, row := range found {
			total += row[0].(int64)
		}
		expect(total, int64(5000050000))
	})
}

func main() {
	db = open()
	logins()
	values()
	statements()
	errorSteps()
	sessions()
	sizes()
	must(db.Close())
}
