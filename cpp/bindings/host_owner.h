#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <random>
#include <utility>

#include "default_io_thread.h"

namespace sealroom::bindings {

/// What bound objects of the I/O thread have in common. Calls that may wait for that thread, and
/// the object's end, which does, run without the GIL.
template <class Host>
class HostOwner {
 public:
  HostOwner(const HostOwner&) = delete;
  HostOwner& operator=(const HostOwner&) = delete;

  Host& host() { return *host_; }
  void close() {
    const pybind11::gil_scoped_release release;
    host_->close();
  }

 protected:
  explicit HostOwner(std::unique_ptr<Host> host) : host_(std::move(host)) {}
  ~HostOwner() {
    const pybind11::gil_scoped_release release;
    host_.reset();
  }

  template <class Function>
  auto without_gil(Function&& function) {
    const pybind11::gil_scoped_release release;
    return std::forward<Function>(function)(*host_);
  }

  [[nodiscard]] const Host& host() const { return *host_; }

 private:
  std::unique_ptr<Host> host_;
};

inline net::IoThread& io_thread_or_default(net::IoThread* io_thread) {
  return io_thread != nullptr ? *io_thread : default_io_thread();
}

inline std::uint32_t random_u32() { return std::random_device()(); }

/// RFC 3550 section 5.1: random, and in the lower half so that a lost first packet cannot hide a
/// wrap.
inline std::uint16_t random_first_number() {
  return static_cast<std::uint16_t>(random_u32() & 0x7fff);
}

}  // namespace sealroom::bindings
