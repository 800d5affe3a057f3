// Runs Keeper and Monitor against real servers at the command of tests/integration/test_keeper.py.
//
//   pgtest_keeper CONFIG.toml [--without-service]
//     one command a line on standard input, one line of answer each:
//     ensure DB                    ok | PST-nnnn message
//     changed DB                   ok
//     protection DB                none | epoch=N protected=B tenant_tables=N columns=N blocked=...
//     relation DB SCHEMA.TABLE     none | kind=.. columns=.. parents=.. children=.. keys=.. ...
//     counts DB                    relations=N routines=B operators=B types=B
//     plan DB FILE                 ok: the SQL that raises the wall is in FILE
//     cluster NAME                 system=N timeline=N switch=X/Y nodes=role:timeline:lsn,...
#include <algorithm>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <string>

#include "config/load.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/route/monitor.hpp"
#include "proxy/route/token.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

struct Rig {
  std::shared_ptr<const config::Config> config;
  DatabaseDirectory directory;
  std::unique_ptr<Worker> home;
  std::unique_ptr<Worker> caller;
  std::unique_ptr<Keeper> keeper;
  std::vector<std::unique_ptr<Monitor>> monitors;
};

Task<void> ensure_task(Rig* rig, Database* database, std::promise<Status>* done) {
  Status status = co_await rig->keeper->ensure(rig->caller.get(), database);
  done->set_value(std::move(status));
}

std::string ensure(Rig& rig, Database* database) {
  std::promise<Status> done;
  rig.caller->spawn(ensure_task(&rig, database, &done));
  const Status status = done.get_future().get();
  return status ? "ok" : status.error().line();
}

std::string protection(const Database& database) {
  const auto p = database.protection();
  if (p == nullptr) return "none";
  std::ostringstream out;
  out << "epoch=" << p->epoch << " protected=" << p->is_protected
      << " catalog=" << (p->catalog != nullptr);
  if (p->rules != nullptr) {
    out << " tenant_tables=" << p->rules->tenant_tables.size()
        << " columns=" << p->rules->columns.size();
  }
  out << " blocked=" << (p->blocked ? p->blocked->line() : "no");
  return out.str();
}

std::string numbers(const std::vector<std::int16_t>& list) {
  std::string out;
  for (const std::int16_t n : list) out += (out.empty() ? "" : "+") + std::to_string(n);
  return out;
}

std::string names(const sql::Catalog& catalog, const std::vector<Oid>& oids) {
  std::vector<std::string> all;
  for (const Oid oid : oids) {
    const sql::Relation* relation = catalog.relation(oid);
    if (relation != nullptr) all.push_back(relation->name);
  }
  std::sort(all.begin(), all.end());
  std::string out;
  for (const std::string& name : all) out += (out.empty() ? "" : ",") + name;
  return out;
}

// "name(tables read|functions called)"; of functions those of pg_catalog too.
std::string policies(const sql::Catalog& catalog, const sql::Relation& relation) {
  std::string out;
  for (const sql::RowPolicy& policy : relation.policies) {
    std::vector<std::string> called;
    for (const Oid oid : policy.calls) {
      const sql::Routine* routine = catalog.routine(oid);
      called.push_back(routine != nullptr ? routine->name : "?");
    }
    std::sort(called.begin(), called.end());
    out += policy.name + "(" + names(catalog, policy.reads) + "|";
    for (const std::string& name : called) out += name + ",";
    out += ");";
  }
  return out;
}

std::string relation(const Database& database, const std::string& name) {
  const auto p = database.protection();
  if (p == nullptr || p->catalog == nullptr) return "none";
  const std::size_t dot = name.find('.');
  const sql::Relation* r = p->catalog->relation(name.substr(0, dot), name.substr(dot + 1));
  if (r == nullptr) return "none";
  std::ostringstream out;
  out << "kind=" << static_cast<char>(r->kind) << " owner=" << r->owner << " columns=";
  for (const sql::Column& c : r->columns) {
    const sql::Type* type = p->catalog->type(c.type);
    out << (c.attnum > 1 ? "," : "") << c.name << ":" << (type != nullptr ? type->name : "?")
        << (c.not_null ? "!" : "") << (c.has_default ? "=" : "") << (c.generated ? "*" : "");
  }
  out << " parents=" << names(*p->catalog, r->parents);
  out << " children=" << names(*p->catalog, r->children) << " keys=";
  for (const sql::UniqueKey& k : r->keys)
    out << (k.primary ? "P" : "U") << numbers(k.columns) << ";";
  out << " foreign=";
  for (const sql::ForeignKey& k : r->foreign_keys) {
    out << numbers(k.columns) << ">" << names(*p->catalog, {k.referenced}) << "/"
        << numbers(k.referenced_columns) << k.on_delete << k.on_update << ";";
  }
  out << " policies=" << policies(*p->catalog, *r);
  out << " reads=" << names(*p->catalog, r->depends_on) << " calls=" << r->depends_routines.size()
      << " rls=" << r->row_security << r->force_row_security << " triggers=" << r->has_triggers
      << " rules=" << r->has_rules << " invoker=" << r->security_invoker;
  return out.str();
}

