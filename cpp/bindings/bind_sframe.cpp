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
namespace {

namespace py = pybind11;
using namespace py::literals;

constexpr const char* kMetadataTooLong = "metadata: at most 1024 bytes";

// The core writes while it still reads.
void check_apart(MutableByteView out, const char* name, ByteView in) {
  const std::less<const std::uint8_t*> before;
  const bool overlaps = !in.empty() && !out.empty() && before(in.data(), out.data() + out.size()) &&
                        before(out.data(), in.data() + in.size());
  if (overlaps) {
    raise(Error::invalid_argument, std::string("out: shares memory with ") + name);
  }
}

py::bytes shrink(py::bytes bytes, std::size_t size) {
  PyObject* object = bytes.release().ptr();
  if (_PyBytes_Resize(&object, static_cast<Py_ssize_t>(size)) != 0) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(object);
}

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

}  // namespace

void bind_sframe(py::module_& parent) {
  py::module_ m = parent.def_submodule("sframe", "SFrame (RFC 9605).");
  m.attr("MAX_OVERHEAD") = sframe::kMaxOverhead;
  m.attr("AES_128_CTR_HMAC_SHA256_80") = 1;
  m.attr("AES_128_CTR_HMAC_SHA256_64") = 2;
  m.attr("AES_128_CTR_HMAC_SHA256_32") = 3;
  m.attr("AES_128_GCM_SHA256_128") = 4;
  m.attr("AES_256_GCM_SHA512_128") = 5;
  py::class_<PySender>(m, "Sender",
                       "Encrypts frames under one key (RFC 9605 section 4.4.3). Thread-safe.")
      .def(py::init<int, std::uint64_t, const py::buffer&, std::uint64_t,
                    std::optional<std::uint64_t>, const std::optional<std::string>&>(),
           py::kw_only(), "suite"_a, "key_id"_a, "base_key"_a, "first_counter"_a = 0,
           "counter_limit"_a = py::none(), "backend"_a = py::none())
      .def(refuse_construction<PySender>(
          "Sender(*, suite: int, key_id: int, base_key: bytes-like, first_counter: int = 0, "
          "counter_limit: int | None = None, backend: str | None = None), numbers without a sign"))
      .def("protect", &PySender::protect, "plaintext"_a, "metadata"_a = py::bytes(),
           "Header, ciphertext and tag. `metadata`, at most 1024 bytes, is authenticated and not\n"
           "part of the result. Raises KeyExhaustedError at the counter limit.")
      .def("protect_into", &PySender::protect_into, "plaintext"_a, "out"_a,
           "metadata"_a = py::bytes(),
           "As protect, into a writable buffer that shares no memory with the arguments; the size\n"
           "written. MAX_OVERHEAD bytes more than the plaintext are enough. Raises\n"
           "BufferTooSmallError, which spends no counter, and InvalidArgumentError.")
      .def_property_readonly("next_counter", &PySender::next_counter,
                             "The counter of the next frame.")
      .def_property_readonly("key_id", &PySender::key_id);
  py::class_<PyReceiver>(m, "Receiver",
                         "Decrypts frames of one sender (RFC 9605 section 4.4.4). Thread-safe.")
      .def(py::init<int, const std::optional<std::string>&>(), py::kw_only(), "suite"_a,
           "backend"_a = py::none())
      .def("add_key", &PyReceiver::add_key, "key_id"_a, "base_key"_a,
           "Raises InvalidArgumentError for a key id that has a key, whose replay window must not\n"
           "be forgotten, and LimitExceededError (64 keys).")
      .def("add_key", refuse_call("add_key(key_id: int, base_key: bytes-like), key_id of 64 bits"))
      .def("remove_key", &PyReceiver::remove_key, "key_id"_a, "Whether there was one.")
      .def("unprotect", &PyReceiver::unprotect, "frame"_a, "metadata"_a = py::bytes(),
           "The plaintext. Raises MalformedError, KeyNotFoundError, ReplayError (TooOldError\n"
           "behind the window of 1024 frames), AuthenticationError; after each of them the state\n"
           "is as before.")
      .def("unprotect_into", &PyReceiver::unprotect_into, "frame"_a, "out"_a,
           "metadata"_a = py::bytes(),
           "As unprotect, into a writable buffer that shares no memory with the arguments; the "
           "size\n"
           "written. As many bytes as the frame are enough. Raises BufferTooSmallError and\n"
           "InvalidArgumentError.");
}

}  // namespace sealroom::bindings
