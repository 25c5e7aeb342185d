#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "native_call.h"
#include "sealroom/srtp/receiver.h"
#include "srtp_arguments.h"
#include "srtp_batch.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;
using namespace py::literals;

std::string further_key_error(Error error) {
  switch (error) {
    case Error::invalid_argument:
      return "master: a key that is here already; its packets would be accepted again";
    case Error::limit_exceeded:
      return "mki: 16 master keys are here, no more; remove_key() one that is over";
    default:
      return std::string(error_message(error));
  }
}

std::string counter_error(Error error) {
  if (error == Error::invalid_argument) {
    return "ssrc: packets of this stream were accepted, so it is known where it stands";
  }
  return "ssrc: 4096 streams are told already, no more; remove_stream() those that ended";
}

class PyReceiver {
 public:
  PyReceiver(int profile, const py::buffer& master, std::size_t replay_window,
             const py::buffer& mki, std::uint64_t max_rtp_packets, std::uint64_t max_rtcp_packets,
             const std::optional<std::string>& backend)
      : profile_(any_profile(profile)),
        backend_(backend_from_option(backend)),
        receiver_(create(master, replay_window, mki, max_rtp_packets, max_rtcp_packets)),
        rtp_overhead_(receiver_.rtp_overhead()),
        rtcp_overhead_(receiver_.rtcp_overhead()) {}

  py::bytes unprotect_rtp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    MutableByteView out;
    py::bytes result = make_bytes(rtp_size(in.view()), out);
    unwrap(run_native(in.view().size(),
                      [&] {
                        const std::lock_guard lock(mutex_);
                        return receiver_.unprotect_rtp(in.view(), out);
                      }),
           opening_error);
    return result;
  }

  py::list unprotect_rtp_many(const py::object& packets, bool return_errors) {
    return unprotect_rtp_list(receiver_, mutex_, packets, return_errors);
  }
  py::tuple unprotect_rtp_batch(const py::buffer& data, const py::buffer& sizes) {
    return bindings::unprotect_rtp_batch(receiver_, mutex_, data, sizes);
  }
  std::size_t unprotect_rtp_batch_into(const py::buffer& data, const py::buffer& sizes,
                                       const py::buffer& out, const py::buffer& out_sizes,
                                       const py::buffer& statuses) {
    return bindings::unprotect_rtp_batch_into(receiver_, mutex_, data, sizes, out, out_sizes,
                                              statuses);
  }

  py::bytes unprotect_rtcp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    MutableByteView out;
    py::bytes result = make_bytes(without(in.view(), rtcp_overhead_), out);
    unwrap(run_native(in.view().size(),
                      [&] {
                        const std::lock_guard lock(mutex_);
                        return receiver_.unprotect_rtcp(in.view(), out);
                      }),
           opening_error);
    return result;
  }

  void set_key(const py::buffer& master, const py::buffer& mki) {
    const ReadBuffer key(master);
    const ReadBuffer identifier(mki);
    checked_mki(identifier.view(), mki_size());
    const ByteView checked = checked_master("master", profile_, key.view());
    unwrap(locked(mutex_, [&] { return receiver_.set_key(checked, identifier.view()); }),
           further_key_error);
  }
  void remove_key(const py::buffer& mki) {
    const ReadBuffer identifier(mki);
    unwrap(locked(mutex_, [&] { return receiver_.remove_key(identifier.view()); }));
  }
  srtp::KeyUsage key_usage(const py::buffer& mki) {
    const ReadBuffer identifier(mki);
    return unwrap(locked(mutex_, [&] { return receiver_.key_usage(identifier.view()); }));
  }
  std::size_t key_count() {
    const std::lock_guard lock(mutex_);
    return receiver_.key_count();
  }
  std::uint32_t roll_over_counter(std::uint32_t ssrc) {
    return unwrap(locked(mutex_, [&] { return receiver_.roll_over_counter(Ssrc{ssrc}); }));
  }
  void set_roll_over_counter(std::uint32_t ssrc, std::uint32_t counter) {
    unwrap(locked(mutex_, [&] { return receiver_.set_roll_over_counter(Ssrc{ssrc}, counter); }),
           counter_error);
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

  [[nodiscard]] std::size_t rtp_overhead() const { return rtp_overhead_; }
  [[nodiscard]] std::size_t rtcp_overhead() const { return rtcp_overhead_; }

 private:
  [[nodiscard]] srtp::Receiver create(const py::buffer& master, std::size_t replay_window,
                                      const py::buffer& mki, std::uint64_t max_rtp_packets,
                                      std::uint64_t max_rtcp_packets) const {
    const ReadBuffer key(master);
    const ReadBuffer identifier(mki);
    return unwrap(
        srtp::Receiver::create(backend_, profile_, checked_master("master", profile_, key.view()),
                               {.replay_window = replay_window,
                                .max_rtp_packets = max_rtp_packets,
                                .max_rtcp_packets = max_rtcp_packets,
                                .mki = checked_mki(identifier.view())}),
        "replay_window: outside its range of 64 to 32768 packets");
  }
  [[nodiscard]] std::size_t mki_size() const {
    return rtp_overhead_ - unwrap(srtp::profile_parameters(profile_)).rtp_tag_size;
  }

  // A packet too short to hold what protection added is the core's to refuse.
  static std::size_t without(ByteView packet, std::size_t overhead) {
    return packet.size() - std::min(packet.size(), overhead);
  }
  [[nodiscard]] std::size_t rtp_size(ByteView packet) const {
    return without(packet, rtp_overhead_);
  }

  std::mutex mutex_;
  srtp::Profile profile_;
  crypto::Backend backend_;
  srtp::Receiver receiver_;
  std::size_t rtp_overhead_;  // never change, so they are read without the lock
  std::size_t rtcp_overhead_;
};

}  // namespace

