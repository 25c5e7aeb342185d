#include "producer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sealroom::sfu {
namespace {

constexpr Duration kReportInterval = std::chrono::seconds(1);
// A larger step is another stream under the same SSRC. It must not reach the consumers' numbers: a
// step of 2^15 and more would let SRTP take a new packet for one of a round before, and reuse its
// key stream.
constexpr std::int64_t kMaxJump = 4096;
constexpr std::size_t kNacksPerMessage = 128;
// Delimiter, parameter sets and supplemental information, at most.
constexpr std::int64_t kMaxPacketsBeforeKeyStart = 32;

// In 32.32 fixed point.
std::uint64_t to_ntp_units(Duration duration) {
  const auto microseconds = static_cast<std::uint64_t>(duration.count());
  return (microseconds / 1'000'000 << 32) + ((microseconds % 1'000'000 << 32) / 1'000'000);
}

}  // namespace

Producer::Producer(ProducerId id, Transport& transport, ProducerConfig config)
    : id_(id),
      transport_(transport),
      config_(std::move(config)),
      extensions_(transport.extensions),
      kind_(rtp::media_kind(config_.codec)),
      cname_("sealroom-" + std::to_string(transport.id.value)),
      ssrc_(config_.ssrc),
      reception_(rtp::clock_rate(config_.codec)),
      cache_(cached_packets(kind_)) {
  timer.owner = this;
}

OpenedPacket Producer::open(const rtp::RtpPacketView& view, std::int64_t sequence) const {
  OpenedPacket packet;
  packet.sequence = sequence;
  packet.header = view.header();
  packet.payload = view.payload();
  const rtp::HeaderExtensions all = rtp::read_extensions(view, extensions_);
  packet.extensions.abs_send_time = all.abs_send_time;
  packet.extensions.audio_level = all.audio_level;
  if (kind_ == MediaKind::video) {
    const auto start = rtp::inspect(config_.codec, packet.payload);
    packet.starts_frame = start.ok() && start.value().starts_frame;
    if (packet.starts_frame) {
      packet.signs = start.value().signs;
      packet.starts_key_frame = start.value().is_key_frame ||
                                (packet.header.marker && packet.signs.are_of_parameters_only());
      packet.may_be_preceded = start.value().may_be_preceded;
    }
  }
  return packet;
}

bool Producer::receive(const rtp::RtpPacketView& view, TimePoint now, Forwarded& forwarded) {
  const rtp::RtpHeader& header = view.header();
  // Whatever becomes of it, as SRTP's index has moved with it too.
  const std::int64_t sequence = unwrapper_.unwrap(header.sequence_number);
  // It could not be sent again, and a consumer may be unable to seal it at all.
  if (view.packet().size() > PacketCache::kMaxPacket) return false;
  if (header.payload_type != config_.payload_type) return false;
  const bool is_first = next_receiver_report_ == kNever;
  const std::int64_t newest_before = is_first ? sequence : cache_.newest();
  if (!cache_.insert(sequence, view.packet())) return false;

  reception_.packet_received(header.sequence_number, header.timestamp, now);
  bytes_received_ += view.payload().size();
  if (is_first) next_receiver_report_ = now + kReportInterval;
  const bool is_restart = sequence - newest_before > kMaxJump;
  if (is_restart) {
    nacks_.restart();
    for (Consumer* consumer : consumers) consumer->restart();
    if (kind_ == MediaKind::video) request_key_frame();
  }
  if (kind_ == MediaKind::video) nacks_.packet_received(sequence, now);

  const OpenedPacket packet = open(view, sequence);
  const std::optional<std::int64_t> run_start = note_key_frame(packet);
  if (tap_ != nullptr) tap_->insert(packet, now);
  for (Consumer* consumer : consumers) {
    if (run_start && consumer->needs_key_frame()) {
      if (consumer->begin_run(*run_start)) {
        forward_from(*consumer, *run_start, packet, now, forwarded);
      }
    } else if (consumer->forward(packet, now)) {
      ++forwarded.packets;
      forwarded.bytes += packet.payload.size();
    }
  }
  return true;
}

