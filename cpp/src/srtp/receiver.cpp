#include "sealroom/srtp/receiver.h"

#include <algorithm>
#include <utility>

#include "sealroom/srtp/packet_header.h"
#include "srtp/packet_cipher.h"
#include "srtp/packet_index.h"
#include "srtp/replay_window.h"
#include "srtp/stream_table.h"

namespace sealroom::srtp {

namespace {

constexpr std::size_t kRtcpReplayWindow = 128;
constexpr std::size_t kMinReplayWindow = 64;
constexpr std::size_t kMaxReplayWindow = 32768;

struct ReceiveStream {
  ReplayWindow rtp;
  ReplayWindow rtcp;
};

void copy_header(ByteView packet, std::size_t size, MutableByteView out) {
  if (out.data() != packet.data()) std::copy_n(packet.begin(), size, out.begin());
}

std::uint32_t load_u32(ByteView bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

}  // namespace

struct Receiver::State {
  ProfileParameters profile;
  ReceiverOptions options;
  PacketCipher rtp;
  PacketCipher rtcp;
  StreamTable<ReceiveStream> streams;                      // only SSRCs that authenticated
  StreamTable<std::uint32_t> expected_roll_over_counters;  // told by the application, for others

  // For an SSRC whose packet has just been authenticated.
  ReceiveStream& stream_for(Ssrc ssrc, ReceiveStream* known) {
    if (known != nullptr) return *known;
    return streams.insert(ssrc,
                          {ReplayWindow(options.replay_window), ReplayWindow(kRtcpReplayWindow)});
  }
};

Result<Receiver> Receiver::create(crypto::Backend backend, Profile profile, ByteView master,
                                  ReceiverOptions options) {
  if (options.replay_window < kMinReplayWindow || options.replay_window > kMaxReplayWindow) {
    return Error::invalid_argument;
  }
  const auto parameters = profile_parameters(profile);
  if (!parameters) return parameters.error();
  auto rtp = PacketCipher::create(backend, parameters.value(), master, Protocol::rtp);
  if (!rtp) return rtp.error();
  auto rtcp = PacketCipher::create(backend, parameters.value(), master, Protocol::rtcp);
  if (!rtcp) return rtcp.error();
  return Receiver(std::unique_ptr<State>(new State{
      parameters.value(), options, std::move(rtp).value(), std::move(rtcp).value(), {}, {}}));
}

Receiver::Receiver(std::unique_ptr<State> state) : state_(std::move(state)) {}
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;
Receiver::~Receiver() = default;

Result<std::size_t> Receiver::unprotect_rtp(ByteView packet, MutableByteView out) {
  const std::size_t tag_size = state_->profile.rtp_tag_size;
  if (packet.size() > kMaxPacketSize) return Error::malformed;
  if (packet.size() < tag_size) return Error::truncated;
  const std::size_t size = packet.size() - tag_size;
  const auto parsed = parse_rtp_header(packet.first(size));
  if (!parsed) return parsed.error();
  if (out.size() < size) return Error::buffer_too_small;
  const RtpPacketHeader& header = parsed.value();

  ReceiveStream* stream = state_->streams.find(header.ssrc);
  if (stream == nullptr && state_->streams.size() >= kMaxReceiveStreams)
    return Error::limit_exceeded;
  std::uint64_t index = header.sequence_number;
  if (stream != nullptr && stream->rtp.started()) {
    index = nearest_index(stream->rtp.newest(), header.sequence_number);
    if (index > kMaxRtpIndex) return Error::key_exhausted;
    if (auto fresh = stream->rtp.check(index); !fresh) return fresh.error();
  } else if (const std::uint32_t* counter = state_->expected_roll_over_counters.find(header.ssrc)) {
    index |= static_cast<std::uint64_t>(*counter) << 16;
  }

  const MutableByteView payload = out.subspan(header.size, size - header.size);
  auto opened = state_->rtp.open_rtp(header.ssrc, index, packet, header.size, payload);
  if (!opened) return opened.error();
  copy_header(packet, header.size, out);

  ReceiveStream& authenticated = state_->stream_for(header.ssrc, stream);
  if (!authenticated.rtp.started()) state_->expected_roll_over_counters.erase(header.ssrc);
  authenticated.rtp.commit(index);
  return size;
}

Result<std::size_t> Receiver::unprotect_rtcp(ByteView packet, MutableByteView out) {
  const std::size_t tag_size = state_->profile.rtcp_tag_size;
  if (packet.size() > kMaxPacketSize) return Error::malformed;
  if (packet.size() < kRtcpHeaderSize + kRtcpIndexSize + tag_size) return Error::truncated;
  const std::size_t size = packet.size() - kRtcpIndexSize - tag_size;
  const auto ssrc = parse_rtcp_ssrc(packet.first(size));
  if (!ssrc) return ssrc.error();
  if (out.size() < size) return Error::buffer_too_small;

  // AEAD profiles put the tag before this word, the others behind it.
  const std::uint32_t word =
      load_u32(packet.subspan(state_->profile.is_aead ? size + tag_size : size));
  if ((word & kRtcpEncryptedFlag) == 0) return Error::not_encrypted;
  const std::uint32_t index = word & ~kRtcpEncryptedFlag;

  ReceiveStream* stream = state_->streams.find(ssrc.value());
  if (stream == nullptr && state_->streams.size() >= kMaxReceiveStreams)
    return Error::limit_exceeded;
  if (stream != nullptr) {
    if (auto fresh = stream->rtcp.check(index); !fresh) return fresh.error();
  }

  const MutableByteView payload = out.subspan(kRtcpHeaderSize, size - kRtcpHeaderSize);
  auto opened = state_->rtcp.open_rtcp(ssrc.value(), index, packet, payload);
  if (!opened) return opened.error();
  copy_header(packet, kRtcpHeaderSize, out);
  state_->stream_for(ssrc.value(), stream).rtcp.commit(index);
  return size;
}

Result<std::uint32_t> Receiver::roll_over_counter(Ssrc ssrc) const {
  const ReceiveStream* stream = std::as_const(state_->streams).find(ssrc);
  if (stream == nullptr || !stream->rtp.started()) return Error::unknown_ssrc;
  return static_cast<std::uint32_t>(stream->rtp.newest() >> 16);
}

Result<void> Receiver::set_roll_over_counter(Ssrc ssrc, std::uint32_t roll_over_counter) {
  if (this->roll_over_counter(ssrc)) return Error::invalid_argument;
  auto& counters = state_->expected_roll_over_counters;
  if (std::uint32_t* counter = counters.find(ssrc)) {
    *counter = roll_over_counter;
    return {};
  }
  if (counters.size() >= kMaxReceiveStreams) return Error::limit_exceeded;
  counters.insert(ssrc, roll_over_counter);
  return {};
}

void Receiver::remove_stream(Ssrc ssrc) {
  state_->streams.erase(ssrc);
  state_->expected_roll_over_counters.erase(ssrc);
}

std::size_t Receiver::stream_count() const { return state_->streams.size(); }

}  // namespace sealroom::srtp
