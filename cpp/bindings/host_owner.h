#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <random>
#include <utility>

#include "default_io_thread.h"
#include "errors.h"
#include "sealroom/net/process.h"

namespace sealroom::bindings {

/// What bound objects of the I/O thread have in common. Calls that may wait for that thread, and
/// the object's end, which does, run without the GIL. In a child of fork they are of no use, and
/// two processes would send under the same keys and numbers: calls throw MadeBeforeFork there, and
/// the end leaves everything as it is, for mutexes of the copy may be held for good.
template <class Host>
class HostOwner {
 public:
  HostOwner(const HostOwner&) = delete;
  HostOwner& operator=(const HostOwner&) = delete;

  Host& host() {
    check_process();
    return *host_;
  }
  void close() {
    if (is_copy_in_child()) return;
    const pybind11::gil_scoped_release release;
    host_->close();
  }

 protected:
  explicit HostOwner(std::unique_ptr<Host> host) : host_(std::move(host)) {}
  ~HostOwner() {
    if (is_copy_in_child()) {
      (void)host_.release();
      return;
    }
    const pybind11::gil_scoped_release release;
    host_.reset();
  }

  template <class Function>
  auto without_gil(Function&& function) {
    check_process();
    const pybind11::gil_scoped_release release;
    return std::forward<Function>(function)(*host_);
  }

  [[nodiscard]] const Host& host() const {
    check_process();
    return *host_;
  }

 private:
  [[nodiscard]] bool is_copy_in_child() const { return fork_count_ != net::fork_count(); }
  void check_process() const {
    if (is_copy_in_child()) throw MadeBeforeFork();
  }

  const std::uint32_t fork_count_ = net::fork_count();
  std::unique_ptr<Host> host_;
};

inline net::IoThread& io_thread_or_default(net::IoThread* io_thread) {
  if (io_thread == nullptr) return default_io_thread();
  if (!io_thread->is_of_this_process()) throw MadeBeforeFork();
  return *io_thread;
}

inline std::uint32_t random_u32() { return std::random_device()(); }

/// RFC 3550 section 5.1: random, and in the lower half so that a lost first packet cannot hide a
/// wrap.
inline std::uint16_t random_first_number() {
  return static_cast<std::uint16_t>(random_u32() & 0x7fff);
}

}  // namespace sealroom::bindings
