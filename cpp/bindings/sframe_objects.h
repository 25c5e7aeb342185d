#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "key_arguments.h"
#include "native_call.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"

namespace sealroom::bindings {

namespace py = pybind11;

inline constexpr const char* kMetadataTooLong = "metadata: at most 1024 bytes";

// The core writes while it still reads.
inline void check_apart(MutableByteView out, const char* name, ByteView in) {
  const std::less<const std::uint8_t*> before;
  const bool overlaps = !in.empty() && !out.empty() && before(in.data(), out.data() + out.size()) &&
                        before(out.data(), in.data() + in.size());
  if (overlaps) {
    raise(Error::invalid_argument, std::string("out: shares memory with ") + name);
  }
}

inline py::bytes shrink(py::bytes bytes, std::size_t size) {
  PyObject* object = bytes.release().ptr();
  if (_PyBytes_Resize(&object, static_cast<Py_ssize_t>(size)) != 0) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(object);
}

/// sframe::Sender as Python sees it; calls from several threads take turns.
class PySender {
 public:
  PySender(int suite, std::uint64_t key_id, const py::buffer& base_key, std::uint64_t first_counter,
           std::optional<std::uint64_t> counter_limit, const std::optional<std::string>& backend)
      : sender_(create(suite, key_id, base_key, first_counter, counter_limit, backend)) {}

  py::bytes protect(const py::buffer& plaintext, const py::buffer& metadata) {
    const ReadBuffer in(plaintext);
    const ReadBuffer aad(metadata);
    MutableByteView out;
    py::bytes result = make_bytes(in.view().size() + sframe::kMaxOverhead, out);
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return sender_.protect(aad.view(), in.view(), out);
    });
    return shrink(std::move(result), unwrap(size, kMetadataTooLong));
  }

  std::size_t protect_into(const py::buffer& plaintext, const py::buffer& output,
                           const py::buffer& metadata) {
    const ReadBuffer in(plaintext);
    const ReadBuffer aad(metadata);
    const WriteBuffer out(output);
    check_apart(out.view(), "plaintext", in.view());
    check_apart(out.view(), "metadata", aad.view());
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return sender_.protect(aad.view(), in.view(), out.view());
    });
    return unwrap(size, kMetadataTooLong);
  }

  std::uint64_t next_counter() {
    const std::lock_guard lock(mutex_);
    return sender_.next_counter();
  }
  std::uint64_t key_id() const { return sender_.key_id().value; }

 private:
  static sframe::Sender create(int suite, std::uint64_t key_id, const py::buffer& base_key,
                               std::uint64_t first_counter,
                               std::optional<std::uint64_t> counter_limit,
                               const std::optional<std::string>& backend) {
    const ReadBuffer key(base_key);
    sframe::SenderOptions options;
    options.first_counter = first_counter;
    if (counter_limit) options.counter_limit = *counter_limit;
    return unwrap(sframe::Sender::create(backend_from_option(backend), cipher_suite(suite),
                                         KeyId{key_id}, key.view(), options),
                  "base_key: at least 1 byte");
  }

  std::mutex mutex_;
  sframe::Sender sender_;
};

/// sframe::Receiver as Python sees it; calls from several threads take turns.
class PyReceiver {
 public:
  PyReceiver(int suite, const std::optional<std::string>& backend)
      : receiver_(backend_from_option(backend), cipher_suite(suite)) {}

  void add_key(std::uint64_t key_id, const py::buffer& base_key) {
    const ReadBuffer key(base_key);
    const std::lock_guard lock(mutex_);
    unwrap(receiver_.add_key(KeyId{key_id}, key.view()),
           "key_id or base_key: a key id without a key, and at least 1 byte of key");
  }
  bool remove_key(std::uint64_t key_id) {
    const std::lock_guard lock(mutex_);
    return receiver_.remove_key(KeyId{key_id});
  }

  py::bytes unprotect(const py::buffer& frame, const py::buffer& metadata) {
    const ReadBuffer in(frame);
    const ReadBuffer aad(metadata);
    MutableByteView out;
    py::bytes result = make_bytes(in.view().size(), out);
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return receiver_.unprotect(aad.view(), in.view(), out);
    });
    return shrink(std::move(result), unwrap(size, kMetadataTooLong));
  }

  std::size_t unprotect_into(const py::buffer& frame, const py::buffer& output,
                             const py::buffer& metadata) {
    const ReadBuffer in(frame);
    const ReadBuffer aad(metadata);
    const WriteBuffer out(output);
    check_apart(out.view(), "frame", in.view());
    check_apart(out.view(), "metadata", aad.view());
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return receiver_.unprotect(aad.view(), in.view(), out.view());
    });
    return unwrap(size, kMetadataTooLong);
  }

 private:
  std::mutex mutex_;
  sframe::Receiver receiver_;
};

}  // namespace sealroom::bindings
