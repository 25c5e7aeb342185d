#include <pybind11/native_enum.h>
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
#include "sealroom/srtp/packet_header.h"
#include "sealroom/srtp/sender.h"
#include "srtp_arguments.h"
#include "srtp_batch.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;
using namespace py::literals;

class PySender {
 public:
  PySender(int profile, const py::buffer& master, const py::buffer& mki,
           std::uint64_t max_rtp_packets, std::uint64_t max_rtcp_packets, bool allow_repeats,
           const std::optional<std::string>& backend)
      : profile_(any_profile(profile)),
        backend_(backend_from_option(backend)),
        sender_(create(master, mki,
                       {.max_rtp_packets = max_rtp_packets,
                        .max_rtcp_packets = max_rtcp_packets,
                        .allow_repeats = allow_repeats})),
        rtp_overhead_(sender_.rtp_overhead()),
        rtcp_overhead_(sender_.rtcp_overhead()) {}

  py::bytes protect_rtp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    MutableByteView out;
    py::bytes result = make_bytes(rtp_size(in.view()), out);
    if (out.size() > srtp::kMaxPacketSize) {
      raise(Error::malformed, "packet: too large for a datagram of 65535 bytes once protected");
    }
    unwrap(run_native(in.view().size(),
                      [&] {
                        const std::lock_guard lock(mutex_);
                        return seal_rtp(in.view(), out);
                      }),
           sealing_error);
    return result;
  }

  py::list protect_rtp_many(const py::object& packets, bool return_errors) {
    return protect_rtp_list(sender_, mutex_, packets, return_errors);
  }
  py::tuple protect_rtp_batch(const py::buffer& data, const py::buffer& sizes) {
    return bindings::protect_rtp_batch(sender_, mutex_, data, sizes);
  }
  std::size_t protect_rtp_batch_into(const py::buffer& data, const py::buffer& sizes,
                                     const py::buffer& out, const py::buffer& out_sizes) {
    return bindings::protect_rtp_batch_into(sender_, mutex_, data, sizes, out, out_sizes);
  }

  py::bytes protect_rtcp(const py::buffer& packet) {
    const ReadBuffer in(packet);
    const std::size_t size = in.view().size();
    MutableByteView out;
    py::bytes result = make_bytes(size + rtcp_overhead_, out);
    std::ranges::copy(in.view(), out.begin());
    unwrap(run_native(size,
                      [&] {
                        const std::lock_guard lock(mutex_);
                        return sender_.protect_rtcp(out, size);
                      }),
           sealing_error);
    return result;
  }

  void set_key(const py::buffer& master, const py::buffer& mki) {
    const ReadBuffer key(master);
    const ReadBuffer identifier(mki);
    const std::size_t mki_size =
        rtp_overhead_ - unwrap(srtp::profile_parameters(profile_)).rtp_tag_size;
    checked_mki(identifier.view(), mki_size);
    const ByteView checked = checked_master("master", profile_, key.view());
    unwrap(locked(mutex_, [&] { return sender_.set_key(checked, identifier.view()); }),
           "master: the key in use; only one that was never used keeps the key stream unique");
  }
  srtp::KeyUsage key_usage() {
    const std::lock_guard lock(mutex_);
    return sender_.key_usage();
  }
  void remove_stream(std::uint32_t ssrc) {
    const std::lock_guard lock(mutex_);
    sender_.remove_stream(Ssrc{ssrc});
  }

  [[nodiscard]] srtp::Profile profile() const { return profile_; }
  [[nodiscard]] std::string backend() const { return std::string(crypto::backend_name(backend_)); }
  [[nodiscard]] std::size_t rtp_overhead() const { return rtp_overhead_; }
  [[nodiscard]] std::size_t rtcp_overhead() const { return rtcp_overhead_; }

 private:
  [[nodiscard]] srtp::Sender create(const py::buffer& master, const py::buffer& mki,
                                    srtp::SenderOptions options) const {
    const ReadBuffer key(master);
    const ReadBuffer identifier(mki);
    options.mki = checked_mki(identifier.view());
    return unwrap(srtp::Sender::create(backend_, profile_,
                                       checked_master("master", profile_, key.view()), options));
  }

  [[nodiscard]] std::size_t rtp_size(ByteView packet) const {
    return packet.size() + rtp_overhead_;
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
  std::size_t rtp_overhead_;  // never change, so they are read without the lock
  std::size_t rtcp_overhead_;
};

