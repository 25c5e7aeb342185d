#include "srtp/receiver_state.h"

#include "srtp/packet_index.h"

namespace sealroom::srtp {

namespace {

constexpr std::size_t kRtcpReplayWindow = 128;

}  // namespace

Result<ParsedRtp> Receiver::State::parse_rtp(ByteView packet, MutableByteView out) {
  const std::size_t overhead = keys.layout().rtp_overhead();
  if (packet.size() > kMaxPacketSize) return Error::malformed;
  if (packet.size() < overhead) return Error::truncated;
  const std::size_t size = packet.size() - overhead;
  const auto header = parse_rtp_header(packet.first(size));
  if (!header) return header.error();
  if (out.size() < size) return Error::buffer_too_small;
  ReceiveKey* const key = keys.find(keys.layout().rtp_mki(packet));
  if (key == nullptr) return Error::unknown_key_id;
  return ParsedRtp{header.value(), size, key};
}

Result<Judged> Receiver::State::judge_rtp(const ParsedRtp& packet) {
  if (packet.key->rtp_packets >= options.max_rtp_packets) return Error::key_exhausted;
  const RtpPacketHeader& header = packet.header;
  ReceiveStream* const stream = streams.find(header.ssrc);
  if (stream == nullptr && streams.size() >= kMaxReceiveStreams) return Error::limit_exceeded;
  if (stream != nullptr && stream->rtp_started) {
    const std::uint64_t index = nearest_index(stream->newest_rtp_index, header.sequence_number);
    if (index > kMaxRtpIndex) return Error::key_exhausted;
    ReplayWindows* const windows = stream->find(*packet.key);
    if (windows != nullptr) {
      if (auto fresh = windows->rtp.check(index); !fresh) return fresh.error();
    }
    return Judged{index, stream, windows};
  }
  const std::uint32_t* const counter = expected_roll_over_counters.find(header.ssrc);
  const std::uint64_t first = counter == nullptr ? 0 : static_cast<std::uint64_t>(*counter) << 16;
  return Judged{first | header.sequence_number, stream, nullptr};
}

void Receiver::State::commit_rtp(const ParsedRtp& packet, const Judged& judged) {
  const std::uint64_t index = judged.index;
  ReceiveStream& stream =
      judged.stream != nullptr ? *judged.stream : streams.insert(packet.header.ssrc, {});
  if (!stream.rtp_started) expected_roll_over_counters.erase(packet.header.ssrc);
  stream.newest_rtp_index = stream.rtp_started ? std::max(stream.newest_rtp_index, index) : index;
  stream.rtp_started = true;
  ReplayWindows& windows =
      judged.windows != nullptr ? *judged.windows : windows_for(stream, *packet.key);
  windows.rtp.commit(index);
  ++packet.key->rtp_packets;
}

ReplayWindows& Receiver::State::windows_for(ReceiveStream& stream, const ReceiveKey& key) {
  if (ReplayWindows* const windows = stream.find(key)) return *windows;
  return stream.windows.emplace_back(ReplayWindows{key.serial, ReplayWindow(options.replay_window),
                                                   ReplayWindow(kRtcpReplayWindow)});
}

ReceiveStream& Receiver::State::stream_for(Ssrc ssrc) {
  if (ReceiveStream* const known = streams.find(ssrc)) return *known;
  return streams.insert(ssrc, {});
}

void Receiver::State::forget_windows(std::uint64_t key_serial) {
  for (ReceiveStream& stream : streams.values()) {
    std::erase_if(stream.windows,
                  [&](const ReplayWindows& it) { return it.key_serial == key_serial; });
  }
}

}  // namespace sealroom::srtp