void bind_srtp_receiver(py::module_& m) {
  py::class_<PyReceiver>(
      m, "Receiver",
      "Opens the packets of one direction (RFC 3711 section 3.3, RFC 7714). `replay_window` is in "
      "packets, 64 to 32768. With an\n"
      "`mki` every packet must carry one of that size, which names its master key; see set_key. A\n"
      "packet that is refused changes nothing. Thread-safe. Raises InvalidArgumentError for wrong\n"
      "sizes, UnsupportedError for an unknown profile or back end.")
      .def(py::init<int, const py::buffer&, std::size_t, const py::buffer&, std::uint64_t,
                    std::uint64_t, const std::optional<std::string>&>(),
           py::kw_only(), "profile"_a, "master"_a,
           "replay_window"_a = srtp::ReceiverOptions{}.replay_window, "mki"_a = py::bytes(),
           "max_rtp_packets"_a = srtp::kMaxRtpPackets, "max_rtcp_packets"_a = srtp::kMaxRtcpPackets,
           "backend"_a = py::none())
      .def("unprotect_rtp", &PyReceiver::unprotect_rtp, "packet"_a,
           "The packet in clear. Raises AuthenticationError, ReplayError (TooOldError behind the\n"
           "window), MalformedError, KeyNotFoundError (its MKI is of no master key here),\n"
           "LimitExceededError (4096 streams), KeyExhaustedError.")
      .def("unprotect_rtp_many", &PyReceiver::unprotect_rtp_many, "packets"_a, py::kw_only(),
           "return_errors"_a = false,
           "As unprotect_rtp for each packet; see Sender.protect_rtp_many for refused ones.")
      .def("unprotect_rtp_batch", &PyReceiver::unprotect_rtp_batch, "data"_a, "sizes"_a,
           "Packets back to back in `data` (uint8), with their `sizes` (int32), which must add up\n"
           "to its length: `(data, sizes, statuses)`. Every packet keeps its place, rtp_overhead\n"
           "bytes shorter; `statuses` (uint8, shape (packets,)) has its PacketStatus. A refused "
           "packet raises "
           "nothing\n"
           "and stops no other: its place is zeros. Raises InvalidArgumentError for wrong sizes.")
      .def("unprotect_rtp_batch_into", &PyReceiver::unprotect_rtp_batch_into, "data"_a, "sizes"_a,
           "out"_a, "out_sizes"_a, "statuses"_a,
           "As unprotect_rtp_batch, into `out` (uint8, may be longer), `out_sizes` (int32) and\n"
           "`statuses` (uint8), both as many as `sizes`; no two of `data` and these share "
           "memory.\n"
           "Returns how many were accepted. Raises BufferTooSmallError and InvalidArgumentError, "
           "before\n"
           "anything is written.")
      .def("unprotect_rtcp", &PyReceiver::unprotect_rtcp, "packet"_a,
           "The compound packet in clear. Raises as unprotect_rtp, and NotEncryptedError.")
      .def("set_key", &PyReceiver::set_key, "master"_a, "mki"_a = py::bytes(),
           "Adds a master key, or replaces the one with this MKI (without MKIs: the only one, at\n"
           "once). Roll-over counters go on, the key's replay windows and lifetime begin anew: "
           "never\n"
           "a key that was here before. Raises InvalidArgumentError (sizes, or a key that is "
           "here),\n"
           "LimitExceededError (16 keys); nothing changes then.")
      .def("remove_key", &PyReceiver::remove_key, "mki"_a,
           "Forgets a master key. Raises KeyNotFoundError.")
      .def("key_usage", &PyReceiver::key_usage, "mki"_a = py::bytes(),
           "What is used and what is left of a master key. Raises KeyNotFoundError.")
      .def_property_readonly("key_count", &PyReceiver::key_count, "Master keys it has, at most 16.")
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
      .def_property_readonly("rtp_overhead", &PyReceiver::rtp_overhead,
                             "Bytes that protection adds to an RTP packet: tag and MKI.")
      .def_property_readonly("rtcp_overhead", &PyReceiver::rtcp_overhead,
                             "Bytes that protection adds to an RTCP packet.")
      .def_property_readonly("profile", &PyReceiver::profile, "The Profile.")
      .def_property_readonly("backend", &PyReceiver::backend,
                             "The crypto library: \"ipsec_mb\" or \"openssl\".");
}

}  // namespace sealroom::bindings
