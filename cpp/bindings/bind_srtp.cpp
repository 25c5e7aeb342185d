#include <pybind11/native_enum.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "key_arguments.h"
#include "native_call.h"
#include "sealroom/srtp/packet_header.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;
using namespace py::literals;

constexpr std::size_t kRtcpIndexSize = 4;

/// Each packet goes through `work`, which may run without the GIL. A packet that is refused does
/// not stop the others: its exception stands in its place in the list, or without `return_errors`
/// the first one is raised in the end.
template <class ResultSize, class Work>
py::list process_many(const py::list& packets, bool return_errors, ResultSize&& result_size,
                      Work&& work) {
  std::deque<ReadBuffer> inputs;
  std::vector<py::bytes> results;
  std::vector<MutableByteView> outputs(packets.size());
  std::vector<std::optional<Error>> errors(packets.size());
  results.reserve(packets.size());
  std::size_t bytes = 0;
  for (const py::handle packet : packets) {
    if (!py::isinstance<py::buffer>(packet))
      throw py::type_error("packets: a list of bytes-like objects");
    const std::size_t i = results.size();
    if (i == outputs.size()) break;  // the list grew while a buffer was taken
    const ByteView input = inputs.emplace_back(py::reinterpret_borrow<py::buffer>(packet)).view();
    bytes += input.size();
    results.push_back(make_bytes(result_size(input), outputs[i]));
  }
  run_native(bytes, [&] {
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Result<std::size_t> done = work(inputs[i].view(), outputs[i]);
      if (!done) errors[i] = done.error();
    }
  });
  py::list list(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (errors[i] && !return_errors) raise(*errors[i]);
    list[i] = errors[i] ? make_exception(*errors[i]) : py::object(std::move(results[i]));
  }
  return list;
}

class PySender {
 public:
  PySender(int profile, const py::buffer& master, const std::optional<std::string>& backend)
      : profile_(srtp_profile(profile)),
        backend_(backend_from_option(backend)),
        sender_(create(master)),
        parameters_(unwrap(srtp::profile_parameters(profile_))) {}

  py::bytes protect_rtp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    MutableByteView out;
    py::bytes result = make_bytes(rtp_size(in.view()), out);
    unwrap(run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return seal_rtp(in.view(), out);
    }));
    return result;
  }

  py::list protect_rtp_many(const py::list& packets, bool return_errors) {
    return process_many(
        packets, return_errors, [&](ByteView in) { return rtp_size(in); },
        [&](ByteView in, MutableByteView out) {
          const std::lock_guard lock(mutex_);
          return seal_rtp(in, out);
        });
  }

  py::bytes protect_rtcp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    const std::size_t size = in.view().size();
    MutableByteView out;
    py::bytes result = make_bytes(size + parameters_.rtcp_tag_size + kRtcpIndexSize, out);
    std::ranges::copy(in.view(), out.begin());
    unwrap(run_native(size, [&] {
      const std::lock_guard lock(mutex_);
      return sender_.protect_rtcp(out, size);
    }));
    return result;
  }

  void remove_stream(std::uint32_t ssrc) {
    const std::lock_guard lock(mutex_);
    sender_.remove_stream(Ssrc{ssrc});
  }

  [[nodiscard]] srtp::Profile profile() const { return profile_; }
  [[nodiscard]] std::string backend() const { return std::string(crypto::backend_name(backend_)); }

 private:
  [[nodiscard]] srtp::Sender create(const py::buffer& master) const {
    const ReadBuffer key(master);
    return unwrap(
        srtp::Sender::create(backend_, profile_, checked_master("master", profile_, key.view())));
  }

  [[nodiscard]] std::size_t rtp_size(ByteView packet) const {
    return packet.size() + parameters_.rtp_tag_size;
  }

  Result<std::size_t> seal_rtp(ByteView packet, MutableByteView out) {
    const auto header = srtp::parse_rtp_header(packet);
    if (!header) return header.error();
    const std::size_t header_size = header.value().size;
    std::ranges::copy(packet.first(header_size), out.begin());
    return sender_.protect_rtp(out, header_size, packet.subspan(header_size));
  }

  std::mutex mutex_;
  srtp::Profile profile_;
  crypto::Backend backend_;
  srtp::Sender sender_;
  srtp::ProfileParameters parameters_;
};

