#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "integers.h"
#include "native_call.h"
#include "sealroom/privmx/data_message.h"
#include "sealroom/privmx/media_frame.h"

namespace sealroom::bindings {

namespace py = pybind11;
using namespace py::literals;

namespace {

/// What was wrong where the core says invalid_argument of bytes to seal and their IV.
const char* refused(ByteView bytes, ByteView iv, const char* too_large) {
  constexpr std::size_t kMost = (std::size_t{1} << 31) - 1;
  if (iv.size() == privmx::kIvSize && bytes.size() > kMost) return too_large;
  return "iv: 12 random bytes that were not those of the key's last message";
}

privmx::RoomKeyId room_key_id(const std::string& text) {
  return unwrap(
      [&]() -> Result<privmx::RoomKeyId> {
        const auto parsed = privmx::RoomKeyId::parse(as_bytes(text));
        if (!parsed) return Error::invalid_argument;
        return parsed;
      }(),
      "key_id: 32 hexadecimal digits");
}

std::string to_text(const privmx::RoomKeyId& key_id) {
  const ByteView digits = key_id.view();
  return {digits.begin(), digits.end()};
}

privmx::FrameKind frame_kind(const std::string& name) {
  using privmx::FrameKind;
  if (name == "audio") return FrameKind::audio;
  if (name == "key") return FrameKind::video_key;
  if (name == "delta") return FrameKind::video_delta;
  if (name == "empty") return FrameKind::video_empty;
  if (name == "other") return FrameKind::video_other;
  raise(Error::invalid_argument,
        "kind: " + shown(name) + " is not one of: audio, key, delta, empty, other");
}

privmx::ClearHeader clear_header(const std::string& name) {
  if (name == "by_kind") return privmx::ClearHeader::by_kind;
  if (name == "one_byte") return privmx::ClearHeader::one_byte;
  raise(Error::invalid_argument,
        "clear_header: " + shown(name) + " is not one of: by_kind, one_byte");
}

/// What random IVs of 12 bytes allow under one key (NIST SP 800-38D section 8.3).
constexpr std::uint64_t kMostMessages = std::uint64_t{1} << 32;

class PyKeyStore {
 public:
  PyKeyStore(const Integer& message_limit, const std::optional<std::string>& backend)
      : keys_(backend_from_option(backend),
              within("message_limit", message_limit, 1, kMostMessages)) {}

  void add(const std::string& key_id, const py::buffer& key) {
    const ReadBuffer in(key);
    const privmx::RoomKeyId id = room_key_id(key_id);
    bool has_key = false;
    const Result<void> added = locked(mutex_, [&] {
      has_key = keys_.contains(id);
      return keys_.add(id, in.view());
    });
    if (added) return;
    if (added.error() == Error::limit_exceeded) {
      raise(added.error(),
            "key_id: a key store holds at most 64 keys; remove() one that nobody sends under");
    }
    unwrap(added, has_key ? "key_id: it has a key already; add a new key under a new key id"
                          : "key: 32 bytes");
  }
  bool remove(const std::string& key_id) {
    const privmx::RoomKeyId id = room_key_id(key_id);
    const std::lock_guard lock(mutex_);
    return keys_.remove(id);
  }
  bool contains(const std::string& key_id) {
    const auto id = privmx::RoomKeyId::parse(as_bytes(key_id));
    const std::lock_guard lock(mutex_);
    return id && keys_.contains(id.value());
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return keys_.size();
  }

  /// Runs `work` on the keys, without the GIL if `bytes` make it long, while no other call does.
  template <class Work>
  auto run(std::size_t bytes, Work&& work) {
    return run_native(bytes, [&] {
      const std::lock_guard lock(mutex_);
      return work(keys_);
    });
  }

 private:
  std::mutex mutex_;
  privmx::KeyStore keys_;
};

py::bytes protect_media(PyKeyStore& keys, const std::string& key_id, const py::buffer& frame,
                        const py::buffer& iv, const std::string& kind_name,
                        const std::string& clear_header_name, std::uint8_t rms) {
  const privmx::RoomKeyId id = room_key_id(key_id);
  const privmx::FrameKind kind = frame_kind(kind_name);
  const privmx::ClearHeader layout = clear_header(clear_header_name);
  const ReadBuffer in(frame);
  const ReadBuffer iv_in(iv);
  const std::size_t clear_size = privmx::clear_header_size(layout, kind);
  if (in.view().size() < clear_size) {
    raise(Error::invalid_argument,
          "frame: at least as long as its clear header, " + std::to_string(clear_size) + " bytes");
  }
  MutableByteView out;
  py::bytes result = make_bytes(in.view().size() + privmx::kMediaOverhead, out);
  unwrap(keys.run(in.view().size(),
                  [&](privmx::KeyStore& native) {
                    return privmx::protect_media(native, id, iv_in.view(), layout, kind, rms,
                                                 in.view(), out);
                  }),
         refused(in.view(), iv_in.view(), "frame: at most 2**31 - 1 bytes"));
  return result;
}

py::tuple unprotect_media(PyKeyStore& keys, const py::buffer& frame, const std::string& kind_name,
                          const std::string& clear_header_name) {
  const privmx::FrameKind kind = frame_kind(kind_name);
  const privmx::ClearHeader layout = clear_header(clear_header_name);
  const ReadBuffer in(frame);
  MutableByteView out;
  py::bytes result = make_bytes(in.view().size(), out);
  const auto opened = unwrap(keys.run(in.view().size(), [&](privmx::KeyStore& native) {
    return privmx::unprotect_media(native, layout, kind, in.view(), out);
  }));
  return py::make_tuple(shrink(std::move(result), opened.size), to_text(opened.key_id),
                        opened.unauthenticated_rms);
}

class PyDataSender {
 public:
  explicit PyDataSender(const Integer& first_sequence)
      : sender_(number<std::uint32_t>("first_sequence", first_sequence)) {}

