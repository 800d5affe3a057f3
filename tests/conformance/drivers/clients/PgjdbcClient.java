// The common script with pgjdbc.
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public final class PgjdbcClient {
  interface Action {
    void run() throws Exception;
  }

  private static final String USER = System.getenv("D_USER");
  private static final String DATABASE = System.getenv("D_DBNAME");
  private static Connection db;

  private PgjdbcClient() {}

  // --- tools -------------------------------------------------------------------------------------

  static Connection connect(String... changes) throws SQLException {
    Properties settings = new Properties();
    settings.setProperty("user", USER);
    settings.setProperty("password", System.getenv("D_PASSWORD"));
    settings.setProperty("sslmode", "verify-full");
    settings.setProperty("sslrootcert", System.getenv("D_CA"));
    settings.setProperty("ApplicationName", "driver pgjdbc");
    for (int i = 0; i < changes.length; i += 2) {
      settings.setProperty(changes[i], changes[i + 1]);
    }
    String place = System.getenv("D_HOST") + ":" + System.getenv("D_PORT");
    return DriverManager.getConnection("jdbc:postgresql://" + place + "/" + DATABASE, settings);
  }

  static void step(String name, Action action) {
    try {
      action.run();
      System.out.println("ok " + name);
    } catch (Exception | AssertionError error) {
      System.out.println("FAIL " + name + " " + String.valueOf(error).replace("\n", " | "));
    }
  }

  static String shorten(Object value) {
    String text = String.valueOf(value);
    return text.length() > 200 ? text.substring(0, 200) : text;
  }

  static void expect(Object actual, Object wanted) {
    if (!String.valueOf(actual).equals(String.valueOf(wanted))) {
      throw new AssertionError(shorten(actual) + " instead of " + shorten(wanted));
    }
  }

  static PSQLException failure(Action action) throws Exception {
    try {
      action.run();
    } catch (BatchUpdateException error) {
      return (PSQLException) error.getNextException();
    } catch (PSQLException error) {
      return error;
    }
    throw new AssertionError("no error");
  }

  static String state(Action action) throws Exception {
    return failure(action).getSQLState();
  }

  static void execute(String... texts) throws SQLException {
    try (Statement statement = db.createStatement()) {
      for (String text : texts) {
        statement.execute(text);
      }
    }
  }

  static List<List<Object>> rows(String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = db.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        statement.setObject(i + 1, values[i]);
      }
      try (ResultSet result = statement.executeQuery()) {
        return read(result);
      }
    }
  }

  static List<List<Object>> read(ResultSet result) throws SQLException {
    List<List<Object>> found = new ArrayList<>();
    int columns = result.getMetaData().getColumnCount();
    while (result.next()) {
      List<Object> row = new ArrayList<>();
      for (int i = 1; i <= columns; i++) {
        row.add(result.getObject(i));
      }
      found.add(row);
    }
    return found;
  }

  static Object one(String sql, Object... values) throws SQLException {
    return rows(sql, values).get(0).get(0);
  }

  // --- steps -------------------------------------------------------------------------------------

  static void connecting() throws Exception {
    expect(rows("SELECT current_user, current_database()"), "[[" + USER + ", " + DATABASE + "]]");
  }

  static void tlsVerify() throws Exception {
    Throwable error = failure(() -> connect("sslrootcert", System.getenv("D_WRONG_CA")));
    while (error.getCause() != null) {
      error = error.getCause();
    }
    expect(error instanceof java.security.GeneralSecurityException, true);
  }

  static void connections() throws Exception {
    List<Connection> many = new ArrayList<>();
    for (int n = 0; n < 8; n++) {
      many.add(connect());
    }
    for (Connection each : many) {
      try (ResultSet result = each.createStatement().executeQuery("SELECT 1")) {
        expect(read(result), "[[1]]");
      }
      each.close();
    }
  }

  static void applicationName() throws Exception {
    String sql = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    expect(one(sql), "driver pgjdbc");
    db.setClientInfo("ApplicationName", "renamed");
    expect(one(sql), "renamed");
  }

  static void text(String[] type) throws Exception {
    String sql = "SELECT (?::text)::" + type[1] + type[3];
    expect(one(sql, type[2]), type[2]);
  }

  // Seven times: from the fifth on pgjdbc uses a named statement and binary values.
  static void natively(String[] type) throws Exception {
    String fetch = "SELECT (?::text)::" + type[1];
    String send = "SELECT (?::" + type[1] + ")" + type[3];
    try (PreparedStatement fetching = db.prepareStatement(fetch);
        PreparedStatement sending = db.prepareStatement(send)) {
      for (int n = 0; n < 7; n++) {
        fetching.setString(1, type[2]);
        ResultSet fetched = fetching.executeQuery();
        fetched.next();
        Object value = type[0].equals("enum") ? fetched.getString(1) : fetched.getObject(1);
        value = type[0].equals("time") ? fetched.getObject(1, java.time.LocalTime.class) : value;
        sending.setObject(1, value, type[0].equals("enum") ? java.sql.Types.OTHER : kind(value));
        ResultSet sent = sending.executeQuery();
        sent.next();
        expect(sent.getString(1), type[2]);
      }
    }
  }

  static int kind(Object value) {
    if (value instanceof java.sql.Array) {
      return java.sql.Types.ARRAY;
    }
    if (value instanceof java.math.BigDecimal) {
      return java.sql.Types.NUMERIC;
    }
    if (value instanceof byte[]) {
      return java.sql.Types.BINARY;
    }
    if (value instanceof java.sql.Timestamp) {
      return java.sql.Types.TIMESTAMP;
    }
    if (value instanceof java.sql.Date) {
      return java.sql.Types.DATE;
    }
    if (value instanceof java.time.LocalTime) {
      return java.sql.Types.TIME;
    }
    if (value instanceof String) {
      return java.sql.Types.VARCHAR;
    }
    if (value instanceof Boolean) {
      return java.sql.Types.BOOLEAN;
    }
    return value instanceof Number ? number(value) : java.sql.Types.OTHER;
  }

  static int number(Object value) {
    if (value instanceof Long) {
      return java.sql.Types.BIGINT;
    }
    if (value instanceof Float) {
      return java.sql.Types.REAL;
    }
    return value instanceof Double ? java.sql.Types.DOUBLE : java.sql.Types.INTEGER;
  }

  static void nulls() throws Exception {
    expect(rows("SELECT ?::text IS NULL, NULL::int4, ''", (Object) null), "[[true, null, ]]");
  }

  static void prepared() throws Exception {
    try (PreparedStatement plusOne = db.prepareStatement("SELECT ?::int4 + 1");
        PreparedStatement twice = db.prepareStatement("SELECT ?::text || 'a'")) {
      for (int n = 0; n < 12; n++) {
        plusOne.setInt(1, n);
        expect(read(plusOne.executeQuery()), "[[" + (n + 1) + "]]");
        twice.setString(1, "a");
        expect(read(twice.executeQuery()), "[[aa]]");
      }
      expect(plusOne.unwrap(org.postgresql.PGStatement.class).isUseServerPrepare(), true);
    }
    String sql = "SELECT count(*) >= 2 FROM pg_prepared_statements WHERE statement LIKE '%int4 + 1'"
        + " OR statement LIKE '%|| ''a'''";
    // Elsewhere the view shows a connection that others prepare on as well.
    if (System.getenv("D_MODE").equals("session") || System.getenv("D_TARGET").equals("direct")) {
      expect(one(sql), true);
    }
  }

  static void cursor() throws Exception {
    db.setAutoCommit(false);
    long total = 0;
    try (PreparedStatement statement =
        db.prepareStatement("SELECT generate_series(1, ?::int4)")) {
      statement.setFetchSize(100);
      statement.setInt(1, 1000);
      ResultSet result = statement.executeQuery();
      while (result.next()) {
        total += result.getInt(1);
        if (result.getRow() == 150) {
          expect(one("SELECT 7"), 7);
        }
      }
    }
    db.commit();
    db.setAutoCommit(true);
    expect(total, 500500);
  }

  static void copyIn() throws Exception {
    CopyManager copies = db.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder lines = new StringBuilder();
    for (int n = 0; n < 10000; n++) {
      lines.append(n).append("\tlabel ").append(n).append('\n');
    }
    String sql = "COPY numbers FROM STDIN";
    expect(copies.copyIn(sql, new StringReader(lines.toString())), 10000);
    expect(rows("SELECT count(*), sum(n) FROM numbers"), "[[10000, 49995000]]");
    expect(state(() -> copies.copyIn(sql, new StringReader("not a number\tx\n"))), "22P02");
    expect(one("SELECT count(*) FROM numbers"), 10000);
  }

  static void copyOut() throws Exception {
    StringWriter target = new StringWriter();
    String sql = "COPY (SELECT generate_series(1, 10000)) TO STDOUT";
    expect(db.unwrap(PGConnection.class).getCopyAPI().copyOut(sql, target), 10000);
    expect(target.toString().lines().mapToLong(Long::parseLong).sum(), 50005000);
  }

  static void cancel() throws Exception {
    long started = System.nanoTime();
    try (Statement statement = db.createStatement()) {
      Thread canceller = new Thread(() -> {
        try {
          Thread.sleep(500);
          statement.cancel();
        } catch (InterruptedException | SQLException error) {
          System.out.println("cancel: " + error);
        }
      });
      canceller.start();
      expect(state(() -> statement.execute("SELECT pg_sleep(20)")), "57014");
      canceller.join();
      expect(System.nanoTime() - started < 10_000_000_000L, true);
      statement.setQueryTimeout(1);
      expect(state(() -> statement.execute("SELECT pg_sleep(20)")), "57014");
    }
    expect(one("SELECT 1"), 1);
  }

  static void errorUnique() throws Exception {
    PSQLException error = failure(() -> execute("INSERT INTO items VALUES (2, 'one')"));
    ServerErrorMessage told = error.getServerErrorMessage();
    expect(error.getSQLState(), "23505");
    expect(List.of(told.getSchema(), told.getTable(), told.getConstraint(), told.getDetail()),
        "[public, items, items_name_key, Key (name)=(one) already exists.]");
  }

  static void errorSyntax() throws Exception {
    PSQLException error = failure(() -> execute("SELECT 1 FRM items"));
    expect(error.getSQLState(), "42601");
    expect(error.getServerErrorMessage().getPosition(), 14);
  }

  static void errorInTransaction() throws Exception {
    db.setAutoCommit(false);
    execute("INSERT INTO items VALUES (3, 'three')");
    expect(state(() -> one("SELECT 1 / ?::int4", 0)), "22012");
    expect(state(() -> one("SELECT 1")), "25P02");
    db.rollback();
    db.setAutoCommit(true);
    expect(one("SELECT count(*) FROM items WHERE id = 3"), 0);
  }

  static void notice() throws Exception {
    try (Statement statement = db.createStatement()) {
      statement.execute("SELECT say('java')");
      expect(statement.getWarnings().getMessage(), "heard java");
    }
  }

  static void listenNotify() throws Exception {
    execute("LISTEN news");
    try (Connection other = connect()) {
      other.createStatement().execute("NOTIFY news, 'hello'");
    }
    PGNotification[] notes = db.unwrap(PGConnection.class).getNotifications(10000);
    expect(notes.length, 1);
    expect(notes[0].getName() + " " + notes[0].getParameter(), "news hello");
    execute("UNLISTEN news");
  }

  static void pipeline() throws Exception {
    db.setAutoCommit(false);
    try (PreparedStatement batch = db.prepareStatement("INSERT INTO numbers VALUES (-1 / ?)")) {
      for (int n = 0; n < 500; n++) {
        batch.setInt(1, 1);
        batch.addBatch();
      }
      expect(Arrays.stream(batch.executeBatch()).sum(), 500);
      db.commit();
      for (int value : new int[] {1, 0, 1}) {
        batch.setInt(1, value);
        batch.addBatch();
      }
      expect(state(batch::executeBatch), "22012");
      db.rollback();
    }
    db.setAutoCommit(true);
    expect(rows("SELECT n, count(*) FROM numbers WHERE n < 0 GROUP BY 1"), "[[-1, 500]]");
    execute("SELECT 1; SELECT 2; SELECT 3");
  }

  static void transaction() throws Exception {
    db.setAutoCommit(false);
    execute("INSERT INTO items VALUES (10, 'ten')");
    db.rollback();
    db.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    execute("INSERT INTO items VALUES (11, 'eleven')");
    db.commit();
    db.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    db.setAutoCommit(true);
    expect(rows("SELECT id FROM items WHERE id IN (10, 11)"), "[[11]]");
  }

  static void savepoint() throws Exception {
    db.setAutoCommit(false);
    execute("INSERT INTO items VALUES (20, 'twenty')");
    Savepoint a = db.setSavepoint("a");
    expect(state(() -> execute("INSERT INTO items VALUES (20, 'x')")), "23505");
    db.rollback(a);
    execute("INSERT INTO items VALUES (21, 'twenty-one')");
    db.releaseSavepoint(a);
    db.commit();
    db.setAutoCommit(true);
    expect(rows("SELECT id FROM items WHERE id IN (20, 21) ORDER BY 1"), "[[20], [21]]");
  }

  // pgjdbc insists on DateStyle ISO.
  static void settings() throws Exception {
    execute("SET statement_timeout = '54321ms'", "SET IntervalStyle = 'sql_standard'");
    for (int n = 0; n < 5; n++) {
      expect(one("SHOW statement_timeout"), "54321ms");
      expect(one("SELECT '1 day 2 hours'::interval::text"), "1 2:00:00");
    }
    expect(db.unwrap(PGConnection.class).getParameterStatus("IntervalStyle"), "sql_standard");
    execute("RESET statement_timeout", "RESET IntervalStyle");
    expect(one("SHOW statement_timeout"), "0");
  }

  static void searchPath() throws Exception {
    expect(one("SELECT place FROM marker"), "public");
    db.setSchema("other");
    for (int n = 0; n < 7; n++) {
      expect(one("SELECT place FROM marker"), "other");
    }
    execute("RESET search_path");
    expect(one("SELECT place FROM marker"), "public");
  }

  static void bigText() throws Exception {
    String value = "žluť".repeat(1_000_000);
    List<Object> row = rows("SELECT length(?::text), ?::text", value, value).get(0);
    expect(row.get(0), 4_000_000);
    expect(value.equals(row.get(1)), true);
  }

  static void bigBytea() throws Exception {
    byte[] value = new byte[5 << 20];
    for (int i = 0; i < value.length; i++) {
      value[i] = (byte) i;
    }
    expect(Arrays.equals((byte[]) one("SELECT ?::bytea", (Object) value), value), true);
  }

  static void manyRows() throws Exception {
    List<List<Object>> found = rows("SELECT i, 'row ' || i FROM generate_series(1, 100000) i");
    expect(found.size(), 100000);
    expect(found.get(99999), "[100000, row 100000]");
    expect(found.stream().mapToLong(row -> (Integer) row.get(0)).sum(), 5000050000L);
  }

  static void variant(String wanted, String... changes) throws Exception {
    try (Connection other = connect(changes)) {
      for (int n = 0; n < 7; n++) {
        String sql = "SELECT ?::int4 + 1, place FROM marker";
        try (PreparedStatement statement = other.prepareStatement(sql)) {
          statement.setInt(1, n);
          expect(read(statement.executeQuery()), "[[" + (n + 1) + ", " + wanted + "]]");
        }
      }
      try (PreparedStatement batch = other.prepareStatement("INSERT INTO numbers VALUES (?, ?)")) {
        for (int n = 0; n < 20; n++) {
          batch.setInt(1, 1000000 + n);
          batch.setString(2, "batched");
          batch.addBatch();
        }
        expect(batch.executeBatch().length, 20);
      }
    }
  }

  static void variants() throws Exception {
    for (String mode :
        List.of("simple", "extended", "extendedForPrepared", "extendedCacheEverything")) {
      variant("public", "preferQueryMode", mode);
    }
    variant("public", "prepareThreshold", "1");
    variant("public", "prepareThreshold", "0");
    variant("public", "reWriteBatchedInserts", "true");
    variant("public", "autosave", "always");
    variant("public", "targetServerType", "primary", "loadBalanceHosts", "true");
    variant("other", "currentSchema", "other,public");
    variant("other", "options", "-c search_path=other,public -c jit=off");
    expect(one("SELECT count(*) FROM numbers WHERE label = 'batched'"), 220);
  }

  public static void main(String[] arguments) throws Exception {
    System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
    db = connect();
    step("connect", PgjdbcClient::connecting);
    step("tls_verify", PgjdbcClient::tlsVerify);
    step("wrong_password", () -> expect(state(() -> connect("password", "wrong")), "28P01"));
    step("connections", PgjdbcClient::connections);
    step("application_name", PgjdbcClient::applicationName);
    List<String> types = Files.readAllLines(Path.of(System.getenv("D_TYPES")));
    for (String line : types) {
      String[] type = line.split("\t");
      step("text_" + type[0], () -> text(type));
    }
    for (String line : types) {
      String[] type = line.split("\t");
      step("native_" + type[0], () -> natively(type));
    }
    step("nulls", PgjdbcClient::nulls);
    step("prepared", PgjdbcClient::prepared);
    step("cursor", PgjdbcClient::cursor);
    step("copy_in", PgjdbcClient::copyIn);
    step("copy_out", PgjdbcClient::copyOut);
    step("cancel", PgjdbcClient::cancel);
    step("error_unique", PgjdbcClient::errorUnique);
    step("error_syntax", PgjdbcClient::errorSyntax);
    step("error_in_transaction", PgjdbcClient::errorInTransaction);
    step("notice", PgjdbcClient::notice);
    step("listen_notify", PgjdbcClient::listenNotify);
    step("pipeline", PgjdbcClient::pipeline);
    step("transaction", PgjdbcClient::transaction);
    step("savepoint", PgjdbcClient::savepoint);
    step("settings", PgjdbcClient::settings);
    step("search_path", PgjdbcClient::searchPath);
    step("big_text", PgjdbcClient::bigText);
    step("big_bytea", PgjdbcClient::bigBytea);
    step("many_rows", PgjdbcClient::manyRows);
    step("variants", PgjdbcClient::variants);
    db.close();
  }
}