/// Where those who wait for a key frame may begin, if they may now. In order it is the newest
/// packet, or of H.264 the headers before it, however large the frame.
std::optional<std::int64_t> Producer::note_key_frame(const OpenedPacket& packet) {
  const bool decides = deciding_packet_ == packet.sequence;
  const bool may_start = packet.starts_key_frame || packet.signs.can_begin;
  if (!may_start && !decides) return std::nullopt;
  if (decides) deciding_packet_.reset();
  std::optional<std::int64_t> start;
  const bool is_wanted = std::any_of(consumers.begin(), consumers.end(), [](const Consumer* c) {
    return c->needs_key_frame() && c->is_ready();
  });
  if (is_wanted && may_start) {
    start = find_run_start(packet);
  } else if (is_wanted) {
    const auto view = rtp::RtpPacketView::parse(cache_.find(undecided_key_start_));
    if (view.ok()) start = find_run_start(open(view.value(), undecided_key_start_));
  }
  if (start && !transport_.may_catch_up(cache_.newest() - *start)) {
    deciding_packet_.reset();
    key_frames_.want();
    return std::nullopt;
  }
  if (start || (!is_wanted && (packet.starts_key_frame || decides))) {
    deciding_packet_.reset();
    key_frames_.key_frame_began();
  } else if (deciding_packet_) {
    key_frames_.want();  // should the packet that decides not come
  }
  return start;
}

// An H.264 stream tells an IDR slice, but not whether its parameter sets came before it in a packet
// of their own. Without them the frame cannot be opened, so a run begins with it only when the
// packet before it is known to be another frame's, or else earlier. And an I slice is one of a key
// frame only if the parameter sets came before it.
std::optional<std::int64_t> Producer::find_run_start(const OpenedPacket& key_start) {
  std::int64_t start = key_start.sequence;
  std::int64_t lowest = start;
  bool is_sure = !key_start.may_be_preceded;
  bool is_headless = false;
  rtp::KeyFrameSigns signs = key_start.signs;
  while (lowest > key_start.sequence - kMaxPacketsBeforeKeyStart) {
    const auto view = rtp::RtpPacketView::parse(cache_.find(lowest - 1));
    if (!view) break;
    const OpenedPacket before = open(view.value(), lowest - 1);
    const bool is_padding = before.payload.empty();
    const bool is_of_frame =
        before.header.timestamp == key_start.header.timestamp && !before.header.marker;
    if (!is_padding && !is_of_frame) {
      is_sure = true;
      break;
    }
    if (is_sure && !before.starts_frame) break;
    --lowest;
    if (is_padding) continue;
    is_headless = !before.starts_frame;
    if (is_headless) continue;
    start = lowest;
    is_sure |= !before.may_be_preceded;
    signs.add(before.signs);
  }
  const bool is_key_frame = key_start.starts_key_frame || signs.make_key_frame();
  if (is_sure && !is_headless) return is_key_frame ? std::optional(start) : std::nullopt;
  undecided_key_start_ = key_start.sequence;
  deciding_packet_ = lowest - 1;
  return std::nullopt;
}

// What of a key frame, and behind it, came before the packet that made it possible to begin: the
// consumer did not get it while it was waiting.
void Producer::forward_from(Consumer& consumer, std::int64_t first, const OpenedPacket& packet,
                            TimePoint now, Forwarded& forwarded) {
  const auto forward = [&](const OpenedPacket& next) {
    if (!consumer.forward(next, now)) return;
    ++forwarded.packets;
    forwarded.bytes += next.payload.size();
  };
  for (std::int64_t sequence = first; sequence <= cache_.newest(); ++sequence) {
    if (sequence == packet.sequence) {
      forward(packet);
      continue;
    }
    const auto view = rtp::RtpPacketView::parse(cache_.find(sequence));
    if (view.ok()) forward(open(view.value(), sequence));
  }
}

void Producer::answer_nack(Consumer& consumer, const rtp::NackList& nack, std::size_t max_packets,
                           TimePoint now) {
  for (std::size_t i = 0; i < std::min(nack.count, max_packets); ++i) {
    const auto origin = consumer.find(nack.sequence_numbers[i]);
    if (!origin) continue;
    const auto view = rtp::RtpPacketView::parse(cache_.find(origin->input));
    if (view.ok()) consumer.retransmit(open(view.value(), origin->input), origin->output, now);
  }
}

bool Producer::handle_sender_report(const rtp::SenderReport& report, TimePoint now) {
  report_ntp_ = report.ntp_time;
  report_timestamp_ = report.rtp_timestamp;
  report_arrival_ = now;
  if (next_sender_reports_ != kNever) return false;
  next_sender_reports_ = now;
  return true;
}

void Producer::service(TimePoint now) {
  if (tap_ != nullptr) {
    if (now >= tap_->next_timeout()) tap_->handle_timeout(now);
    if (tap_->take_key_frame_request(now)) key_frames_.want();
  }
  if (!ssrc_ || !transport_.has_keys()) return;
  if (kind_ == MediaKind::video) send_nacks(now);
  if (now >= next_key_frame_request()) send_key_frame_request(now);
  if (now >= next_receiver_report_) send_receiver_report(now);
  if (now >= next_sender_reports_) send_sender_reports(now);
}

