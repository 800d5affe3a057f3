#include "proxy/session/elsewhere.hpp"

namespace postern::proxy {

bool may_leave_primary(const Session&, const Execution&) {
  return false;
}

Task<Result<bool>> serve_query_elsewhere(Session*, std::shared_ptr<Execution>,
                                         const std::vector<Splice>*) {
  co_return false;
}

Task<Result<bool>> serve_batch_elsewhere(Session*, const std::vector<BatchItem>*) {
  co_return false;
}

}  // namespace postern::proxy