class PyReceiver {
 public:
  PyReceiver(int profile, const py::buffer& master, std::size_t replay_window,
             const std::optional<std::string>& backend)
      : profile_(srtp_profile(profile)),
        backend_(backend_from_option(backend)),
        receiver_(create(master, replay_window)),
        parameters_(unwrap(srtp::profile_parameters(profile_))) {}

  py::bytes unprotect_rtp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    MutableByteView out;
    py::bytes result = make_bytes(rtp_size(in.view()), out);
    unwrap(run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return receiver_.unprotect_rtp(in.view(), out);
    }));
    return result;
  }

  py::list unprotect_rtp_many(const py::list& packets, bool return_errors) {
    return process_many(
        packets, return_errors, [&](ByteView in) { return rtp_size(in); },
        [&](ByteView in, MutableByteView out) {
          const std::lock_guard lock(mutex_);
          return receiver_.unprotect_rtp(in, out);
        });
  }

  py::bytes unprotect_rtcp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    MutableByteView out;
    py::bytes result =
        make_bytes(without(in.view(), parameters_.rtcp_tag_size + kRtcpIndexSize), out);
    unwrap(run_native(in.view().size(), [&] {
      const std::lock_guard lock(mutex_);
      return receiver_.unprotect_rtcp(in.view(), out);
    }));
    return result;
  }

  std::uint32_t roll_over_counter(std::uint32_t ssrc) {
    const std::lock_guard lock(mutex_);
    return unwrap(receiver_.roll_over_counter(Ssrc{ssrc}));
  }
  void set_roll_over_counter(std::uint32_t ssrc, std::uint32_t counter) {
    const std::lock_guard lock(mutex_);
    unwrap(receiver_.set_roll_over_counter(Ssrc{ssrc}, counter));
  }
  void remove_stream(std::uint32_t ssrc) {
    const std::lock_guard lock(mutex_);
    receiver_.remove_stream(Ssrc{ssrc});
  }
  std::size_t stream_count() {
    const std::lock_guard lock(mutex_);
    return receiver_.stream_count();
  }

  [[nodiscard]] srtp::Profile profile() const { return profile_; }
  [[nodiscard]] std::string backend() const { return std::string(crypto::backend_name(backend_)); }

 private:
  [[nodiscard]] srtp::Receiver create(const py::buffer& master, std::size_t replay_window) const {
    const ReadBuffer key(master);
    return unwrap(srtp::Receiver::create(backend_, profile_,
                                         checked_master("master", profile_, key.view()),
                                         {.replay_window = replay_window}));
  }

  // A packet too short to hold what protection added is the core's to refuse.
  static std::size_t without(ByteView packet, std::size_t overhead) {
    return packet.size() - std::min(packet.size(), overhead);
  }
  [[nodiscard]] std::size_t rtp_size(ByteView packet) const {
    return without(packet, parameters_.rtp_tag_size);
  }

  std::mutex mutex_;
  srtp::Profile profile_;
  crypto::Backend backend_;
  srtp::Receiver receiver_;
  srtp::ProfileParameters parameters_;
};

}  // namespace

