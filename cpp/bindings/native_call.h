#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <mutex>
#include <utility>

#include "sealroom/base/bytes.h"

namespace sealroom::bindings {

/// Work on fewer bytes keeps the GIL: with another Python thread busy, getting it back costs tens
/// of microseconds.
inline constexpr std::size_t kGilReleaseSize = 16 * 1024;

/// Runs `work`, which touches no Python object, without the GIL if `bytes` make it long.
template <class Work>
auto run_native(std::size_t bytes, Work&& work) {
  if (bytes < kGilReleaseSize) return std::forward<Work>(work)();
  const pybind11::gil_scoped_release release;
  return std::forward<Work>(work)();
}

/// What `work` returns, called with `mutex` held. As under any lock of a bound object nothing of
/// Python is made, imported or raised in there: that may start the garbage collector, and with it
/// finalisers that call the same object, or let the GIL go to a thread which then waits for the
/// lock with the GIL held.
template <class Work>
auto locked(std::mutex& mutex, Work&& work) {
  const std::lock_guard lock(mutex);
  return std::forward<Work>(work)();
}

/// A `bytes` of exactly `size` for native code to fill through `view` before anyone else sees it.
inline pybind11::bytes make_bytes(std::size_t size, MutableByteView& view) {
  PyObject* object = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
  if (object == nullptr) throw pybind11::error_already_set();
  view = {reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(object)), size};
  return pybind11::reinterpret_steal<pybind11::bytes>(object);
}

}  // namespace sealroom::bindings
