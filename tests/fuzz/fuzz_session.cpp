// A media session behind SRTP: what an authenticated peer may send. The input is a list of
// operations, each one byte of choice, one of size and that many bytes:
//   bits 0-1  0 the bytes are an RTP packet, sealed with the peer's key   1 the same for RTCP
//             2 they arrive as they are   3 time passes, or the session itself sends a frame
//   bits 2-4  for RTP: the payload type of one of the receivers; then its SSRC is set, too
//   bit 5     the datagram waits and arrives together with the next
// The first byte chooses back end and profile.

#include <algorithm>
#include <array>
#include <cstdlib>

#include "sealroom/session/media_session.h"

using namespace sealroom;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::array kCodecs{rtp::Codec::vp8, rtp::Codec::opus, rtp::Codec::vp9, rtp::Codec::h264,
                             rtp::Codec::av1};
constexpr std::uint8_t kFirstPayloadType = 96;

/// A session with a track of every codec on its way in, two on their way out, and the peer's SRTP
/// to reach it.
class Target {
 public:
  explicit Target(std::uint8_t choice)
      : backend_((choice & 1) != 0 && crypto::is_available(crypto::Backend::ipsec_mb)
                     ? crypto::Backend::ipsec_mb
                     : crypto::Backend::openssl),
        profile_((choice & 2) != 0 ? srtp::Profile::aead_aes_128_gcm
                                   : srtp::Profile::aes128_cm_sha1_80),
        session_(config(backend_)),
        peer_(srtp::Sender::create(backend_, profile_, master(), {.allow_repeats = true}).value()) {
    require(session_.set_keys(profile_, master(), master()).ok());
    for (std::size_t i = 0; i < kCodecs.size(); ++i) {
      const PayloadType type{static_cast<std::uint8_t>(kFirstPayloadType + i)};
      session::ReceiverConfig in;
      in.codec = kCodecs[i];
      in.payload_type = type;
      in.mid = std::string(1, static_cast<char>('a' + i));
      // Frames without protection reach the queue whatever they hold.
      in.protection = (choice & 4) != 0;
      const auto receiver = session_.add_receiver(in);
      if (receiver && in.protection) {
        require(session_
                    .add_receiver_key(receiver.value(), sframe::CipherSuite::aes_128_gcm_sha256_128,
                                      KeyId{1}, master())
                    .ok());
      }
      // One of each kind is enough to be asked for packets and key frames, and a video track's
      // history costs a fuzzer more than all else.
      if (i > 1) continue;
      session::SenderConfig out;
      out.codec = kCodecs[i];
      out.payload_type = type;
      out.ssrc = Ssrc{static_cast<std::uint32_t>(1000 + i)};
      out.protection = false;
      const auto sender = session_.add_sender(out);
      if (sender) senders_.push_back(sender.value());
    }
  }

  void run(std::uint8_t choice, ByteView bytes) {
    switch (choice & 3) {
      case 0:
        receive_rtp(static_cast<std::uint8_t>(choice >> 2 & 7), bytes);
        break;
      case 1:
        receive_rtcp(bytes);
        break;
      case 2:
        waiting_.emplace_back(bytes.begin(), bytes.end());
        break;
      default:
        arrive();
        pass_time(choice, bytes);
        drain();
        return;
    }
    if ((choice & 32) != 0) return;
    arrive();
    drain();
  }

  void arrive() {
    std::vector<MutableByteView> datagrams(waiting_.begin(), waiting_.end());
    session_.handle_datagrams(datagrams, now_, NtpTime{1});
    waiting_.clear();
  }

 private:
  static session::SessionConfig config(crypto::Backend backend) {
    session::SessionConfig result;
    result.backend = backend;
    result.cname = "fuzz";
    require(result.extensions.set(rtp::ExtensionType::mid, 1).ok());
    require(result.extensions.set(rtp::ExtensionType::abs_send_time, 2).ok());
    require(result.extensions.set(rtp::ExtensionType::audio_level, 3).ok());
    return result;
  }