void bind_sender(py::module_& m) {
  py::class_<PySender>(
      m, "Sender",
      "Protects the packets of one direction (RFC 3711 section 3.3, RFC 7714). `master` is master "
      "key followed by master salt. "
      "With\n"
      "an `mki` (1 to 128 bytes) every packet carries it. The limits hold for each master key and\n"
      "are at most the RFC's. A sequence number is sealed once under a key: twice would be the "
      "same\n"
      "key stream. `allow_repeats` leaves that to the caller, whose second packet must be the "
      "first,\n"
      "byte by byte. `backend` is a name of native_info().crypto_backends. Thread-safe. Raises\n"
      "InvalidArgumentError for wrong sizes, UnsupportedError for an unknown profile or back end.")
      .def(py::init<int, const py::buffer&, const py::buffer&, std::uint64_t, std::uint64_t, bool,
                    const std::optional<std::string>&>(),
           py::kw_only(), "profile"_a, "master"_a, "mki"_a = py::bytes(),
           "max_rtp_packets"_a = srtp::kMaxRtpPackets, "max_rtcp_packets"_a = srtp::kMaxRtcpPackets,
           "allow_repeats"_a = false, "backend"_a = py::none())
      .def("protect_rtp", &PySender::protect_rtp, "packet"_a,
           "The protected packet, `rtp_overhead` bytes longer. Raises ReplayError for a sequence\n"
           "number sent before and TooOldError for one 1024 (with `allow_repeats` 16384) or more\n"
           "behind the newest, MalformedError, LimitExceededError (4096 streams),\n"
           "KeyExhaustedError.")
      .def("protect_rtp_many", &PySender::protect_rtp_many, "packets"_a, py::kw_only(),
           "return_errors"_a = false,
           "As protect_rtp for each packet. A refused packet does not stop the others: its place\n"
           "holds its exception, or without `return_errors` the first one is raised in the end.")
      .def(
          "protect_rtp_batch", &PySender::protect_rtp_batch, "data"_a, "sizes"_a,
          "Packets back to back in `data` (uint8), with their `sizes` (int32), which must add up\n"
          "to its length: `(data, sizes)` of the protected packets, uint8 and int32, shapes "
          "(bytes,)\n"
          "and (packets,). Each is\n"
          "rtp_overhead bytes longer. Raises TruncatedError or MalformedError, naming the packet,\n"
          "and KeyExhaustedError before any is sealed; ReplayError, TooOldError or "
          "LimitExceededError\n"
          "when it comes to that: the numbers of the packets before are spent then.")
      .def("protect_rtp_batch_into", &PySender::protect_rtp_batch_into, "data"_a, "sizes"_a,
           "out"_a, "out_sizes"_a,
           "As protect_rtp_batch, into `out` (uint8, may be longer) and `out_sizes` (int32, as "
           "many\n"
           "as `sizes`); no two of `data` and these share memory. Returns the bytes written. "
           "Raises\n"
           "also BufferTooSmallError and InvalidArgumentError, before anything is written.")
      .def("protect_rtcp", &PySender::protect_rtcp, "packet"_a,
           "The protected compound packet, always encrypted. Raises as protect_rtp.")
      .def("set_key", &PySender::set_key, "master"_a, "mki"_a = py::bytes(),
           "Re-keying: from now on packets go under this master key. Roll-over counters and "
           "indices\n"
           "go on (RFC 3711 section 3.2.1), the key's lifetime begins anew. Never a key used "
           "before.\n"
           "Raises InvalidArgumentError for a wrong size or the key in use; the old key then "
           "stays.")
      .def("key_usage", &PySender::key_usage, "What is used and what is left of the master key.")
      .def("remove_stream", &PySender::remove_stream, "ssrc"_a,
           "Forgets the stream of an SSRC that will never be sent again under this key.")
      .def_property_readonly("rtp_overhead", &PySender::rtp_overhead,
                             "Bytes that protection adds to an RTP packet: tag and MKI.")
      .def_property_readonly("rtcp_overhead", &PySender::rtcp_overhead,
                             "Bytes that protection adds to an RTCP packet.")
      .def_property_readonly("profile", &PySender::profile, "The Profile.")
      .def_property_readonly("backend", &PySender::backend,
                             "The crypto library: \"ipsec_mb\" or \"openssl\".");
}

}  // namespace