void bind_srtp(py::module_& parent) {
  py::module_ m = parent.def_submodule("srtp", "SRTP and SRTCP (RFC 3711, RFC 7714).");
  py::native_enum<srtp::Profile>(m, "Profile", "enum.IntEnum")
      .value("AES128_CM_SHA1_80", srtp::Profile::aes128_cm_sha1_80)
      .value("AES128_CM_SHA1_32", srtp::Profile::aes128_cm_sha1_32)
      .value("AEAD_AES_128_GCM", srtp::Profile::aead_aes_128_gcm)
      .value("AEAD_AES_256_GCM", srtp::Profile::aead_aes_256_gcm)
      .finalize();
  m.def(
      "master_size",
      [](int profile) {
        const auto parameters = unwrap(srtp::profile_parameters(srtp_profile(profile)));
        return py::make_tuple(parameters.key_size, parameters.salt_size);
      },
      "profile"_a, "Bytes of master key and of master salt.");
  py::class_<PySender>(
      m, "Sender",
      "Protects the packets of one direction. `master` is master key followed by master salt;\n"
      "`backend` is a name of crypto.available_backends(). Thread-safe.")
      .def(py::init<int, const py::buffer&, const std::optional<std::string>&>(), py::kw_only(),
           "profile"_a, "master"_a, "backend"_a = py::none())
      .def(refuse_construction<PySender>(
          "Sender(*, profile: int, master: bytes-like, backend: str | None = None)"))
      .def("protect_rtp", &PySender::protect_rtp, "packet"_a,
           "The protected packet. A sequence number sent before must come with the same bytes.\n"
           "Raises MalformedError, LimitExceededError (4096 streams), KeyExhaustedError.")
      .def("protect_rtp_many", &PySender::protect_rtp_many, "packets"_a, py::kw_only(),
           "return_errors"_a = false,
           "As protect_rtp for each packet. A refused packet does not stop the others: its place\n"
           "holds its exception, or without `return_errors` the first one is raised in the end.")
      .def("protect_rtcp", &PySender::protect_rtcp, "packet"_a,
           "The protected compound packet, always encrypted. Raises as protect_rtp.")
      .def("remove_stream", &PySender::remove_stream, "ssrc"_a,
           "Forgets a stream that will never be sent again under this key.")
      .def_property_readonly("profile", &PySender::profile)
      .def_property_readonly("backend", &PySender::backend);
  py::class_<PyReceiver>(
      m, "Receiver",
      "Opens the packets of one direction. `replay_window` is in packets, 64 to 32768. A packet\n"
      "that is refused changes nothing. Thread-safe.")
      .def(py::init<int, const py::buffer&, std::size_t, const std::optional<std::string>&>(),
           py::kw_only(), "profile"_a, "master"_a,
           "replay_window"_a = srtp::ReceiverOptions{}.replay_window, "backend"_a = py::none())
      .def(refuse_construction<PyReceiver>(
          "Receiver(*, profile: int, master: bytes-like, replay_window: int = 1024, "
          "backend: str | None = None)"))
      .def("unprotect_rtp", &PyReceiver::unprotect_rtp, "packet"_a,
           "The packet in clear. Raises AuthenticationError, ReplayError (TooOldError behind the\n"
           "window), MalformedError, LimitExceededError (4096 streams), KeyExhaustedError.")
      .def("unprotect_rtp_many", &PyReceiver::unprotect_rtp_many, "packets"_a, py::kw_only(),
           "return_errors"_a = false,
           "As unprotect_rtp for each packet; see Sender.protect_rtp_many for refused ones.")
      .def("unprotect_rtcp", &PyReceiver::unprotect_rtcp, "packet"_a,
           "The compound packet in clear. Raises as unprotect_rtp, and NotEncryptedError.")
      .def("roll_over_counter", &PyReceiver::roll_over_counter, "ssrc"_a,
           "Wraps of the sequence number so far. Raises UnknownStreamError before the first one.")
      .def("set_roll_over_counter", &PyReceiver::set_roll_over_counter, "ssrc"_a,
           "roll_over_counter"_a,
           "Tells where a stream stands, before its first packet (RFC 3711 section 3.3.1). Raises\n"
           "InvalidArgumentError after it, LimitExceededError.")
      .def("remove_stream", &PyReceiver::remove_stream, "ssrc"_a,
           "Forgets a stream: its old packets would be accepted again.")
      .def_property_readonly("stream_count", &PyReceiver::stream_count,
                             "SSRCs that have authenticated.")
      .def_property_readonly("profile", &PyReceiver::profile)
      .def_property_readonly("backend", &PyReceiver::backend);
}

}  // namespace sealroom::bindings
