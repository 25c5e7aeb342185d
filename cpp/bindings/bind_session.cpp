#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "host_owner.h"
#include "packet_transport.h"
#include "sealroom/host/session_host.h"
#include "session_objects.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;
using namespace py::literals;
using session::ReceiverId;
using session::SenderId;

constexpr std::size_t kMaxEventsAtOnce = 256;
constexpr std::size_t kMaxMidSize = 16;
constexpr const char* kUnknownSender = "sender: unknown id";
constexpr const char* kUnknownReceiver = "receiver: unknown id";

const std::string& checked_mid(const std::string& mid) {
  if (mid.size() > kMaxMidSize) raise(Error::invalid_argument, "mid: at most 16 bytes");
  return mid;
}

/// 0 for none.
std::uint64_t checked_rate(const char* name, std::optional<std::int64_t> rate) {
  if (!rate) return 0;
  if (*rate < static_cast<std::int64_t>(net::Pacer::kMinRate)) {
    raise(Error::invalid_argument, std::string(name) + ": at least 10,000 bit/s, or None");
  }
  return static_cast<std::uint64_t>(*rate);
}

std::string too_large(std::size_t size) {
  const std::string has = "data: a frame of " + std::to_string(size) + " bytes, ";
  if (size > session::kMaxFrameSize) {
    return has + "above 2 MiB: encode smaller pictures or at a lower bit rate";
  }
  return has + "and one of audio goes into one packet, which takes " +
         std::to_string(session::kMaxAudioFrameSize) + ", one of video into at most " +
         std::to_string(session::kMaxFramePackets) +
         ": encode at a lower bit rate, fewer milliseconds a packet or larger NAL units and OBUs";
}

session::SessionConfig session_config(const std::optional<std::string>& backend,
                                      const std::string& cname,
                                      const std::map<std::string, int>& extensions) {
  if (cname.empty() || cname.size() > 255) raise(Error::invalid_argument, "cname: 1 to 255 bytes");
  session::SessionConfig config;
  config.backend = backend_from_option(backend);
  config.cname = cname;
  config.rtcp_ssrc = Ssrc{random_u32()};
  config.extensions = extension_map(extensions);
  return config;
}

class PyMediaSession : public HostOwner<host::SessionHost> {
 private:
  template <class Function>
  auto run(Function&& function) {
    return without_gil(
        [&](host::SessionHost& to) { return to.with_session(std::forward<Function>(function)); });
  }

 public:
  PyMediaSession(net::IoThread* io_thread, const session::SessionConfig& config, std::uint64_t rate)
      : HostOwner(std::make_unique<host::SessionHost>(io_thread_or_default(io_thread), config)),
        backend_(config.backend) {
    if (rate != 0) host().set_pacing_rate(rate);
  }

  [[nodiscard]] std::string backend() const { return std::string(crypto::backend_name(backend_)); }

  void set_pacing_rate(std::optional<std::int64_t> rate) {
    const std::uint64_t checked = checked_rate("rate", rate);
    without_gil([&](host::SessionHost& to) { to.set_pacing_rate(checked); });
  }

  std::uint64_t add_sender(std::uint32_t ssrc, int type, const std::string& codec,
                           const std::string& mid, bool protection,
                           const std::optional<std::pair<std::uint32_t, int>>& rtx,
                           const std::optional<std::pair<int, std::size_t>>& red) {
    session::SenderConfig config;
    config.codec = codec_from_name(codec);
    config.payload_type = shared_port_payload_type("payload_type", type);
    config.ssrc = Ssrc{ssrc};
    config.mid = checked_mid(mid);
    config.protection = protection;
    config.first_sequence_number = random_first_number();
    config.first_picture_id = random_first_number();
    if (rtx) {
      config.rtx = session::RtxSenderConfig{
          Ssrc{rtx->first}, shared_port_payload_type("rtx", rtx->second), random_first_number()};
    }
    if (red) {
      config.red =
          session::RedSenderConfig{shared_port_payload_type("red", red->first), red->second};
    }
    const char* why =
        "rtx or red: an SSRC or a payload type that is the media's, RED of anything but Opus or a "
        "distance that is not 1 to 8";
    auto added = run([&](session::MediaSession& media, TimePoint) {
      if (!media.can_send_as(config.ssrc)) {
        why =
            "ssrc: was used in this session before, and SRTP allows that only once under a key; "
            "take a new random one";
      } else if (config.rtx && !media.can_send_as(config.rtx->ssrc)) {
        why =
            "rtx: its SSRC was used in this session before, and SRTP allows that only once under "
            "a key; take a new random one";
      }
      return media.add_sender(std::move(config));
    });
    return unwrap(std::move(added), why).value;
  }

