// A COPY FROM STDIN whose rows Postern inserts itself, because row security takes no COPY: what is
// known of it between its messages (copy_run.hpp carries it out).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/error_message.hpp"
#include "protocol/framer.hpp"
#include "proxy/session/copy_reader.hpp"
#include "proxy/session/unit.hpp"
#include "sql/catalog.hpp"

namespace postern::proxy {

/// Who holds the transaction in which the rows are inserted.
enum class CopyTransaction : std::uint8_t { kOwn, kClients };

/// One thread; no I/O.
class CopyInsert {
 public:
  /// Rows, values and bytes of one INSERT.
  static constexpr std::size_t kMaxRows = 1000;
  static constexpr std::size_t kMaxValues = 32'000;
  static constexpr std::size_t kMaxBytes = 256 * 1024;

  /// `relation` holds every column that `form` names.
  CopyInsert(std::shared_ptr<Execution> execution, const sql::CopyIn& form,
             const sql::Relation& relation, CopyTransaction transaction);

  [[nodiscard]] CopyReader& reader() { return reader_; }
  [[nodiscard]] const std::shared_ptr<Execution>& execution() const { return execution_; }
  [[nodiscard]] bool owns_transaction() const { return transaction_ == CopyTransaction::kOwn; }
  [[nodiscard]] std::size_t columns() const { return form_.columns.size(); }
  [[nodiscard]] bool binary() const { return form_.format == sql::CopyFormat::kBinary; }

  // Rows read and not yet inserted.
  void add(CopyRow row);
  [[nodiscard]] bool full() const;
  [[nodiscard]] const std::vector<CopyRow>& rows() const { return rows_; }
  void drop_rows();
  /// INSERT of this many rows at once.
  [[nodiscard]] std::string statement(std::size_t rows) const;
  /// Appends Bind and Execute of rows [first, first + count).
  Status encode_rows(std::size_t first, std::size_t count, Bytes& out) const;

  // Answers to what was sent since the last begin_attempt().
  void begin_attempt();
  Status on_reply(const protocol::Frame& frame);
  [[nodiscard]] bool failed() const { return failure_.has_value(); }
  /// Rows of an answer: what copy_target_sql() asked for.
  [[nodiscard]] const std::vector<std::vector<std::string>>& told() const { return told_; }
  /// What the attempt inserted counts.
  void accept() { total_ += inserted_; }

  /// Client messages of this COPY are still to come.
  [[nodiscard]] bool taking() const { return taking_; }
  void stop_taking() { taking_ = false; }
  [[nodiscard]] bool concluded() const { return !answer_.empty(); }
  /// The error its client hears was made here, and shaped already. A failing COMMIT's is not.
  [[nodiscard]] bool errs() const {
    return concluded() &&
           answer_.front() == static_cast<char>(protocol::BackendType::kErrorResponse);
  }

  // How it ends; what the client hears in place of the server's answer to the last message.
  Status succeed();
  /// `shaped`: without what may hold other rows' values.
  void fail_with(const CopyFault& fault);
  void fail_as_server(bool shaped);
  /// The message shown for `frame`, an answer to the unit that ends the COPY.
  protocol::Frame shown(const protocol::Frame& frame);

 private:
  [[nodiscard]] std::string failure_context() const;

  std::shared_ptr<Execution> execution_;
  sql::CopyIn form_;
  std::vector<std::string> names_;
  std::string target_;
  CopyTransaction transaction_;
  CopyReader reader_;
  std::vector<CopyRow> rows_;
  std::size_t bytes_ = 0;
  std::optional<protocol::OwnedErrorFields> failure_;
  std::vector<std::vector<std::string>> told_;
  std::size_t bound_ = 0;
  std::size_t executed_ = 0;
  std::uint64_t inserted_ = 0;
  std::uint64_t total_ = 0;
  bool taking_ = true;
  Bytes answer_;
};

}  // namespace postern::proxy
