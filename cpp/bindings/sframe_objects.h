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
#include "frames.h"
#include "integers.h"
#include "native_call.h"
#include "sealroom/sframe/header.h"
#include "sealroom/sframe/key_commitment.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"
#include "sframe_refusals.h"

namespace sealroom::bindings {

namespace py = pybind11;

/// Key ids, commitments and frames that wait for their key.
void bind_sframe_keys(py::module_& m);

inline constexpr const char* kEmptyBaseKey = "base_key: at least 1 byte";

inline sframe::MlsKeyId mls_key_id(const Integer& sender, const Integer& epoch,
                                   const Integer& context) {
  return {number<std::uint64_t>("context", context), number<std::uint64_t>("sender", sender),
          number<std::uint64_t>("epoch", epoch)};
}

// The core writes while it still reads.
inline void check_apart(MutableByteView out, const char* name, ByteView in) {
  const std::less<const std::uint8_t*> before;
  const bool overlaps = !in.empty() && !out.empty() && before(in.data(), out.data() + out.size()) &&
                        before(out.data(), in.data() + in.size());
  if (overlaps) {
    raise(Error::invalid_argument, std::string("out: shares memory with ") + name);
  }
}

/// For batches of frames, which the call's documentation names `frame`.
inline auto refusal_of(const char* frame) {
  return [frame](const BatchFrame& refused) {
    return FrameRefusal{frame, refused.in, refused.metadata}.exception(refused.done.error());
  };
}

/// sframe::Sender as Python sees it; calls from several threads take turns.
class PySender {
 public:
  PySender(std::int64_t suite, const Integer& key_id, const py::buffer& base_key,
           const Integer& first_counter, const std::optional<Integer>& counter_limit,
           const Integer& ratchet_bits, const std::optional<std::string>& backend)
      : backend_(backend_from_option(backend)),
        sender_(create(backend_, suite, key_id, base_key, first_counter, counter_limit,
                       ratchet_bits)) {}

  py::bytes protect(const py::buffer& plaintext, const py::buffer& metadata) {
    const ReadBuffer in(plaintext);
    const ReadBuffer aad(metadata);
    MutableByteView out;
    py::bytes result = make_bytes(in.view().size() + sframe::kMaxOverhead, out);
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return sender_.protect(aad.view(), in.view(), out);
    });
    if (!size) FrameRefusal{"plaintext", in.view(), aad.view()}.raise(size.error());
    return shrink(std::move(result), size.value());
  }

  std::size_t protect_into(const py::buffer& plaintext, const py::buffer& output,
                           const py::buffer& metadata) {
    const ReadBuffer in(plaintext);
    const ReadBuffer aad(metadata);
    const WriteBuffer out(output);
    check_apart(out.view(), "plaintext", in.view());
    check_apart(out.view(), "metadata", aad.view());
    std::size_t needed = 0;
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      needed = sender_.protected_size(in.view().size());
      return sender_.protect(aad.view(), in.view(), out.view());
    });
    if (size) return size.value();
    FrameRefusal{"plaintext", in.view(), aad.view(), needed, out.view().size()}.raise(size.error());
  }

  py::list protect_many(const py::object& plaintexts, const py::object& metadata,
                        bool return_errors) {
    return batch_of_list("plaintexts", plaintexts, metadata, sframe::kMaxOverhead, return_errors,
                         refusal_of("plaintext"),
                         [&](std::size_t bytes, auto&& each) { protect_each(bytes, each); });
  }

  py::tuple protect_batch(const py::buffer& data, const py::buffer& sizes,
                          const py::object& metadata, const py::object& metadata_sizes,
                          const py::object& errors) {
    return batch_of_buffer(data, sizes, metadata, metadata_sizes, sframe::kMaxOverhead, errors,
                           refusal_of("plaintext"),
                           [&](std::size_t bytes, auto&& each) { protect_each(bytes, each); });
  }

  void ratchet() {
    unwrap(locked(mutex_, [&] { return sender_.ratchet(); }),
           "ratchet_bits: this sender was made without");
  }

  std::uint64_t next_counter() {
    const std::lock_guard lock(mutex_);
    return sender_.next_counter();
  }
  std::uint64_t key_id() {
    const std::lock_guard lock(mutex_);
    return sender_.key_id().value;
  }
  [[nodiscard]] int suite() const { return static_cast<int>(sender_.suite()); }
  [[nodiscard]] std::string backend() const { return std::string(crypto::backend_name(backend_)); }

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

  static sframe::Sender create(crypto::Backend backend, std::int64_t suite, const Integer& key_id,
                               const py::buffer& base_key, const Integer& first_counter,
                               const std::optional<Integer>& counter_limit,
                               const Integer& ratchet_bits) {
    const ReadBuffer key(base_key);
    const KeyId id{number<std::uint64_t>("key_id", key_id)};
    sframe::SenderOptions options;
    options.first_counter = number<std::uint64_t>("first_counter", first_counter);
    if (counter_limit) {
      options.counter_limit = number<std::uint64_t>("counter_limit", *counter_limit);
      if (options.counter_limit <= options.first_counter) {
        raise(Error::invalid_argument,
              "counter_limit: above first_counter, or nothing can be sent");
      }
    }
    options.ratchet_bits =
        static_cast<unsigned>(within("ratchet_bits", ratchet_bits, 0, sframe::kMaxRatchetBits));
    return unwrap(sframe::Sender::create(backend, cipher_suite(suite), id, key.view(), options),
                  kEmptyBaseKey);
  }

  const crypto::Backend backend_;
  std::mutex mutex_;
  sframe::Sender sender_;
};