  void set_sender_key(std::uint64_t sender, int suite, std::uint64_t key_id,
                      const py::buffer& key) {
    const ReadBuffer base_key(key);
    const sframe::CipherSuite known_suite = cipher_suite(suite);
    unwrap(run([&](session::MediaSession& media, TimePoint) {
             return media.set_sender_key(SenderId{sender}, known_suite, KeyId{key_id},
                                         base_key.view());
           }),
           "sender, key_id or base_key: a known sender with protection, a key id above the last, "
           "at least 1 byte of key");
  }

  void remove_sender(std::uint64_t sender) {
    unwrap(run([&](session::MediaSession& media, TimePoint) {
             return media.remove_sender(SenderId{sender});
           }),
           kUnknownSender);
  }

  void send_frame(std::uint64_t sender, const py::buffer& data, std::uint32_t rtp_timestamp,
                  std::optional<int> audio_level, bool voice_activity,
                  std::optional<bool> is_key_frame) {
    const ReadBuffer frame(data);
    if (frame.view().empty()) raise(Error::invalid_argument, "data: at least 1 byte");
    session::OutgoingFrame outgoing;
    outgoing.data = frame.view();
    outgoing.timestamp = RtpTimestamp{rtp_timestamp};
    outgoing.is_key_frame = is_key_frame;
    if (audio_level) {
      if (*audio_level < 0 || *audio_level > 127) {
        raise(Error::invalid_argument, "audio_level: 0 (loudest) to 127 (-dBov, RFC 6464)");
      }
      outgoing.audio_level =
          rtp::AudioLevel{voice_activity, static_cast<std::uint8_t>(*audio_level)};
    }
    const auto sent = without_gil(
        [&](host::SessionHost& to) { return to.send_frame(SenderId{sender}, outgoing); });
    if (sent) return;
    if (sent.error() == Error::limit_exceeded) raise(sent.error(), too_large(outgoing.data.size()));
    unwrap(sent,
           "sender or data: a known sender and, without protection, a frame of its codec's format "
           "(h264: Annex B, av1: OBUs)");
  }

  std::uint64_t add_receiver(const std::string& mid, std::optional<std::uint32_t> ssrc, int type,
                             const std::string& codec, bool protection,
                             std::optional<int> rtx_payload_type,
                             std::optional<std::uint32_t> rtx_ssrc, const std::string& repaired_rid,
                             std::optional<int> red_payload_type) {
    session::ReceiverConfig config;
    config.codec = codec_from_name(codec);
    config.payload_type = shared_port_payload_type("payload_type", type);
    if (ssrc) config.ssrc = Ssrc{*ssrc};
    config.mid = checked_mid(mid);
    config.protection = protection;
    if (rtx_payload_type) {
      config.rtx = session::RtxReceiverConfig{
          shared_port_payload_type("rtx_payload_type", *rtx_payload_type),
          rtx_ssrc ? std::optional(Ssrc{*rtx_ssrc}) : std::nullopt, repaired_rid};
    } else if (rtx_ssrc || !repaired_rid.empty()) {
      raise(Error::invalid_argument, "rtx_payload_type: needed with rtx_ssrc or repaired_rid");
    }
    if (red_payload_type) {
      config.red = shared_port_payload_type("red_payload_type", *red_payload_type);
    }
    return unwrap(
               run([&](session::MediaSession& media, TimePoint) {
                 return media.add_receiver(std::move(config));
               }),
               "ssrc, rtx_ssrc, repaired_rid or a payload type: an SSRC of another receiver or of "
               "a "
               "stream that was given up, more than 16 bytes, two payload types alike, or RED of "
               "anything but Opus")
        .value;
  }