std::string counts(const Database& database) {
  const auto p = database.protection();
  if (p == nullptr || p->catalog == nullptr) return "none";
  const sql::Catalog& c = *p->catalog;
  std::ostringstream out;
  out << "relations=" << c.relations().size()
      << " lower=" << c.routines("pg_catalog", "lower", {}).size()
      << " equal=" << (c.operators("pg_catalog", "=", {}).size() > 50)
      << " moves=" << c.code_moves_path() << " text=" << (c.type("pg_catalog", "text") != nullptr)
      << " oid=" << c.database_oid();
  return out.str();
}

std::string plan(const Rig& rig, const Database& database, const std::string& file) {
  const auto p = database.protection();
  if (p == nullptr || p->rules == nullptr) return "none";
  const auto sql = policy::wall_plan(*p->rules, wall_options(*rig.config, database.name()));
  if (!sql) return sql.error().line();
  std::ofstream(file) << *sql;
  return "ok";
}

std::string cluster(const Cluster& cluster) {
  const auto state = cluster.state();
  std::ostringstream out;
  out << "system=" << state->system_identifier << " timeline=" << state->timeline
      << " switch=" << lsn_text(state->switch_lsn) << " segment=" << state->segment_bytes
      << " nodes=";
  const char* words[] = {"unknown", "primary", "replica", "down"};
  for (const NodeState& node : state->nodes) {
    out << words[static_cast<int>(node.role)] << ":" << node.timeline << ":"
        << lsn_text(node.position) << ",";
  }
  return out.str();
}

const Cluster& named_cluster(const Rig& rig, const std::string& name) {
  for (const Cluster* cluster : rig.directory.clusters()) {
    if (cluster->name() == name) return *cluster;
  }
  std::abort();
}

std::string run(Rig& rig, const std::string& line) {
  std::istringstream in(line);
  std::string command;
  std::string name;
  std::string more;
  in >> command >> name >> more;
  if (command == "cluster") return cluster(named_cluster(rig, name));
  Database* database = rig.directory.find(name);
  if (database == nullptr) return "no such database";
  if (command == "ensure") return ensure(rig, database);
  if (command == "protection") return protection(*database);
  if (command == "relation") return relation(*database, more);
  if (command == "plan") return plan(rig, *database, more);
  if (command == "counts") return counts(*database);
  if (command != "changed") return "no such command";
  rig.keeper->catalog_changed(database);
  return "ok";
}

int serve(const char* file, bool with_service) {
  Result<config::Config> loaded = config::load(file);
  if (!loaded) {
    std::cerr << loaded.error().line() << "\n";
    return 2;
  }
  const Status log_opened = open_log(loaded->log);
  if (!log_opened) return 2;
  // What a file may not say, the keeper must withstand all the same.
  if (!with_service) loaded->service.reset();
  Rig rig;
  rig.config = std::make_shared<const config::Config>(std::move(*loaded));
  const Status opened = rig.directory.open(*rig.config);
  if (!opened) {
    std::cerr << opened.error().line() << "\n";
    return 2;
  }
  rig.home = std::make_unique<Worker>(WorkerOptions{"home", {}});
  rig.caller = std::make_unique<Worker>(WorkerOptions{"caller", {}});
  rig.keeper = std::make_unique<Keeper>(rig.config.get(), rig.home.get());
  for (Cluster* entry : rig.directory.clusters()) {
    rig.monitors.push_back(std::make_unique<Monitor>(rig.config.get(), entry, rig.home.get()));
    rig.monitors.back()->start();
  }
  rig.home->start();
  rig.caller->start();
  for (std::string line; std::getline(std::cin, line);) std::cout << run(rig, line) << std::endl;
  // Sessions go before what they use.
  for (Worker* worker : {rig.caller.get(), rig.home.get()}) {
    worker->stop();
    worker->join();
    worker->destroy_sessions();
  }
  return 0;
}

}  // namespace
}  // namespace postern::proxy

int main(int argc, char** argv) {
  const bool with_service = argc < 3 || std::string_view(argv[2]) != "--without-service";
  if (argc < 2 || argc > 3 || (argc == 3 && with_service)) {
    std::cerr << "usage: pgtest_keeper CONFIG.toml [--without-service]\n";
    return 2;
  }
  return postern::proxy::serve(argv[1], with_service);
}