/// sframe::Receiver as Python sees it; calls from several threads take turns.
class PyReceiver {
 public:
  PyReceiver(std::int64_t suite, const std::optional<std::string>& backend)
      : backend_(backend_from_option(backend)),
        suite_(cipher_suite(suite)),
        receiver_(backend_, suite_) {}

  void add_key(const Integer& key_id, const py::buffer& base_key, const py::object& commitment) {
    const KeyId id{number<std::uint64_t>("key_id", key_id)};
    const ReadBuffer key(base_key);
    const Commitment committed(commitment);
    const Result<void> added =
        locked(mutex_, [&] { return receiver_.add_key(id, key.view(), committed.view()); });
    if (!added) refuse_key(added.error(), key.view(), "key_id: " + taken(id));
  }
  void add_ratchet(const Integer& key_id, const py::buffer& base_key, const Integer& bits,
                   const Integer& max_steps_ahead, const Integer& kept_steps,
                   const py::object& commitment) {
    const KeyId id{number<std::uint64_t>("key_id", key_id)};
    const sframe::RatchetOptions options{
        static_cast<unsigned>(within("bits", bits, 1, sframe::kMaxRatchetBits)),
        within("max_steps_ahead", max_steps_ahead, 1, sframe::kMaxRatchetSteps),
        within("kept_steps", kept_steps, 0, sframe::kMaxRatchetSteps)};
    if (!is_valid(options)) {
      raise(Error::invalid_argument, "max_steps_ahead, kept_steps: together below 2**bits");
    }
    const ReadBuffer key(base_key);
    const Commitment committed(commitment);
    const Result<void> added = locked(
        mutex_, [&] { return receiver_.add_ratchet(id, key.view(), options, committed.view()); });
    if (added) return;
    if (added.error() == Error::limit_exceeded) {
      raise(added.error(),
            "key_id: a receiver follows at most 4 generations of ratchets; "
            "remove_key() one that its sender has left");
    }
    refuse_key(added.error(), key.view(),
               "key_id: its generation has a key or a ratchet already, whose replay windows must "
               "not be forgotten; hand out the key under the next generation (ratchet_key_id)");
  }
  void add_mls_epoch(const sframe::MlsKeyIdLayout& layout, const Integer& sender,
                     const Integer& epoch, const py::buffer& base_key, const Integer& context,
                     const py::object& commitment) {
    const ReadBuffer key(base_key);
    const Commitment committed(commitment);
    const sframe::MlsKeyId mls = mls_key_id(sender, epoch, context);
    const KeyId id = unwrap(layout.encode(mls), "sender, context: too large for the layout");
    const Result<void> added = locked(
        mutex_, [&] { return receiver_.add_mls_epoch(layout, mls, key.view(), committed.view()); });
    if (!added) {
      refuse_key(added.error(), key.view(),
                 "epoch: not newer than the one it would replace, or " + taken(id));
    }
  }
  bool has_key(std::uint64_t key_id) {
    const std::lock_guard lock(mutex_);
    return receiver_.has_key(KeyId{key_id});
  }
  std::uint64_t ratchet_position(std::uint64_t key_id) {
    return unwrap(locked(mutex_, [&] { return receiver_.ratchet_position(KeyId{key_id}); })).value;
  }
  bool remove_key(std::uint64_t key_id) {
    const std::lock_guard lock(mutex_);
    return receiver_.remove_key(KeyId{key_id});
  }
  std::vector<std::uint64_t> key_ids() {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> numbers;
    for (const KeyId key_id : receiver_.key_ids()) numbers.push_back(key_id.value);
    return numbers;
  }
  [[nodiscard]] int suite() const { return static_cast<int>(suite_); }
  [[nodiscard]] std::string backend() const { return std::string(crypto::backend_name(backend_)); }

