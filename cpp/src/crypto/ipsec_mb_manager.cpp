#include "ipsec_mb_manager.h"

#include <memory>
#include <new>

#include "ipsec_mb_backend.h"

namespace sealroom::crypto::ipsec_mb {
namespace {

struct ManagerDeleter {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerDeleter>;

enum class Table { fastest, sse };

Manager make_manager(Table table) {
  Manager manager(alloc_mb_mgr(0));
  if (manager == nullptr) return nullptr;
  if (table == Table::sse) {
    init_mb_mgr_sse(manager.get());
  } else {
    init_mb_mgr_auto(manager.get(), nullptr);
  }
  // Without AES-NI the library would emulate it, slower than OpenSSL and not in constant time.
  constexpr std::uint64_t kNeeded = IMB_CPUFLAGS_SSE | IMB_FEATURE_SELF_TEST_PASS;
  const bool usable = imb_get_errno(manager.get()) == 0 && (manager->features & kNeeded) == kNeeded;
  return usable ? std::move(manager) : nullptr;
}

}  // namespace

IMB_MGR* shared_manager() {
  static IMB_MGR* const manager = make_manager(Table::fastest).release();
  return manager;
}

IMB_MGR* thread_cipher_manager() {
  thread_local const Manager manager = make_manager(Table::fastest);
  return manager.get();
}

IMB_MGR* thread_hmac_manager() {
  thread_local const Manager manager = make_manager(Table::sse);
  return manager.get();
}

BurstSpace* thread_burst_space() {
  thread_local const std::unique_ptr<BurstSpace> space(new (std::nothrow) BurstSpace);
  return space.get();
}

bool has_sha_extensions() {
  return shared_manager() != nullptr && (shared_manager()->features & IMB_FEATURE_SHANI) != 0;
}

bool is_available() { return shared_manager() != nullptr; }

std::string_view version() { return is_available() ? imb_get_version_str() : ""; }

}  // namespace sealroom::crypto::ipsec_mb
