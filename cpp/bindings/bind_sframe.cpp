#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "arguments.h"
#include "sframe_objects.h"

namespace sealroom::bindings {

using namespace py::literals;

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
