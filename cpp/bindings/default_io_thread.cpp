#include "default_io_thread.h"

namespace sealroom::bindings {

net::IoThread& default_io_thread() {
  static auto* const thread = new net::IoThread();
  return *thread;
}

}  // namespace sealroom::bindings
