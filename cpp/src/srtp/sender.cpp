#include "sealroom/srtp/sender.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "sealroom/srtp/packet_header.h"
#include "srtp/packet_cipher.h"
#include "srtp/packet_index.h"
#include "srtp/replay_window.h"
#include "srtp/stream_table.h"

namespace sealroom::srtp {

namespace {

struct SendStream {
  bool rtp_started = false;
  std::uint64_t newest_rtp_index = 0;
  std::uint32_t newest_rtcp_index = 0;  // the first packet gets 1, as with libsrtp
  std::optional<ReplayWindow> sent;     // under this key; none where repeats are allowed
};

}  // namespace

struct Sender::State {
  crypto::Backend backend;
  ProfileParameters profile;
  SenderOptions options;
  PacketCipher rtp;
  PacketCipher rtcp;
  StreamTable<SendStream> streams;
  std::uint64_t rtp_packets = 0;  // of all streams: the limit is the master key's
  std::uint64_t rtcp_packets = 0;

  SendStream& new_stream(Ssrc ssrc) {
    SendStream& stream = streams.insert(ssrc, {});
    if (!options.allow_repeats) stream.sent.emplace(kSendWindow);
    return stream;
  }
  // Judges a packet and spends its index: one whose sealing fails is never used for another packet.
  Result<SealJob> admit_rtp(MutableByteView buffer, std::size_t header_size, ByteView payload);
};

Result<Sender> Sender::create(crypto::Backend backend, Profile profile, ByteView master,
                              SenderOptions options) {
  const auto parameters = profile_parameters(profile);
  if (!parameters) return parameters.error();
  if (options.mki.size() > kMaxMkiSize) return Error::invalid_argument;
  options.max_rtp_packets = std::min(options.max_rtp_packets, kMaxRtpPackets);
  options.max_rtcp_packets = std::min(options.max_rtcp_packets, kMaxRtcpPackets);
  auto rtp = PacketCipher::create(backend, parameters.value(), master, Protocol::rtp, options.mki);
  if (!rtp) return rtp.error();
  auto rtcp =
      PacketCipher::create(backend, parameters.value(), master, Protocol::rtcp, options.mki);
  if (!rtcp) return rtcp.error();
  options.mki = {};  // the ciphers have copies
  return Sender(std::unique_ptr<State>(new State{
      backend, parameters.value(), options, std::move(rtp).value(), std::move(rtcp).value(), {}}));
}

Sender::Sender(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sender::Sender(Sender&&) noexcept = default;
Sender& Sender::operator=(Sender&&) noexcept = default;
Sender::~Sender() = default;

Result<SealJob> Sender::State::admit_rtp(MutableByteView buffer, std::size_t header_size,
                                         ByteView payload) {
  if (header_size > buffer.size()) return Error::buffer_too_small;
  const auto parsed = parse_rtp_header(buffer.first(header_size));
  if (!parsed || parsed.value().size != header_size) return Error::malformed;
  const RtpPacketHeader& header = parsed.value();
  if (payload.size() > kMaxPacketSize) return Error::malformed;
  const std::size_t size = header_size + payload.size() + rtp.layout().rtp_overhead();
  if (size > kMaxPacketSize) return Error::malformed;
  if (buffer.size() < size) return Error::buffer_too_small;

  SendStream* stream = streams.find(header.ssrc);
  if (stream == nullptr && streams.size() >= kMaxSendStreams) return Error::limit_exceeded;
  const std::uint64_t index = stream != nullptr && stream->rtp_started
                                  ? nearest_index(stream->newest_rtp_index, header.sequence_number)
                                  : header.sequence_number;
  if (rtp_packets >= options.max_rtp_packets || index > kMaxRtpIndex) return Error::key_exhausted;
  if (stream == nullptr) {
    stream = &new_stream(header.ssrc);
  } else if (stream->sent) {
    if (auto fresh = stream->sent->check(index); !fresh) return fresh.error();
  } else if (index + kRepeatWindow <= stream->newest_rtp_index) {
    return Error::too_old;
  }
  if (stream->sent) stream->sent->commit(index);
  ++rtp_packets;
  stream->newest_rtp_index =
      stream->rtp_started ? std::max(stream->newest_rtp_index, index) : index;
  stream->rtp_started = true;
  return SealJob{header.ssrc, index, buffer, header_size, payload};
}

Result<std::size_t> Sender::protect_rtp(MutableByteView buffer, std::size_t header_size,
                                        ByteView payload) {
  const auto job = state_->admit_rtp(buffer, header_size, payload);
  if (!job) return job.error();
  auto sealed = state_->rtp.seal_rtp(job.value());
  if (!sealed) return sealed.error();
  return header_size + payload.size() + rtp_overhead();
}

bool Sender::gains_from_batches() const { return state_->rtp.gains_from_batches(); }

std::size_t Sender::protect_rtp_batch(std::span<ProtectTask> tasks) {
  std::size_t succeeded = 0;
  if (!state_->rtp.gains_from_batches()) {
    for (ProtectTask& task : tasks) {
      task.size = protect_rtp(task.buffer, task.header_size, task.payload);
      succeeded += task.size.ok() ? 1 : 0;
    }
    return succeeded;
  }
  std::array<SealJob, kMaxBatch> jobs{};
  for (std::size_t begin = 0; begin < tasks.size(); begin += kMaxBatch) {
    const auto part = tasks.subspan(begin, std::min(kMaxBatch, tasks.size() - begin));
    std::size_t count = 0;
    for (ProtectTask& task : part) {
      const auto job = state_->admit_rtp(task.buffer, task.header_size, task.payload);
      if (!job) {
        task.size = job.error();
        continue;
      }
      jobs[count++] = job.value();
      task.size = task.header_size + task.payload.size() + rtp_overhead();
    }
    if (state_->rtp.seal_rtp_batch(std::span(jobs).first(count))) {
      succeeded += count;
      continue;
    }
    for (ProtectTask& task : part) {
      if (task.size) task.size = Error::crypto_failure;
    }
  }
  return succeeded;
}

Result<std::size_t> Sender::protect_rtcp(MutableByteView buffer, std::size_t size) {
  if (size > buffer.size()) return Error::buffer_too_small;
  const auto ssrc = parse_rtcp_ssrc(buffer.first(size));
  if (!ssrc) return Error::malformed;
  const std::size_t overhead = rtcp_overhead();
  if (size > kMaxPacketSize - overhead) return Error::malformed;
  if (buffer.size() < size + overhead) return Error::buffer_too_small;

  SendStream* stream = state_->streams.find(ssrc.value());
  if (stream == nullptr && state_->streams.size() >= kMaxSendStreams) return Error::limit_exceeded;
  if (state_->rtcp_packets >= state_->options.max_rtcp_packets) return Error::key_exhausted;
  if (stream == nullptr) stream = &state_->new_stream(ssrc.value());
  if (stream->newest_rtcp_index >= kMaxRtcpIndex) return Error::key_exhausted;
  // Spent before sealing: an index whose sealing failed is never used again.
  ++state_->rtcp_packets;
  ++stream->newest_rtcp_index;
  auto sealed = state_->rtcp.seal_rtcp(ssrc.value(), stream->newest_rtcp_index, buffer, size);
  if (!sealed) return sealed.error();
  return size + overhead;
}

Result<void> Sender::set_key(ByteView master, ByteView mki) {
  if (mki.size() != state_->rtp.layout().mki_size()) return Error::invalid_argument;
  auto rtp = PacketCipher::create(state_->backend, state_->profile, master, Protocol::rtp, mki);
  if (!rtp) return rtp.error();
  auto rtcp = PacketCipher::create(state_->backend, state_->profile, master, Protocol::rtcp, mki);
  if (!rtcp) return rtcp.error();
  if (rtp.value().has_key_of(state_->rtp)) return Error::invalid_argument;
  for (SendStream& stream : state_->streams.values()) {
    if (stream.sent) stream.sent.emplace(kSendWindow);
  }
  state_->rtp = std::move(rtp).value();
  state_->rtcp = std::move(rtcp).value();
  state_->rtp_packets = 0;
  state_->rtcp_packets = 0;
  return {};
}

KeyUsage Sender::key_usage() const {
  return {state_->rtp_packets, state_->rtcp_packets,
          state_->options.max_rtp_packets - state_->rtp_packets,
          state_->options.max_rtcp_packets - state_->rtcp_packets};
}

std::size_t Sender::rtp_overhead() const { return state_->rtp.layout().rtp_overhead(); }
std::size_t Sender::rtcp_overhead() const { return state_->rtcp.layout().rtcp_overhead(); }

void Sender::remove_stream(Ssrc ssrc) { state_->streams.erase(ssrc); }

}  // namespace sealroom::srtp
