#include "sealroom/srtp/sender.h"

#include <algorithm>
#include <utility>

#include "sealroom/srtp/packet_header.h"
#include "srtp/packet_cipher.h"
#include "srtp/packet_index.h"
#include "srtp/stream_table.h"

namespace sealroom::srtp {

namespace {

struct SendStream {
  bool rtp_started = false;
  std::uint64_t newest_rtp_index = 0;
  std::uint32_t newest_rtcp_index = 0;  // the first packet gets 1, as with libsrtp
};

}  // namespace

struct Sender::State {
  ProfileParameters profile;
  SenderOptions options;
  PacketCipher rtp;
  PacketCipher rtcp;
  StreamTable<SendStream> streams;
  std::uint64_t rtp_packets = 0;  // of all streams: the limit is the master key's
  std::uint64_t rtcp_packets = 0;
};

Result<Sender> Sender::create(crypto::Backend backend, Profile profile, ByteView master,
                              SenderOptions options) {
  const auto parameters = profile_parameters(profile);
  if (!parameters) return parameters.error();
  options.max_rtp_packets = std::min(options.max_rtp_packets, kMaxRtpPackets);
  options.max_rtcp_packets = std::min(options.max_rtcp_packets, kMaxRtcpPackets);
  auto rtp = PacketCipher::create(backend, parameters.value(), master, Protocol::rtp);
  if (!rtp) return rtp.error();
  auto rtcp = PacketCipher::create(backend, parameters.value(), master, Protocol::rtcp);
  if (!rtcp) return rtcp.error();
  return Sender(std::unique_ptr<State>(
      new State{parameters.value(), options, std::move(rtp).value(), std::move(rtcp).value(), {}}));
}

Sender::Sender(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sender::Sender(Sender&&) noexcept = default;
Sender& Sender::operator=(Sender&&) noexcept = default;
Sender::~Sender() = default;

Result<std::size_t> Sender::protect_rtp(MutableByteView buffer, std::size_t header_size,
                                        ByteView payload) {
  if (header_size > buffer.size()) return Error::buffer_too_small;
  const auto parsed = parse_rtp_header(buffer.first(header_size));
  if (!parsed || parsed.value().size != header_size) return Error::malformed;
  const RtpPacketHeader& header = parsed.value();
  if (payload.size() > kMaxPacketSize) return Error::malformed;
  const std::size_t size = header_size + payload.size() + state_->profile.rtp_tag_size;
  if (size > kMaxPacketSize) return Error::malformed;
  if (buffer.size() < size) return Error::buffer_too_small;

  SendStream* stream = state_->streams.find(header.ssrc);
  if (stream == nullptr && state_->streams.size() >= kMaxSendStreams) return Error::limit_exceeded;
  const std::uint64_t index = stream != nullptr && stream->rtp_started
                                  ? nearest_index(stream->newest_rtp_index, header.sequence_number)
                                  : header.sequence_number;
  if (state_->rtp_packets >= state_->options.max_rtp_packets || index > kMaxRtpIndex) {
    return Error::key_exhausted;
  }
  ++state_->rtp_packets;
  auto sealed = state_->rtp.seal_rtp(header.ssrc, index, buffer, header_size, payload);
  if (!sealed) return sealed.error();

  if (stream == nullptr) stream = &state_->streams.insert(header.ssrc, {});
  stream->newest_rtp_index =
      stream->rtp_started ? std::max(stream->newest_rtp_index, index) : index;
  stream->rtp_started = true;
  return size;
}

Result<std::size_t> Sender::protect_rtcp(MutableByteView buffer, std::size_t size) {
  if (size > buffer.size()) return Error::buffer_too_small;
  const auto ssrc = parse_rtcp_ssrc(buffer.first(size));
  if (!ssrc) return Error::malformed;
  const std::size_t overhead = state_->profile.rtcp_tag_size + kRtcpIndexSize;
  if (size > kMaxPacketSize - overhead) return Error::malformed;
  if (buffer.size() < size + overhead) return Error::buffer_too_small;

  SendStream* stream = state_->streams.find(ssrc.value());
  if (stream == nullptr && state_->streams.size() >= kMaxSendStreams) return Error::limit_exceeded;
  if (state_->rtcp_packets >= state_->options.max_rtcp_packets) return Error::key_exhausted;
  if (stream == nullptr) stream = &state_->streams.insert(ssrc.value(), {});
  if (stream->newest_rtcp_index >= kMaxRtcpIndex) return Error::key_exhausted;
  // Spent before sealing: an index whose sealing failed is never used again.
  ++state_->rtcp_packets;
  ++stream->newest_rtcp_index;
  auto sealed = state_->rtcp.seal_rtcp(ssrc.value(), stream->newest_rtcp_index, buffer, size);
  if (!sealed) return sealed.error();
  return size + overhead;
}

void Sender::remove_stream(Ssrc ssrc) { state_->streams.erase(ssrc); }

}  // namespace sealroom::srtp