  py::bytes protect(PyKeyStore& keys, const std::string& key_id, const py::buffer& message,
                    const py::buffer& iv) {
    const privmx::RoomKeyId id = room_key_id(key_id);
    const ReadBuffer in(message);
    const ReadBuffer iv_in(iv);
    MutableByteView out;
    py::bytes result = make_bytes(in.view().size() + privmx::kDataOverhead, out);
    bool are_numbers_spent = false;
    const Result<std::size_t> size = keys.run(in.view().size(), [&](privmx::KeyStore& native) {
      const std::lock_guard lock(mutex_);
      are_numbers_spent = sender_.next_sequence() > std::numeric_limits<std::uint32_t>::max();
      return sender_.protect(native, id, iv_in.view(), in.view(), out);
    });
    if (are_numbers_spent) {
      raise(Error::key_exhausted,
            "the sequence numbers of this DataSender are spent, whatever the key: make a new one, "
            "for a new stream");
    }
    unwrap(size, refused(in.view(), iv_in.view(), "message: at most 2**31 - 1 bytes"));
    return result;
  }
  std::uint64_t next_sequence() {
    const std::lock_guard lock(mutex_);
    return sender_.next_sequence();
  }

 private:
  std::mutex mutex_;
  privmx::DataSender sender_;
};

class PyDataReceiver {
 public:
  py::tuple unprotect(PyKeyStore& keys, const py::buffer& message) {
    const ReadBuffer in(message);
    MutableByteView out;
    py::bytes result = make_bytes(in.view().size(), out);
    const auto opened = unwrap(keys.run(in.view().size(), [&](privmx::KeyStore& native) {
      const std::lock_guard lock(mutex_);
      return receiver_.unprotect(native, in.view(), out);
    }));
    return py::make_tuple(shrink(std::move(result), opened.size), to_text(opened.key_id),
                          opened.sequence);
  }
  std::optional<std::uint32_t> last_sequence() {
    const std::lock_guard lock(mutex_);
    return receiver_.last_sequence();
  }

 private:
  std::mutex mutex_;
  privmx::DataReceiver receiver_;
};

}  // namespace

void bind_privmx(py::module_& parent) {
  py::module_ m = parent.def_submodule(
      "privmx", "Media frames and data messages of PrivMX Streams, version 1.");
  m.attr("KEY_SIZE") = privmx::kKeySize;
  m.attr("IV_SIZE") = privmx::kIvSize;
  m.attr("MAX_KEYS") = privmx::kMaxKeys;
  m.attr("MEDIA_OVERHEAD") = privmx::kMediaOverhead;
  m.attr("DATA_OVERHEAD") = privmx::kDataOverhead;
  m.attr("DEFAULT_MESSAGE_LIMIT") = privmx::kDefaultMessageLimit;
  py::class_<PyKeyStore>(m, "KeyStore",
                         "The AES-256-GCM keys of a room by their ids, at most MAX_KEYS.\n"
                         "Thread-safe.")
      .def(py::init<const Integer&, const std::optional<std::string>&>(), py::kw_only(),
           "message_limit"_a = privmx::kDefaultMessageLimit, "backend"_a = py::none(),
           "After `message_limit` messages protected under one key the next raise\n"
           "KeyExhaustedError. All senders of a room share its key, and random IVs allow 2**32\n"
           "messages under one key altogether (NIST SP 800-38D section 8.3): 1 to 2**32.")
      .def(
          "add", &PyKeyStore::add, "key_id"_a, "key"_a,
          "`key_id`: 32 hexadecimal digits; `key`: 32 bytes. A key that was removed must not come\n"
          "back: its messages would be counted, and its IVs looked at, from the beginning. Raises\n"
          "InvalidArgumentError, also for a key id that has a key, and LimitExceededError.")
      .def("remove", &PyKeyStore::remove, "key_id"_a,
           "Forgets a key for good, with the count of its messages; whether there was one.")
      .def("__contains__", &PyKeyStore::contains, "key_id"_a)
      .def("__len__", &PyKeyStore::size);
  m.def("protect_media", &protect_media, "keys"_a, "key_id"_a, "frame"_a, py::kw_only(), "iv"_a,
        "kind"_a, "clear_header"_a, "rms"_a,
        "The frame on the wire, MEDIA_OVERHEAD bytes longer. `iv`: 12 random bytes, new for every\n"
        "message.");
  m.def("unprotect_media", &unprotect_media, "keys"_a, "frame"_a, py::kw_only(), "kind"_a,
        "clear_header"_a, "Frame, key id and the loudness byte, which is not authenticated.");
  py::class_<PyDataSender>(m, "DataSender", "Numbers and seals data messages. Thread-safe.")
      .def(py::init<const Integer&>(), py::kw_only(), "first_sequence"_a)
      .def("protect", &PyDataSender::protect, "keys"_a, "key_id"_a, "message"_a, py::kw_only(),
           "iv"_a,
           "Raises KeyExhaustedError at the key's message limit, or after number 2**32 - 1.")
      .def_property_readonly("next_sequence", &PyDataSender::next_sequence);
  py::class_<PyDataReceiver>(m, "DataReceiver",
                             "Opens data messages of one remote stream. Thread-safe.")
      .def(py::init<>())
      .def("unprotect", &PyDataReceiver::unprotect, "keys"_a, "message"_a,
           "Message, key id and sequence number.")
      .def_property_readonly("last_sequence", &PyDataReceiver::last_sequence);
}

}  // namespace sealroom::bindings
