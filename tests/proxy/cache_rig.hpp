// A result cache with its metrics, and short ways to read and write through it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "crypto/init.hpp"
#include "proxy/cache/result_cache.hpp"
#include "tests/proxy/net_rig.hpp"

namespace postern::test {

using proxy::CachedAnswer;
using proxy::CacheFill;
using proxy::CacheKeyParts;
using proxy::CacheLookup;
using proxy::CacheQuery;
using proxy::CacheSetup;
using proxy::Metrics;
using proxy::ResultCache;
using proxy::WriteMark;
using FillPtr = std::shared_ptr<CacheFill>;

inline const std::string kScope = "main/shop";

inline Task<CacheLookup> do_lookup(ResultCache* cache, Worker* worker, CacheQuery query) {
  CacheLookup found = co_await cache->lookup(worker, std::move(query));
  co_return found;
}
inline Task<int> do_store(ResultCache* cache, Worker* worker, FillPtr fill) {
  co_await cache->store(worker, std::move(fill));
  co_return 0;
}
inline Task<WriteMark> do_begin(ResultCache* cache, Worker* worker, std::vector<Oid> tables) {
  const bool any = tables.empty();
  std::string scope = kScope;
  WriteMark mark = co_await cache->begin_write(worker, std::move(scope), std::move(tables), any);
  co_return mark;
}
inline Task<int> do_end(ResultCache* cache, Worker* worker, WriteMark mark,
                        std::optional<std::uint64_t> position) {
  co_await cache->end_write(worker, std::move(mark), position);
  co_return 0;
}
inline Task<int> do_leave(ResultCache* cache, Worker* worker) {
  co_await cache->leave(worker);
  co_return 0;
}

/// One instance. The worker goes first, as in the product.
struct CacheRig {
  explicit CacheRig(CacheSetup setup) {
    REQUIRE(crypto::init());
    if (setup.secret.empty()) setup.secret = Secret(Bytes(32, 's'));
    setup.metrics = &metrics;
    cache = std::make_unique<ResultCache>(std::move(setup));
    worker.start();
  }

  CacheQuery query(std::string text, std::vector<Oid> tables, std::string tenant = "-") const {
    CacheKeyParts parts;
    parts.cluster = "main";
    parts.database = "shop";
    parts.server_text = std::move(text);
    parts.tenant = std::move(tenant);
    CacheQuery made;
    made.key = cache->key(parts);
    made.scope = kScope;
    made.tables = std::move(tables);
    return made;
  }
  CacheLookup look(CacheQuery q) {
    return run(worker, do_lookup(cache.get(), &worker, std::move(q)));
  }
  CacheLookup look(std::string text, std::vector<Oid> tables) {
    return look(query(std::move(text), std::move(tables)));
  }
  /// Stores "row:<text>" as the only row.
  void store(FillPtr fill, const std::string& row) {
    if (fill != nullptr) {
      fill->add_description("description");
      fill->add_row(row);
      fill->complete("SELECT 1");
    }
    run(worker, do_store(cache.get(), &worker, std::move(fill)));
  }
  void fill(std::string text, std::vector<Oid> tables, const std::string& row) {
    CacheLookup found = look(std::move(text), std::move(tables));
    REQUIRE(found.fill != nullptr);
    store(found.fill, row);
  }
  /// The rows of a hit, empty for a miss.
  std::string rows(std::string text, std::vector<Oid> tables) {
    CacheLookup found = look(std::move(text), std::move(tables));
    return found.hit ? found.hit->rows : std::string();
  }
  WriteMark begin(std::vector<Oid> tables) {
    return run(worker, do_begin(cache.get(), &worker, std::move(tables)));
  }
  void end(WriteMark mark, std::optional<std::uint64_t> position = std::nullopt) {
    run(worker, do_end(cache.get(), &worker, std::move(mark), position));
  }
  void write(std::vector<Oid> tables, std::optional<std::uint64_t> position = std::nullopt) {
    end(begin(std::move(tables)), position);
  }

  Metrics metrics;
  std::unique_ptr<ResultCache> cache;
  Worker worker{{.name = "cache-test"}};
};

}  // namespace postern::test