  void add_receiver_key(std::uint64_t receiver, int suite, std::uint64_t key_id,
                        const py::buffer& key) {
    const ReadBuffer base_key(key);
    const sframe::CipherSuite known_suite = cipher_suite(suite);
    unwrap(
        run([&](session::MediaSession& media, TimePoint) {
          return media.add_receiver_key(ReceiverId{receiver}, known_suite, KeyId{key_id},
                                        base_key.view());
        }),
        "receiver, suite, key_id or base_key: a known receiver with protection, the suite of its "
        "other keys, a key id without a key, at least 1 byte of key");
  }

  void remove_receiver_key(std::uint64_t receiver, std::uint64_t key_id) {
    unwrap(run([&](session::MediaSession& media, TimePoint) {
             return media.remove_receiver_key(ReceiverId{receiver}, KeyId{key_id});
           }),
           kUnknownReceiver);
  }

  void set_drop_broken_frames(std::uint64_t receiver, bool drop) {
    unwrap(run([&](session::MediaSession& media, TimePoint) {
             return media.set_drop_broken_frames(ReceiverId{receiver}, drop);
           }),
           kUnknownReceiver);
  }

  void request_key_frame(std::uint64_t receiver) {
    unwrap(run([&](session::MediaSession& media, TimePoint now) {
             return media.request_key_frame(ReceiverId{receiver}, now);
           }),
           kUnknownReceiver);
  }

  void remove_receiver(std::uint64_t receiver) {
    unwrap(run([&](session::MediaSession& media, TimePoint) {
             return media.remove_receiver(ReceiverId{receiver});
           }),
           kUnknownReceiver);
  }

  py::list take_events() {
    std::vector<session::Event> events =
        without_gil([](host::SessionHost& from) { return from.take_events(kMaxEventsAtOnce); });
    py::list result(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) result[i] = to_python(events[i]);
    return result;
  }

  session::SessionStatistics statistics() {
    return run([](session::MediaSession& media, TimePoint) { return media.statistics(); });
  }
  session::SenderStatistics sender_statistics(std::uint64_t id) {
    return unwrap(run([&](session::MediaSession& media, TimePoint) {
                    return media.sender_statistics(SenderId{id});
                  }),
                  kUnknownSender);
  }
  session::ReceiverStatistics receiver_statistics(std::uint64_t id) {
    return unwrap(run([&](session::MediaSession& media, TimePoint) {
                    return media.receiver_statistics(ReceiverId{id});
                  }),
                  kUnknownReceiver);
  }

 private:
  crypto::Backend backend_;
};

}  // namespace

