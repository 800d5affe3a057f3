#include "tests/sqlcorpus/server.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "proxy/catalog/catalog_source.hpp"

namespace postern::sqlcorpus {

namespace {

[[noreturn]] void give_up(const char* what, const char* why) {
  std::fprintf(stderr, "sqlcorpus: %s: %s\n", what, why);
  std::exit(1);
}

Oid number(const PGresult* result, int row, int column) {
  return static_cast<Oid>(std::strtoul(PQgetvalue(result, row, column), nullptr, 10));
}

// Dependencies of the function that has the statement as its body.
constexpr const char* kDependencies =
    "SELECT refclassid::regclass, refobjid, refobjsubid,"
    " (SELECT oprcode::oid FROM pg_operator o"
    "  WHERE o.oid = refobjid AND refclassid = 'pg_operator'::regclass) FROM pg_depend"
    " WHERE classid = 'pg_proc'::regclass AND objid = 'pg_temp.corpus'::regproc";

}  // namespace

Server::Server(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  if (PQstatus(connection_) != CONNECTION_OK) give_up("connect", PQerrorMessage(connection_));
  PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
  PQsetClientEncoding(connection_, "UTF8");
  succeeds("SET statement_timeout = '5s'");
}

bool Server::succeeds(const std::string& sql) {
  const auto status = PQresultStatus(run(sql).get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

std::shared_ptr<const sql::Catalog> Server::catalog() {
  std::array<proxy::Rows, proxy::kCatalogParts> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Result rows = run(std::string(proxy::catalog_sql(static_cast<proxy::CatalogPart>(i))));
    if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK) {
      give_up("catalog", PQresultErrorMessage(rows.get()));
    }
    for (int row = 0; row < PQntuples(rows.get()); ++row) {
      proxy::Row& out = parts[i].emplace_back();
      for (int column = 0; column < PQnfields(rows.get()); ++column) {
        const bool null = PQgetisnull(rows.get(), row, column) != 0;
        out.push_back(null ? std::optional<std::string>()
                           : std::string(PQgetvalue(rows.get(), row, column)));
      }
    }
  }
  auto built = proxy::build_catalog(parts, 1);
  if (!built) give_up("catalog", built.error().what.c_str());
  return *built;
}

bool Server::describe(const std::string& statement, ServerView& view) {
  const Result prepared(PQprepare(connection_, "", statement.c_str(), 0, nullptr), &PQclear);
  if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) return false;
  const Result described(PQdescribePrepared(connection_, ""), &PQclear);
  if (PQresultStatus(described.get()) != PGRES_COMMAND_OK) return false;
  for (int i = 0; i < PQnfields(described.get()); ++i) {
    view.columns.push_back({PQfname(described.get(), i), PQftype(described.get(), i),
                            PQftable(described.get(), i), PQftablecol(described.get(), i)});
  }
  return true;
}

void Server::dependencies(const std::string& statement, ServerView& view) {
  const std::string made =
      "CREATE FUNCTION pg_temp.corpus() RETURNS void LANGUAGE sql BEGIN ATOMIC " + statement +
      "\n; END";
  if (!succeeds(made)) return;
  const Result rows = run(kDependencies);
  if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK) return;
  view.has_dependencies = true;
  for (int i = 0; i < PQntuples(rows.get()); ++i) {
    const std::string catalog = PQgetvalue(rows.get(), i, 0);
    const Oid oid = number(rows.get(), i, 1);
    const int column = static_cast<int>(number(rows.get(), i, 2));
    if (catalog == "pg_class") {
      view.relations.insert(oid);
      if (column > 0) view.attributes.emplace(oid, column);
    }
    if (catalog == "pg_proc") view.routines.insert(oid);
    if (catalog == "pg_operator") view.routines.insert(number(rows.get(), i, 3));
  }
}

void Server::plan(const std::string& statement, ServerView& view) {
  const Result rows = run("EXPLAIN (FORMAT JSON, COSTS OFF) " + statement);
  if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK || PQntuples(rows.get()) < 1) return;
  view.has_plan = true;
  for (int i = 0; i < PQntuples(rows.get()); ++i) {
    const std::string_view text = PQgetvalue(rows.get(), i, 0);
    if (text.find("\"Node Type\": \"ModifyTable\"") != std::string_view::npos) view.writes = true;
    if (text.find("\"Node Type\": \"LockRows\"") != std::string_view::npos) view.locks = true;
  }
}

std::optional<ServerView> Server::view(const std::string& statement) {
  ServerView view;
  succeeds("BEGIN");
  const bool taken = describe(statement, view);
  if (taken) {
    succeeds("SAVEPOINT s");
    plan(statement, view);
    succeeds("ROLLBACK TO s");
    if (view.has_plan) dependencies(statement, view);  // no END, which would end the body
  }
  succeeds("ROLLBACK");
  return taken ? std::optional(view) : std::nullopt;
}

}  // namespace postern::sqlcorpus