TimePoint Producer::next_timeout() const {
  TimePoint next = tap_ != nullptr ? tap_->next_timeout() : kNever;
  // Without an address there is nobody to ask; the first packet brings it.
  if (!ssrc_ || !transport_.has_keys()) return next;
  if (kind_ == MediaKind::video) next = std::min(next, nacks_.next_timeout());
  return std::min({next, next_key_frame_request(), next_receiver_report_, next_sender_reports_});
}

// A compound begins with a report (RFC 3550 section 6.1): reduced size is not negotiated.
template <class Write>
bool Producer::send_feedback(Write write) {
  return transport_.send_rtcp([&](rtp::RtcpWriter& writer) {
    rtp::ReceiverReport empty;
    empty.sender = kRouterSsrc;
    (void)writer.receiver_report(empty);
    (void)writer.source_description(kRouterSsrc, cname_);
    write(writer);
  });
}

void Producer::send_nacks(TimePoint now) {
  nacks_.handle_timeout(now);
  std::array<std::uint16_t, kNacksPerMessage> missing;
  while (const std::size_t count = nacks_.take(now, missing)) {
    send_feedback([&](rtp::RtcpWriter& writer) {
      (void)writer.nack(kRouterSsrc, *ssrc_, std::span(missing).first(count));
    });
  }
}

// A subscriber that has had no packet yet knows no SSRC to ask for: the producer's owner asks on.
TimePoint Producer::next_key_frame_request() const {
  const bool somebody_waits =
      key_frames_.is_awaited() &&
      ((tap_ != nullptr && tap_->needs_key_frame()) ||
       std::any_of(consumers.begin(), consumers.end(), [](const Consumer* consumer) {
         return consumer->needs_key_frame() && consumer->is_ready();
       }));
  return key_frames_.next_request(somebody_waits);
}

void Producer::send_key_frame_request(TimePoint now) {
  const bool sent = send_feedback(
      [&](rtp::RtcpWriter& writer) { (void)writer.picture_loss_indication(kRouterSsrc, *ssrc_); });
  key_frames_.request_sent(now);
  if (sent) ++key_frame_requests_;
}

void Producer::send_receiver_report(TimePoint now) {
  next_receiver_report_ = now + kReportInterval;
  rtp::ReceiverReport report;
  report.sender = kRouterSsrc;
  report.reports.count = 1;
  rtp::ReportBlock& block = report.reports.blocks[0];
  block.ssrc = *ssrc_;
  block.fraction_lost = reception_.take_fraction_lost();
  block.cumulative_lost = reception_.cumulative_lost();
  block.extended_highest_sequence = reception_.extended_highest_sequence();
  block.jitter = reception_.jitter();
  if (next_sender_reports_ != kNever) {
    block.last_sender_report = static_cast<std::uint32_t>(report_ntp_.value >> 16);
    block.delay_since_last_sender_report =
        static_cast<std::uint32_t>(to_ntp_units(now - report_arrival_) >> 16);
  }
  transport_.send_rtcp([&](rtp::RtcpWriter& writer) {
    (void)writer.receiver_report(report);
    (void)writer.source_description(kRouterSsrc, cname_);
  });
}

void Producer::send_sender_reports(TimePoint now) {
  next_sender_reports_ = now + kReportInterval;
  const TimeMapping mapping = mapping_at(now);
  for (Consumer* consumer : consumers) consumer->send_report(mapping, cname_, now);
}

// The publisher's own clock, carried on: its tracks stay in step whatever its clock shows.
TimeMapping Producer::mapping_at(TimePoint now) const {
  const Duration elapsed = std::max(now - report_arrival_, Duration::zero());
  const auto ticks =
      static_cast<std::uint64_t>(elapsed.count()) * rtp::clock_rate(config_.codec) / 1'000'000;
  return {NtpTime{report_ntp_.value + to_ntp_units(elapsed)},
          RtpTimestamp{report_timestamp_.value + static_cast<std::uint32_t>(ticks)}};
}

void Producer::set_tap(bool enabled, std::size_t max_frames) {
  if (enabled == (tap_ != nullptr)) return;
  tap_ = enabled ? std::make_unique<FrameTap>(config_.codec, max_frames) : nullptr;
  if (enabled && kind_ == MediaKind::video) request_key_frame();
}

std::vector<TappedFrame> Producer::take_tapped_frames() {
  return tap_ != nullptr ? tap_->take() : std::vector<TappedFrame>();
}

ProducerStatistics Producer::statistics() const {
  ProducerStatistics statistics;
  statistics.packets_received = reception_.packets_received();
  statistics.bytes_received = bytes_received_;
  statistics.packets_lost =
      static_cast<std::uint64_t>(std::max(reception_.cumulative_lost(), std::int32_t{0}));
  statistics.nacks_sent = nacks_.requested();
  statistics.key_frame_requests_sent = key_frame_requests_;
  return statistics;
}

}  // namespace sealroom::sfu