  [[nodiscard]] Bytes master() const {
    const auto parameters = srtp::profile_parameters(profile_).value();
    return Bytes(parameters.key_size + parameters.salt_size, 7);
  }

  void receive_rtp(std::uint8_t track, ByteView bytes) {
    Bytes packet(bytes.begin(), bytes.end());
    if (packet.size() < rtp::kFixedHeaderSize) packet.resize(rtp::kFixedHeaderSize);
    packet[0] = static_cast<std::uint8_t>((packet[0] & 0x3F) | 0x80);
    if (track < kCodecs.size()) {
      packet[1] = static_cast<std::uint8_t>((packet[1] & 0x80) | (kFirstPayloadType + track));
      std::fill_n(packet.begin() + 8, 4, static_cast<std::uint8_t>(track + 1));
    }
    const auto header_size = rtp::peek_header_size(packet);
    if (!header_size) return;
    Bytes datagram(packet.size() + srtp::kMaxRtpOverhead);
    std::copy_n(packet.begin(), header_size.value(), datagram.begin());
    const auto size = peer_.protect_rtp(datagram, header_size.value(),
                                        ByteView(packet).subspan(header_size.value()));
    if (!size) return;
    datagram.resize(size.value());
    waiting_.push_back(std::move(datagram));
  }

  void receive_rtcp(ByteView bytes) {
    Bytes datagram(std::max<std::size_t>(bytes.size(), 8) + srtp::kMaxRtcpOverhead);
    std::copy(bytes.begin(), bytes.end(), datagram.begin());
    datagram[0] = static_cast<std::uint8_t>((datagram[0] & 0x3F) | 0x80);
    datagram[1] = static_cast<std::uint8_t>(192 + datagram[1] % 32);  // RFC 5761 section 4
    const auto size = peer_.protect_rtcp(datagram, std::max<std::size_t>(bytes.size(), 8));
    if (!size) return;
    datagram.resize(size.value());
    waiting_.push_back(std::move(datagram));
  }

  void pass_time(std::uint8_t choice, ByteView bytes) {
    now_ += std::chrono::milliseconds(choice >> 3);
    if ((choice & 4) != 0 && !bytes.empty() && !senders_.empty()) {
      const session::SenderId id = senders_[bytes[0] % senders_.size()];
      timestamp_ += 3000;
      (void)session_.send_frame(id, {bytes, RtpTimestamp{timestamp_}, {}}, now_, NtpTime{1});
      return;
    }
    session_.handle_timeout(now_, NtpTime{1});
  }

  void drain() {
    session_.flush_feedback(now_);
    DatagramBatch::Run run;
    while (session_.poll_transmit(run)) {
      require(!run.data.empty() && run.segment_size > 0 &&
              run.segment_size <= rtp::kMaxDatagramSize);
    }
    session::Event event;
    std::size_t events = 0;
    while (session_.poll_event(event, now_)) {
      require(++events <= 10'000);
      const auto* frame = std::get_if<session::FrameReceived>(&event);
      if (frame != nullptr) require(frame->is_missing == frame->data.empty());
    }
    require(session_.next_timeout() > TimePoint::min());
  }

  crypto::Backend backend_;
  srtp::Profile profile_;
  session::MediaSession session_;
  srtp::Sender peer_;
  std::vector<session::SenderId> senders_;
  std::vector<Bytes> waiting_;
  TimePoint now_{std::chrono::seconds(1)};
  std::uint32_t timestamp_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteView input(data, size);
  Target target(input[0]);
  input = input.subspan(1);
  while (input.size() >= 2) {
    const std::uint8_t choice = input[0];
    const std::size_t length = std::min<std::size_t>(input[1], input.size() - 2);
    target.run(choice, input.subspan(2, length));
    input = input.subspan(2 + length);
  }
  target.arrive();
  return 0;
}