void bind_session(py::module_& parent) {
  py::module_ m = parent.def_submodule(
      "session", "One DTLS-SRTP association: encoded frames in, datagrams out, and back.");
  bind_session_events(m);
  bind_session_statistics(m);
  py::class_<PyMediaSession> session(
      m, "MediaSession",
      "Sends and receives the tracks of one DTLS-SRTP association on the I/O thread. `extensions`\n"
      "are ids of RTP header extensions, as in {\"mid\": 1, \"abs_send_time\": 2}. Methods that "
      "take\n"
      "the id of a sender or receiver raise InvalidArgumentError for an unknown one. With "
      "`pacing_rate`, bit/s of\n"
      "at least 10,000, what is sent is spread over time, in bursts of 5 ms; audio goes first and\n"
      "nothing waits longer than 250 ms. Thread-safe. A child of fork has to make its own: there\n"
      "the methods of this one raise NotReadyError. Raises OSError when out of descriptors.");
  PacketTransport<PyMediaSession>::bind(session);
  session
      .def(py::init([](net::IoThread* io_thread, const std::optional<std::string>& backend,
                       const std::string& cname, const std::map<std::string, int>& extensions,
                       std::optional<std::int64_t> pacing_rate) {
             const std::uint64_t rate = checked_rate("pacing_rate", pacing_rate);
             return std::make_unique<PyMediaSession>(
                 io_thread, session_config(backend, cname, extensions), rate);
           }),
           "io_thread"_a = py::none(), py::kw_only(), "backend"_a = py::none(),
           "cname"_a = "sealroom", "extensions"_a = std::map<std::string, int>{},
           "pacing_rate"_a = py::none(), py::keep_alive<1, 2>())
      .def("set_pacing_rate", &PyMediaSession::set_pacing_rate, "rate"_a,
           "From now on, bit/s; None stops pacing and sends what waits.")
      .def_property_readonly("backend", &PyMediaSession::backend)
      .def("add_sender", &PyMediaSession::add_sender, py::kw_only(), "ssrc"_a, "payload_type"_a,
           "codec"_a, "mid"_a = "", "protection"_a = true, "rtx"_a = py::none(),
           "red"_a = py::none(),
           "The id of a new track on its way out. `codec`: \"vp8\", \"vp9\", \"h264\", \"av1\" or\n"
           "\"opus\"; without `protection` frames leave without end-to-end encryption. Raises "
           "UnsupportedError,\n"
           "LimitExceededError (256 senders, 65,536 SSRCs in all). An SSRC that a sender of this\n"
           "session has, or had after start, is refused: SRTP never uses one twice under a key.\n"
           "`rtx`, (SSRC, payload type), answers NACKs on a\n"
           "stream of its own (RFC 4588); `red`, (payload type, distance 1 to 8), sends Opus with\n"
           "so many frames once more in each packet (RFC 2198).")
      .def("set_sender_key", &PyMediaSession::set_sender_key, "sender"_a, py::kw_only(), "suite"_a,
           "key_id"_a, "base_key"_a,
           "Later frames use this SFrame key; its id must be above the one before.")
      .def("remove_sender", &PyMediaSession::remove_sender, "sender"_a,
           "Ends the track with an RTCP BYE.")
      .def(
          "send_frame", &PyMediaSession::send_frame, "sender"_a, "data"_a, py::kw_only(),
          "rtp_timestamp"_a, "audio_level"_a = py::none(), "voice_activity"_a = false,
          "is_key_frame"_a = py::none(),
          "Sends an encoded frame; `audio_level` is in -dBov, 0 the loudest, to 127 (RFC 6464).\n"
          "`is_key_frame` is read from the data where it is None: give it for VP9 and AV1 that "
          "are\n"
          "encrypted already.\n"
          "Raises NotReadyError before start or set_sender_key and after close,\n"
          "LimitExceededError above 2 MiB or 1920 packets, of audio 1300 bytes, KeyExhaustedError.")
      .def("add_receiver", &PyMediaSession::add_receiver, py::kw_only(), "mid"_a = "",
           "ssrc"_a = py::none(), "payload_type"_a, "codec"_a, "protection"_a = true,
           "rtx_payload_type"_a = py::none(), "rtx_ssrc"_a = py::none(), "repaired_rid"_a = "",
           "red_payload_type"_a = py::none(),
           "The id of a new track on its way in. Without `ssrc` it takes the first one that comes\n"
           "with `mid`, or with the payload type where the packets have no mid. Raises\n"
           "UnsupportedError, LimitExceededError (1024 receivers). Retransmissions (RFC 4588) are\n"
           "known by `rtx_payload_type`, `rtx_ssrc` if given and `repaired_rid` if not empty;\n"
           "packets of `red_payload_type` carry Opus with redundancy (RFC 2198).")
      .def("add_receiver_key", &PyMediaSession::add_receiver_key, "receiver"_a, py::kw_only(),
           "suite"_a, "key_id"_a, "base_key"_a,
           "Frames of this key id are accepted, besides those of earlier keys.")
      .def("remove_receiver_key", &PyMediaSession::remove_receiver_key, "receiver"_a, "key_id"_a,
           "Raises KeyNotFoundError.")
      .def("set_drop_broken_frames", &PyMediaSession::set_drop_broken_frames, "receiver"_a,
           "drop"_a,
           "Whether frames that fail authentication are only counted, or also come as events\n"
           "with `rejected` set and the bytes that arrived.")
      .def("request_key_frame", &PyMediaSession::request_key_frame, "receiver"_a,
           "Asks the other end for a key frame, at a limited rate.")
      .def("remove_receiver", &PyMediaSession::remove_receiver, "receiver"_a)
      .def("take_events", &PyMediaSession::take_events, "At most 256 events, oldest first.")
      .def("close", &PyMediaSession::close, "Stops sending and receiving. Idempotent.")
      .def("statistics", &PyMediaSession::statistics)
      .def("sender_statistics", &PyMediaSession::sender_statistics, "sender"_a)
      .def("receiver_statistics", &PyMediaSession::receiver_statistics, "receiver"_a);
}

}  // namespace sealroom::bindings