void bind_srtp(py::module_& parent) {
  py::module_ m = parent.def_submodule("srtp", "SRTP and SRTCP (RFC 3711, RFC 7714, RFC 6188).");
  py::native_enum<srtp::Profile>(
      m, "Profile", "enum.IntEnum",
      "Protection profiles under the numbers of DTLS-SRTP (RFC 5764 section 4.1.2, RFC 7714 "
      "section\n"
      "14.2). AES-256 in counter mode (RFC 6188), which has none there, has numbers of our own.")
      .value("AES128_CM_SHA1_80", srtp::Profile::aes128_cm_sha1_80)
      .value("AES128_CM_SHA1_32", srtp::Profile::aes128_cm_sha1_32)
      .value("AEAD_AES_128_GCM", srtp::Profile::aead_aes_128_gcm)
      .value("AEAD_AES_256_GCM", srtp::Profile::aead_aes_256_gcm)
      .value("AES256_CM_SHA1_80", srtp::Profile::aes256_cm_sha1_80)
      .value("AES256_CM_SHA1_32", srtp::Profile::aes256_cm_sha1_32)
      .finalize();
  py::native_enum<PacketStatus>(m, "PacketStatus", "enum.IntEnum",
                                "What became of a packet of unprotect_rtp_batch: OK, or the error "
                                "that unprotect_rtp (RFC 3711\n"
                                "section 3.3) would have raised. The numbers do not change.")
      .value("OK", PacketStatus::ok)
      .value("TRUNCATED", PacketStatus::truncated)
      .value("MALFORMED", PacketStatus::malformed)
      .value("AUTHENTICATION_FAILED", PacketStatus::authentication_failed)
      .value("REPLAYED", PacketStatus::replayed)
      .value("TOO_OLD", PacketStatus::too_old)
      .value("UNKNOWN_KEY_ID", PacketStatus::unknown_key_id)
      .value("KEY_EXHAUSTED", PacketStatus::key_exhausted)
      .value("LIMIT_EXCEEDED", PacketStatus::limit_exceeded)
      .value("FAILED", PacketStatus::failed)
      .finalize();
  m.def(
      "master_size",
      [](int profile) {
        const auto parameters = unwrap(srtp::profile_parameters(any_profile(profile)));
        return py::make_tuple(parameters.key_size, parameters.salt_size);
      },
      "profile"_a,
      "Bytes of master key and of master salt (RFC 3711 section 3.2.1, RFC 7714, RFC 6188). "
      "Raises\n"
      "UnsupportedError for an unknown profile.");
  py::class_<srtp::KeyUsage>(
      m, "KeyUsage",
      "Packets that went under a master key, and what is left until its limits (RFC 3711 section\n"
      "9.2): re-key in time.")
      .def_readonly("rtp_packets", &srtp::KeyUsage::rtp_packets,
                    "RTP packets sealed or opened under the key.")
      .def_readonly("rtcp_packets", &srtp::KeyUsage::rtcp_packets,
                    "RTCP packets sealed or opened under the key.")
      .def_readonly("remaining_rtp_packets", &srtp::KeyUsage::remaining_rtp_packets,
                    "RTP packets until KeyExhaustedError.")
      .def_readonly("remaining_rtcp_packets", &srtp::KeyUsage::remaining_rtcp_packets,
                    "RTCP packets until KeyExhaustedError.");
  bind_sender(m);
  bind_srtp_receiver(m);
}

}  // namespace sealroom::bindings