  py::bytes unprotect(const py::buffer& frame, const py::buffer& metadata) {
    const ReadBuffer in(frame);
    const ReadBuffer aad(metadata);
    MutableByteView out;
    py::bytes result = make_bytes(in.view().size(), out);
    const Result<std::size_t> size = run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return receiver_.unprotect(aad.view(), in.view(), out);
    });
    if (!size) FrameRefusal{"frame", in.view(), aad.view()}.raise(size.error());
    return shrink(std::move(result), size.value());
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
    if (size) return size.value();
    const Result<std::size_t> needed = receiver_.plaintext_size(in.view());
    FrameRefusal{"frame", in.view(), aad.view(), needed ? needed.value() : 0, out.view().size()}
        .raise(size.error());
  }

  py::list unprotect_many(const py::object& frames, const py::object& metadata,
                          bool return_errors) {
    return batch_of_list("frames", frames, metadata, 0, return_errors, refusal_of("frame"),
                         [&](std::size_t bytes, auto&& each) { unprotect_each(bytes, each); });
  }

  py::tuple unprotect_batch(const py::buffer& data, const py::buffer& sizes,
                            const py::object& metadata, const py::object& metadata_sizes,
                            const py::object& errors) {
    return batch_of_buffer(data, sizes, metadata, metadata_sizes, 0, errors, refusal_of("frame"),
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
  static std::string taken(KeyId key_id) {
    return std::to_string(key_id.value) +
           " has a key already, whose replay window must not be forgotten; hand out the key under "
           "another key id";
  }

  /// Why the receiver did not take `key`, with `other` where the rest of the arguments is meant.
  [[noreturn]] static void refuse_key(Error error, ByteView key, const std::string& other) {
    if (error == Error::limit_exceeded) {
      raise(error,
            "key_id: a receiver has at most 64 keys; remove_key() one that its sender has "
            "left");
    }
    if (error != Error::invalid_argument) raise(error);
    raise(error, key.empty() ? kEmptyBaseKey : other);
  }

  /// A commitment or None.
  class Commitment {
   public:
    explicit Commitment(const py::object& object) {
      if (object.is_none()) return;
      buffer_.emplace(py::cast<py::buffer>(object));
      // For the core none at all is no commitment; here it is a mistake.
      if (buffer_->view().size() != sframe::kCommitmentSize)
        raise(Error::invalid_argument, "commitment: 32 bytes");
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

  const crypto::Backend backend_;
  const sframe::CipherSuite suite_;
  std::mutex mutex_;
  sframe::Receiver receiver_;
};

}  // namespace sealroom::bindings
