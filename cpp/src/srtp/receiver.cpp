#include "sealroom/srtp/receiver.h"

#include <array>
#include <utility>

#include "srtp/receiver_state.h"

namespace sealroom::srtp {

namespace {

constexpr std::size_t kMinReplayWindow = 64;
constexpr std::size_t kMaxReplayWindow = 32768;

// The crypto library may have failed halfway through the payload.
Error refused(Error error, MutableByteView payload) {
  if (error == Error::crypto_failure) secure_wipe(payload);
  return error;
}

}  // namespace

Result<Receiver> Receiver::create(crypto::Backend backend, Profile profile, ByteView master,
                                  ReceiverOptions options) {
  if (options.replay_window < kMinReplayWindow || options.replay_window > kMaxReplayWindow ||
      options.mki.size() > kMaxMkiSize) {
    return Error::invalid_argument;
  }
  const auto parameters = profile_parameters(profile);
  if (!parameters) return parameters.error();
  options.max_rtp_packets = std::min(options.max_rtp_packets, kMaxRtpPackets);
  options.max_rtcp_packets = std::min(options.max_rtcp_packets, kMaxRtcpPackets);
  ReceiveKeys keys(backend, parameters.value(), options.mki.size());
  std::uint64_t replaced = 0;
  if (auto set = keys.set(master, options.mki, replaced); !set) return set.error();
  options.mki = {};  // the key has a copy
  return Receiver(std::unique_ptr<State>(new State{options, std::move(keys), {}, {}}));
}

Receiver::Receiver(std::unique_ptr<State> state) : state_(std::move(state)) {}
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;
Receiver::~Receiver() = default;

Result<std::size_t> Receiver::unprotect_rtp(ByteView packet, MutableByteView out) {
  const auto parsed = state_->parse_rtp(packet, out);
  if (!parsed) return parsed.error();
  const auto judged = state_->judge_rtp(parsed.value());
  if (!judged) return judged.error();
  const RtpPacketHeader& header = parsed.value().header;
  const std::size_t size = parsed.value().size;
  const MutableByteView payload = out.subspan(header.size, size - header.size);
  auto opened = parsed.value().key->rtp.open_rtp(
      {header.ssrc, judged.value().index, packet, header.size, payload});
  if (!opened) return refused(opened.error(), payload);
  if (out.data() != packet.data()) copy_header(packet.first(header.size), out);
  state_->commit_rtp(parsed.value(), judged.value());
  return size;
}

std::size_t Receiver::unprotect_rtp_batch(std::span<UnprotectTask> tasks) {
  std::size_t succeeded = 0;
  if (!gains_from_batches()) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      tasks[i].size = unprotect_rtp(tasks[i].packet, tasks[i].out);
      succeeded += tasks[i].size.ok() ? 1 : 0;
    }
    return succeeded;
  }
  while (!tasks.empty()) {
    const auto part = tasks.first(std::min(tasks.size(), kMaxBatch));
    tasks = tasks.subspan(part.size());
    succeeded += state_->unprotect_rtp_part(*this, part);
  }
  return succeeded;
}

bool Receiver::gains_from_batches() const { return !state_->keys.layout().is_aead(); }

Result<std::size_t> Receiver::unprotect_rtcp(ByteView packet, MutableByteView out) {
  const PacketLayout& layout = state_->keys.layout();
  if (packet.size() > kMaxPacketSize) return Error::malformed;
  if (packet.size() < kRtcpHeaderSize + layout.rtcp_overhead()) return Error::truncated;
  const std::size_t size = packet.size() - layout.rtcp_overhead();
  const auto ssrc = parse_rtcp_ssrc(packet.first(size));
  if (!ssrc) return ssrc.error();
  if (out.size() < size) return Error::buffer_too_small;
  const std::uint32_t word = load_u32(layout.rtcp_index_word(packet), 0);
  if ((word & kRtcpEncryptedFlag) == 0) return Error::not_encrypted;
  const std::uint32_t index = word & ~kRtcpEncryptedFlag;
  ReceiveKey* const key = state_->keys.find(layout.rtcp_mki(packet));
  if (key == nullptr) return Error::unknown_key_id;
  if (key->rtcp_packets >= state_->options.max_rtcp_packets) return Error::key_exhausted;

  ReceiveStream* const known = state_->streams.find(ssrc.value());
  if (known == nullptr && state_->streams.size() >= kMaxReceiveStreams) {
    return Error::limit_exceeded;
  }
  if (const ReplayWindows* const windows = known == nullptr ? nullptr : known->find(*key)) {
    if (auto fresh = windows->rtcp.check(index); !fresh) return fresh.error();
  }

  const MutableByteView payload = out.subspan(kRtcpHeaderSize, size - kRtcpHeaderSize);
  auto opened = key->rtcp.open_rtcp(ssrc.value(), index, packet, payload);
  if (!opened) return refused(opened.error(), payload);
  if (out.data() != packet.data()) copy_header(packet.first(kRtcpHeaderSize), out);
  state_->windows_for(state_->stream_for(ssrc.value()), *key).rtcp.commit(index);
  ++key->rtcp_packets;
  return size;
}

Result<void> Receiver::set_key(ByteView master, ByteView mki) {
  std::uint64_t replaced = 0;
  if (auto set = state_->keys.set(master, mki, replaced); !set) return set.error();
  if (replaced != 0) state_->forget_windows(replaced);
  return {};
}

Result<void> Receiver::remove_key(ByteView mki) {
  const auto removed = state_->keys.remove(mki);
  if (!removed) return removed.error();
  state_->forget_windows(removed.value());
  return {};
}

std::size_t Receiver::key_count() const { return state_->keys.size(); }

Result<KeyUsage> Receiver::key_usage(ByteView mki) const {
  const ReceiveKey* const key = std::as_const(state_->keys).find(mki);
  if (key == nullptr) return Error::unknown_key_id;
  return KeyUsage{key->rtp_packets, key->rtcp_packets,
                  state_->options.max_rtp_packets - key->rtp_packets,
                  state_->options.max_rtcp_packets - key->rtcp_packets};
}

std::size_t Receiver::rtp_overhead() const { return state_->keys.layout().rtp_overhead(); }
std::size_t Receiver::rtcp_overhead() const { return state_->keys.layout().rtcp_overhead(); }

Result<std::uint32_t> Receiver::roll_over_counter(Ssrc ssrc) const {
  const ReceiveStream* stream = std::as_const(state_->streams).find(ssrc);
  if (stream == nullptr || !stream->rtp_started) return Error::unknown_ssrc;
  return static_cast<std::uint32_t>(stream->newest_rtp_index >> 16);
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
