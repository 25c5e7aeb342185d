#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "arguments.h"
#include "sframe_objects.h"

namespace sealroom::bindings {

using namespace py::literals;

namespace {

constexpr const char* kBatch =
    "As protect for frames that lie back to back in `data` (uint8), `sizes` (int32 or uint32)\n"
    "long; so may `metadata` and `metadata_sizes`. Returns new arrays of the same kind, uint8 and\n"
    "int32. The size of a refused frame is -1 and its exception goes into the dict `errors` under\n"
    "its index; without one the first is raised in the end. Raises InvalidArgumentError where\n"
    "sizes do not add up.";

}  // namespace

void bind_sframe(py::module_& parent) {
  py::module_ m = parent.def_submodule("sframe", "SFrame (RFC 9605).");
  const sframe::RatchetOptions ratchet;
  m.attr("MAX_OVERHEAD") = sframe::kMaxOverhead;
  m.attr("MAX_METADATA_SIZE") = sframe::kMaxMetadataSize;
  m.attr("AES_128_CTR_HMAC_SHA256_80") = 1;
  m.attr("AES_128_CTR_HMAC_SHA256_64") = 2;
  m.attr("AES_128_CTR_HMAC_SHA256_32") = 3;
  m.attr("AES_128_GCM_SHA256_128") = 4;
  m.attr("AES_256_GCM_SHA512_128") = 5;
  bind_sframe_keys(m);
  py::class_<PySender>(
      m, "Sender",
      "Encrypts frames under one key (RFC 9605 section 4.4.3). `base_key` is secret and random, "
      "at\n"
      "least as long as the key of the suite's cipher, 16 or 32 bytes; it is stretched, so that\n"
      "a short one is taken and is weak. With `ratchet_bits` the key may ratchet (section 5.1).\n"
      "Counters run from `first_counter` up to, without, `counter_limit`. `backend` is one of\n"
      "sealroom.native_info().crypto_backends. Thread-safe; a process that forks must use a "
      "sender\n"
      "in one of the two only, as both would spend the same counters. Raises InvalidArgumentError\n"
      "for an empty key or a number out of its range, UnsupportedError for an unknown suite or\n"
      "back end.")
      .def(py::init<std::int64_t, const Integer&, const py::buffer&, const Integer&,
                    const std::optional<Integer>&, const Integer&,
                    const std::optional<std::string>&>(),
           py::kw_only(), "suite"_a, "key_id"_a, "base_key"_a, "first_counter"_a = 0,
           "counter_limit"_a = py::none(), "ratchet_bits"_a = 0, "backend"_a = py::none())
      .def("protect", &PySender::protect, "plaintext"_a, "metadata"_a = py::bytes(),
           "Header, ciphertext and tag. `metadata`, at most 1024 bytes, is authenticated and not\n"
           "part of the result. Raises KeyExhaustedError at the counter limit, "
           "InvalidArgumentError for\n"
           "more metadata.")
      .def("protect_into", &PySender::protect_into, "plaintext"_a, "out"_a,
           "metadata"_a = py::bytes(),
           "As protect, into a writable buffer that shares no memory with the arguments; the size\n"
           "written. MAX_OVERHEAD bytes more than the plaintext are enough. Raises\n"
           "BufferTooSmallError, which spends no counter, and InvalidArgumentError.")
      .def("protect_many", &PySender::protect_many, "plaintexts"_a, "metadata"_a = py::none(),
           py::kw_only(), "return_errors"_a = false,
           "As protect for each of a sequence, with as many `metadata` or None. A refused frame "
           "does\n"
           "not stop the others: its place holds its exception, or without `return_errors` the "
           "first\n"
           "one is raised in the end.")
      .def("protect_batch", &PySender::protect_batch, "data"_a, "sizes"_a,
           "metadata"_a = py::none(), "metadata_sizes"_a = py::none(), py::kw_only(),
           "errors"_a = py::none(), kBatch)
      .def("ratchet", &PySender::ratchet,
           "One step on (RFC 9605 section 5.1): the next base key under the next key id, counter "
           "0;\n"
           "the key so far is wiped, so that a member who joins cannot open what was sent before.\n"
           "Raises InvalidArgumentError for a sender without `ratchet_bits`.")
      .def_property_readonly("next_counter", &PySender::next_counter,
                             "The counter of the next frame.")
      .def_property_readonly("key_id", &PySender::key_id, "The key id (KID) of the next frame.")
      .def_property_readonly("suite", &PySender::suite, "The number of the cipher suite.")
      .def_property_readonly("backend", &PySender::backend,
                             "The crypto library: \"ipsec_mb\" or \"openssl\".")
      .def("__reduce__", [](const PySender&) -> py::tuple {
        throw py::type_error(
            "a Sender is not copied or pickled: both would spend the same "
            "counters under one key");
      });
  py::class_<PyReceiver>(
      m, "Receiver",
      "Decrypts frames of one sender (RFC 9605 section 4.4.4). `backend` is one of\n"
      "sealroom.native_info().crypto_backends. Thread-safe. Raises UnsupportedError for an "
      "unknown\n"
      "suite or back end.")
      .def(py::init<std::int64_t, const std::optional<std::string>&>(), py::kw_only(), "suite"_a,
           "backend"_a = py::none())
      .def("add_key", &PyReceiver::add_key, "key_id"_a, "base_key"_a, "commitment"_a = py::none(),
           "With a `commitment` (key_commitment) another key is refused with KeyCommitmentError.\n"
           "Raises InvalidArgumentError for a key id that has a key, whose replay window must not\n"
           "be forgotten, and LimitExceededError (64 keys); then nothing has changed.")
      .def(
          "add_ratchet", &PyReceiver::add_ratchet, "key_id"_a, "base_key"_a, py::kw_only(),
          "bits"_a = ratchet.bits, "max_steps_ahead"_a = ratchet.max_steps_ahead,
          "kept_steps"_a = ratchet.kept_steps, "commitment"_a = py::none(),
          "Follows a sender that ratchets (RFC 9605 section 5.1), from the step of `key_id` on. A\n"
          "frame up to `max_steps_ahead` of the newest authentic step is tried, and moves it if "
          "it\n"
          "authenticates; what lies further raises KeyNotFoundError. `kept_steps` behind it are\n"
          "still taken. Raises InvalidArgumentError for a generation that is there already,\n"
          "LimitExceededError (4 generations), KeyCommitmentError.")
      .def(
          "add_mls_epoch", &PyReceiver::add_mls_epoch, "layout"_a, py::kw_only(), "sender"_a,
          "epoch"_a, "base_key"_a, "context"_a = 0, "commitment"_a = py::none(),
          "The key of an MLS epoch (RFC 9605 section 5.2). Takes the place of an older epoch with\n"
          "the same key id, whose frames are then refused. Raises InvalidArgumentError for an "
          "epoch\n"
          "that is not newer, otherwise as add_key.")
      .def("remove_key", &PyReceiver::remove_key, "key_id"_a,
           "Forgets a key, or the ratchet that a key id is of; whether there was one. What it has\n"
           "seen is forgotten too: were the same key added again, every frame of it could be\n"
           "replayed.")
      .def_property_readonly("key_ids", &PyReceiver::key_ids,
                             "The key ids that have a key, and of each ratchet that of its newest\n"
                             "authentic step.")
      .def_property_readonly("suite", &PyReceiver::suite, "The number of the cipher suite.")
      .def_property_readonly("backend", &PyReceiver::backend,
                             "The crypto library: \"ipsec_mb\" or \"openssl\".")
      .def("__reduce__",
           [](const PyReceiver&) -> py::tuple {
             throw py::type_error(
                 "a Receiver is not copied or pickled: what one has seen could be "
                 "replayed to the other");
           })
      .def("has_key", &PyReceiver::has_key, "key_id"_a,
           "Whether a frame of this key id would be tried.")
      .def("ratchet_position", &PyReceiver::ratchet_position, "key_id"_a,
           "The key id of the newest authentic step of the ratchet that `key_id` is of. Raises\n"
           "KeyNotFoundError.")
      .def(
          "unprotect", &PyReceiver::unprotect, "frame"_a, "metadata"_a = py::bytes(),
          "The plaintext. Raises MalformedError, KeyNotFoundError (whose `key_id` is the "
          "frame's),\n"
          "ReplayError (TooOldError behind the window of 1024 frames), AuthenticationError; after\n"
          "each of them the state is as before.")
      .def("unprotect_into", &PyReceiver::unprotect_into, "frame"_a, "out"_a,
           "metadata"_a = py::bytes(),
           "As unprotect, into a writable buffer that shares no memory with the arguments; the "
           "size\n"
           "written. As many bytes as the frame are enough. Raises BufferTooSmallError and\n"
           "InvalidArgumentError.")
      .def("unprotect_many", &PyReceiver::unprotect_many, "frames"_a, "metadata"_a = py::none(),
           py::kw_only(), "return_errors"_a = false,
           "As unprotect for each of a sequence; refused ones as in Sender.protect_many.")
      .def("unprotect_batch", &PyReceiver::unprotect_batch, "data"_a, "sizes"_a,
           "metadata"_a = py::none(), "metadata_sizes"_a = py::none(), py::kw_only(),
           "errors"_a = py::none(),
           "As unprotect for frames back to back in `data` (uint8), `sizes` (int32 or uint32) "
           "long;\n"
           "results, errors and metadata as in Sender.protect_batch.");
}

}  // namespace sealroom::bindings
