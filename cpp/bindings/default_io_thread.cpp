#include "default_io_thread.h"

#include "sealroom/net/process.h"

namespace sealroom::bindings {

net::IoThread& default_io_thread() {
  static net::IoThread* thread = nullptr;  // guarded by the GIL
  static std::uint32_t made_at = 0;
  if (thread == nullptr || made_at != net::fork_count()) {
    thread = new net::IoThread();
    made_at = net::fork_count();
  }
  return *thread;
}

}  // namespace sealroom::bindings
