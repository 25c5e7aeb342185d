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
#include "frame_batch.h"
#include "native_call.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"

namespace sealroom::bindings {

namespace py = pybind11;

/// Key ids, commitments and frames that wait for their key.
void bind_sframe_keys(py::module_& m);

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
           std::optional<std::uint64_t> counter_limit, unsigned ratchet_bits,
           const std::optional<std::string>& backend)
      : sender_(
            create(suite, key_id, base_key, first_counter, counter_limit, ratchet_bits, backend)) {}

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

  py::list protect_many(const py::object& plaintexts, const py::object& metadata,
                        bool return_errors) {
    return batch_of_list("plaintexts", plaintexts, metadata, sframe::kMaxOverhead, return_errors,
                         kMetadataTooLong,
                         [&](std::size_t bytes, auto&& each) { protect_each(bytes, each); });
  }

  py::tuple protect_batch(const py::buffer& data, const py::buffer& sizes,
                          const py::object& metadata, const py::object& metadata_sizes,
                          const py::object& errors) {
    return batch_of_buffer(data, sizes, metadata, metadata_sizes, sframe::kMaxOverhead, errors,
                           kMetadataTooLong,
                           [&](std::size_t bytes, auto&& each) { protect_each(bytes, each); });
  }

  void ratchet() {
    const std::lock_guard lock(mutex_);
    unwrap(sender_.ratchet(), "ratchet_bits: this sender was made without");
  }

  std::uint64_t next_counter() {
    const std::lock_guard lock(mutex_);
    return sender_.next_counter();
  }
  std::uint64_t key_id() {
    const std::lock_guard lock(mutex_);
    return sender_.key_id().value;
  }

  /// Runs `work` on the sender, without the GIL if `bytes` make it long, while no other call does.
  template <class Work>
  auto run(std::size_t bytes, Work&& work) {
    return run_native(bytes, [&] {
      const std::lock_guard lock(mutex_);
      return work(sender_);
    });
  }

 private:
  template <class Each>
  void protect_each(std::size_t bytes, Each&& each) {
    run(bytes, [&](sframe::Sender& sender) {
      each([&](BatchFrame& frame) { return sender.protect(frame.metadata, frame.in, frame.out); });
    });
  }

  static sframe::Sender create(int suite, std::uint64_t key_id, const py::buffer& base_key,
                               std::uint64_t first_counter,
                               std::optional<std::uint64_t> counter_limit, unsigned ratchet_bits,
                               const std::optional<std::string>& backend) {
    const ReadBuffer key(base_key);
    sframe::SenderOptions options;
    options.first_counter = first_counter;
    if (counter_limit) options.counter_limit = *counter_limit;
    options.ratchet_bits = ratchet_bits;
    return unwrap(sframe::Sender::create(backend_from_option(backend), cipher_suite(suite),
                                         KeyId{key_id}, key.view(), options),
                  "base_key, ratchet_bits: at least 1 byte, 0 to 32 bits");
  }

  std::mutex mutex_;
  sframe::Sender sender_;
};

/// sframe::Receiver as Python sees it; calls from several threads take turns.
class PyReceiver {
 public:
  PyReceiver(int suite, const std::optional<std::string>& backend)
      : receiver_(backend_from_option(backend), cipher_suite(suite)) {}

  void add_key(std::uint64_t key_id, const py::buffer& base_key, const py::object& commitment) {
    const ReadBuffer key(base_key);
    const Commitment committed(commitment);
    const std::lock_guard lock(mutex_);
    unwrap(receiver_.add_key(KeyId{key_id}, key.view(), committed.view()),
           "key_id, base_key or commitment: a key id without a key, at least 1 byte of key, 32 "
           "bytes of commitment");
  }
  void add_ratchet(std::uint64_t key_id, const py::buffer& base_key, unsigned bits,
                   std::size_t max_steps_ahead, std::size_t kept_steps,
                   const py::object& commitment) {
    const ReadBuffer key(base_key);
    const Commitment committed(commitment);
    const std::lock_guard lock(mutex_);
    unwrap(receiver_.add_ratchet(KeyId{key_id}, key.view(), {bits, max_steps_ahead, kept_steps},
                                 committed.view()),
           "key_id, base_key, bits, max_steps_ahead, kept_steps or commitment: a generation "
           "without a key, at least 1 byte of key, 1 to 32 bits, 1 to 64 and 0 to 64 steps that "
           "together are below 2**bits, 32 bytes of commitment");
  }
  void add_mls_epoch(const sframe::MlsKeyIdLayout& layout, std::uint64_t sender,
                     std::uint64_t epoch, const py::buffer& base_key, std::uint64_t context,
                     const py::object& commitment) {
    const ReadBuffer key(base_key);
    const Commitment committed(commitment);
    const std::lock_guard lock(mutex_);
    unwrap(receiver_.add_mls_epoch(layout, {context, sender, epoch}, key.view(), committed.view()),
           "sender, epoch, context, base_key or commitment: numbers that fit the layout, an epoch "
           "newer than the one it replaces, at least 1 byte of key, 32 bytes of commitment");
  }
  bool has_key(std::uint64_t key_id) {
    const std::lock_guard lock(mutex_);
    return receiver_.has_key(KeyId{key_id});
  }
  std::uint64_t ratchet_position(std::uint64_t key_id) {
    const std::lock_guard lock(mutex_);
    return unwrap(receiver_.ratchet_position(KeyId{key_id})).value;
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

  py::list unprotect_many(const py::object& frames, const py::object& metadata,
                          bool return_errors) {
    return batch_of_list("frames", frames, metadata, 0, return_errors, kMetadataTooLong,
                         [&](std::size_t bytes, auto&& each) { unprotect_each(bytes, each); });
  }

  py::tuple unprotect_batch(const py::buffer& data, const py::buffer& sizes,
                            const py::object& metadata, const py::object& metadata_sizes,
                            const py::object& errors) {
    return batch_of_buffer(data, sizes, metadata, metadata_sizes, 0, errors, kMetadataTooLong,
                           [&](std::size_t bytes, auto&& each) { unprotect_each(bytes, each); });
  }

  /// As PySender::run.
  template <class Work>
  auto run(std::size_t bytes, Work&& work) {
    return run_native(bytes, [&] {
      const std::lock_guard lock(mutex_);
      return work(receiver_);
    });
  }

 private:
  /// A commitment or None.
  class Commitment {
   public:
    explicit Commitment(const py::object& object) {
      if (object.is_none()) return;
      buffer_.emplace(py::cast<py::buffer>(object));
      // For the core none at all is no commitment; here it is a mistake.
      if (buffer_->view().empty()) raise(Error::invalid_argument, "commitment: 32 bytes");
    }
    [[nodiscard]] ByteView view() const { return buffer_ ? buffer_->view() : ByteView(); }

   private:
    std::optional<ReadBuffer> buffer_;
  };

  template <class Each>
  void unprotect_each(std::size_t bytes, Each&& each) {
    run(bytes, [&](sframe::Receiver& receiver) {
      each([&](BatchFrame& frame) {
        return receiver.unprotect(frame.metadata, frame.in, frame.out);
      });
    });
  }

  std::mutex mutex_;
  sframe::Receiver receiver_;
};

}  // namespace sealroom::bindings
