# The common script with ruby-pg.
require "pg"
require "json"
require "bigdecimal"

SETTINGS = {
  host: ENV["D_HOST"], port: ENV["D_PORT"].to_i, user: ENV["D_USER"],
  password: ENV["D_PASSWORD"], dbname: ENV["D_DBNAME"], sslmode: "verify-full",
  sslrootcert: ENV["D_CA"], application_name: "driver ruby-pg"
}.freeze
$stdout.sync = true

def connect(**changes)
  PG.connect(**SETTINGS, **changes)
end

def step(name)
  yield
  puts "ok #{name}"
rescue StandardError => e
  puts "FAIL #{name} #{e.class}: #{e.message.gsub("\n", " | ")}"
end

def expect(actual, wanted)
  raise "#{actual.inspect[0, 200]} instead of #{wanted.inspect[0, 200]}" unless actual == wanted
end

# The result whose fields describe the error that the block must raise.
def error_of
  yield
rescue PG::Error => e
  e.result
else
  raise "no error"
end

def state_of(&block)
  error_of(&block).error_field(PG::PG_DIAG_SQLSTATE)
end

DB = connect
def run(sql, *values, format: 0)
  (values.empty? ? DB.exec(sql) : DB.exec_params(sql, values, format)).values
end

def one(...)
  run(...)[0][0]
end

step("connect") do
  expect(run("SELECT current_user, current_database()"), [[ENV["D_USER"], ENV["D_DBNAME"]]])
end
step("tls_verify") do
  connect(sslrootcert: ENV["D_WRONG_CA"])
  raise "connected"
rescue PG::ConnectionBad => e
  raise unless e.message.include?("certificate verify failed")
end
step("wrong_password") do
  connect(password: "wrong")
  raise "connected"
rescue PG::ConnectionBad => e
  raise unless e.message.include?("password authentication failed")
end
step("connections") do
  many = Array.new(8) { connect }
  many.each_with_index { |c, n| expect(c.exec_params("SELECT $1", [n]).getvalue(0, 0), n.to_s) }
  many.each(&:close)
end
step("application_name") do
  sql = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
  expect(one(sql), "driver ruby-pg")
end

types = File.readlines(ENV["D_TYPES"], encoding: "UTF-8").map { |line| line.chomp.split("\t") }
types.each do |name, sql, literal, check|
  step("text_#{name}") do
    expect(one("SELECT ($1::text)::#{sql}#{check}", literal), literal)
  end
end
types.each do |name, sql, literal, check|
  step("native_#{name}") do
    results = PG::BasicTypeMapForResults.new(DB)
    queries = PG::BasicTypeMapForQueries.new(DB)
    [0, 1].each do |format|
      # Without a decoder for the binary form of a type, the text form it is.
      next if format == 1 && %w[date numeric interval time json jsonb uuid int4_array text_array
                                enum].include?(name)

      result = DB.exec_params("SELECT ($1::text)::#{sql}", [literal], format)
      value = result.map_types!(results).getvalue(0, 0)
      value = value.to_json if value.is_a?(Hash)
      value = { value: value, format: 1 } if name == "bytea"
      queries = PG::TypeMapAllStrings.new if %w[bytea timestamp].include?(name)
      value = value.strftime("%F %T.%N") if name == "timestamp"
      sent = DB.exec_params("SELECT ($1::#{sql})#{check}", [value], 0, queries)
      expect(sent.getvalue(0, 0), literal)
    end
  end
end

step("nulls") do
  expect(run("SELECT $1::text IS NULL, NULL::int4, ''", nil), [["t", nil, ""]])
end
step("prepared") do
  DB.prepare("plus_one", "SELECT $1::int4 + 1")
  DB.prepare("twice", "SELECT $1::text || $1")
  12.times do |n|
    expect(DB.exec_prepared("plus_one", [n]).getvalue(0, 0), (n + 1).to_s)
    expect(DB.exec_prepared("twice", ["a"]).getvalue(0, 0), "aa")
  end
  described = DB.describe_prepared("plus_one")
  expect([described.nparams, described.paramtype(0), described.ftype(0)], [1, 23, 23])
  expect(state_of { DB.prepare("twice", "SELECT 1") }, "42P05")
  run("DEALLOCATE plus_one")
  expect(state_of { DB.exec_prepared("plus_one", [1]) }, "26000")
  run("DEALLOCATE ALL")
end
step("cursor") do
  total = 0
  DB.transaction do
    run("DECLARE rows CURSOR FOR SELECT generate_series(1, 1000)")
    until (part = run("FETCH 100 FROM rows")).empty?
      total += part.sum { |row| row[0].to_i }
    end
    expect(DB.describe_portal("rows").nfields, 1)
    run("CLOSE rows")
  end
  DB.send_query("SELECT generate_series(1, 1000)")
  DB.set_single_row_mode
  DB.get_result.stream_each_row { |row| total += row[0].to_i }
  expect(total, 1_001_000)
  DB.get_result
end
step("copy_in") do
  DB.copy_data("COPY numbers FROM STDIN") do
    10_000.times { |n| DB.put_copy_data("#{n}\tlabel #{n}\n") }
  end
  expect(run("SELECT count(*), sum(n) FROM numbers"), [%w[10000 49995000]])
  state = state_of do
    DB.copy_data("COPY numbers FROM STDIN") { DB.put_copy_data("not a number\tx\n") }
  end
  expect(state, "22P02")
  expect(one("SELECT count(*) FROM numbers"), "10000")
end
step("copy_out") do
  total = 0
  DB.copy_data("COPY (SELECT generate_series(1, 10000)) TO STDOUT") do
    while (line = DB.get_copy_data)
      total += line.to_i
    end
  end
  expect(total, 50_005_000)
end
step("cancel") do
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  canceller = Thread.new do
    sleep 0.5
    DB.cancel
  end
  expect(state_of { run("SELECT pg_sleep(20)") }, "57014")
  canceller.join
  expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started < 10, true)
  expect(one("SELECT 1"), "1")
end
step("error_unique") do
  result = error_of { run("INSERT INTO items VALUES (2, 'one')") }
  fields = [PG::PG_DIAG_SQLSTATE, PG::PG_DIAG_SCHEMA_NAME, PG::PG_DIAG_TABLE_NAME,
            PG::PG_DIAG_CONSTRAINT_NAME, PG::PG_DIAG_MESSAGE_DETAIL]
  expect(fields.map { |field| result.error_field(field) },
         ["23505", "public", "items", "items_name_key", "Key (name)=(one) already exists."])
end
step("error_syntax") do
  result = error_of { run("SELECT 1 FRM items") }
  expect(result.error_field(PG::PG_DIAG_SQLSTATE), "42601")
  expect(result.error_field(PG::PG_DIAG_STATEMENT_POSITION), "14")
end
step("error_in_transaction") do
  run("BEGIN")
  run("INSERT INTO items VALUES (3, 'three')")
  expect(state_of { run("SELECT 1 / $1::int4", 0) }, "22012")
  expect(DB.transaction_status, PG::PQTRANS_INERROR)
  expect(state_of { run("SELECT 1") }, "25P02")
  run("ROLLBACK")
  expect(DB.transaction_status, PG::PQTRANS_IDLE)
  expect(one("SELECT count(*) FROM items WHERE id = 3"), "0")
end
step("notice") do
  heard = []
  DB.set_notice_receiver { |result| heard << result.error_field(PG::PG_DIAG_MESSAGE_PRIMARY) }
  run("SELECT say($1)", "ruby")
  expect(heard, ["heard ruby"])
end
step("listen_notify") do
  run("LISTEN news")
  other = connect
  other.exec("NOTIFY news, 'hello'")
  other.close
  heard = nil
  DB.wait_for_notify(10) { |channel, _pid, payload| heard = [channel, payload] }
  expect(heard, %w[news hello])
  run("UNLISTEN news")
end

# The results of a pipeline up to its sync: values, SQLSTATE or :skipped.
def pipeline_results
  found = []
  loop do
    result = DB.get_result or next
    case result.result_status
    when PG::PGRES_PIPELINE_SYNC then return found
    when PG::PGRES_PIPELINE_ABORTED then found << :skipped
    when PG::PGRES_FATAL_ERROR then found << result.error_field(PG::PG_DIAG_SQLSTATE)
    else found << result.values
    end
  rescue PG::PipelineAborted
    found << :skipped
  rescue PG::Error => e
    found << e.result.error_field(PG::PG_DIAG_SQLSTATE)
  end
end

step("pipeline") do
  DB.enter_pipeline_mode
  100.times { |n| DB.send_query_params("SELECT $1::int4", [n]) }
  DB.send_query_params("INSERT INTO numbers VALUES (-1)", [])
  DB.pipeline_sync
  found = pipeline_results
  expect(found.take(100), Array.new(100) { |n| [[n.to_s]] })
  DB.send_query_params("INSERT INTO numbers VALUES (-2)", [])
  DB.send_query_params("SELECT 1 / $1::int4", [0])
  DB.send_query_params("SELECT 3", [])
  DB.pipeline_sync
  expect(pipeline_results, [[], "22012", :skipped])
  DB.exit_pipeline_mode
  expect(run("SELECT n, count(*) FROM numbers WHERE n < 0 GROUP BY 1"), [%w[-1 1]])
ensure
  DB.exit_pipeline_mode if DB.pipeline_status != PG::PQ_PIPELINE_OFF
end
step("transaction") do
  state = state_of do
    DB.transaction do
      run("INSERT INTO items VALUES (10, 'ten')")
      run("SELECT 1 / 0")
    end
  end
  expect(state, "22012")
  DB.transaction { run("INSERT INTO items VALUES (11, 'eleven')") }
  expect(run("SELECT id FROM items WHERE id IN (10, 11)"), [["11"]])
end
step("savepoint") do
  DB.transaction do
    run("INSERT INTO items VALUES (20, 'twenty')")
    run("SAVEPOINT a")
    expect(state_of { run("INSERT INTO items VALUES (20, 'x')") }, "23505")
    run("ROLLBACK TO SAVEPOINT a")
    run("INSERT INTO items VALUES (21, 'twenty-one')")
    run("RELEASE SAVEPOINT a")
  end
  expect(run("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1"), [["20"], ["21"]])
end
step("settings") do
  run("SET statement_timeout = '54321ms'")
  run("SET DateStyle = 'German'")
  5.times do
    expect(one("SHOW statement_timeout"), "54321ms")
    expect(one("SELECT $1::date::text", "2024-02-29"), "29.02.2024")
  end
  expect(DB.parameter_status("DateStyle").split(",")[0], "German")
  run("RESET statement_timeout")
  run("RESET DateStyle")
  expect(one("SHOW statement_timeout"), "0")
end
step("search_path") do
  expect(one("SELECT place FROM marker"), "public")
  run("SET search_path = other, public")
  5.times { expect(one("SELECT place FROM marker"), "other") }
  run("RESET search_path")
  expect(one("SELECT place FROM marker"), "public")
end
step("big_text") do
  value = "žluť" * 1_000_000
  expect(run("SELECT length($1::text), $1::text", value), [["4000000", value]])
end
step("big_bytea") do
  value = (0..255).to_a.pack("C*") * 20_480
  found = DB.exec_params("SELECT $1::bytea", [{ value: value, format: 1 }], 1).getvalue(0, 0)
  expect(found, value)
end
step("many_rows") do
  found = run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i")
  expect([found.size, found[99_999]], [100_000, ["100000", "row 100000"]])
  expect(found.sum { |row| row[0].to_i }, 5_000_050_000)
end
DB.close
