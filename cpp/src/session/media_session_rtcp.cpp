// The half of a media session that reads and writes RTCP.

#include <algorithm>
#include <array>

#include "sealroom/session/media_session.h"

namespace sealroom::session {
namespace {

constexpr std::size_t kMaxNacksAtOnce = 256;

}  // namespace

template <class Write>
void MediaSession::send_rtcp(Write write) {
  if (!has_keys()) return;
  const MutableByteView buffer = batch_.prepare(rtp::kMaxDatagramSize);
  rtp::RtcpWriter writer(buffer.first(rtp::kMaxDatagramSize - srtp::kMaxRtcpOverhead));
  write(writer);
  if (writer.size() == 0) return;
  const auto size = srtp_sender_->protect_rtcp(buffer, writer.size());
  if (size) batch_.commit(size.value());
}

void MediaSession::handle_rtcp(MutableByteView datagram, TimePoint now, NtpTime wall_clock) {
  const auto size = srtp_receiver_->unprotect_rtcp(datagram, datagram);
  if (!size) {
    statistics_.datagrams_rejected += 1;
    return;
  }
  note_unused(*srtp::IdleStreams::ssrc_of(datagram));  // the sender's, of the first packet
  rtp::RtcpReader reader(datagram.first(size.value()));
  rtp::RtcpPacketView packet;
  while (reader.next(packet)) {
    switch (packet.type) {
      case rtp::RtcpType::sender_report:
        if (const auto report = rtp::SenderReport::parse(packet)) {
          if (const auto known = routes_.find(report.value().sender); known != routes_.end()) {
            receivers_.at(known->second).handle_sender_report(report.value(), now);
          }
          handle_reports(report.value().reports, wall_clock);
        }
        break;
      case rtp::RtcpType::receiver_report:
        if (const auto report = rtp::ReceiverReport::parse(packet)) {
          handle_reports(report.value().reports, wall_clock);
        }
        break;
      case rtp::RtcpType::bye:
        if (const auto bye = rtp::Bye::parse(packet)) {
          for (std::size_t i = 0; i < bye.value().count; ++i) {
            const auto known = routes_.find(bye.value().sources[i]);
            if (known != routes_.end()) push_event(RemoteBye{known->second});
          }
        }
        break;
      case rtp::RtcpType::transport_feedback:
      case rtp::RtcpType::payload_feedback:
        handle_feedback(packet, now, wall_clock);
        break;
      default:
        break;
    }
  }
}

void MediaSession::handle_reports(const rtp::ReportBlocks& reports, NtpTime wall_clock) {
  for (std::size_t i = 0; i < reports.count; ++i) {
    RtpSender* sender = sender_by_ssrc(reports.blocks[i].ssrc);
    if (sender == nullptr) continue;
    sender->handle_report_block(reports.blocks[i], wall_clock);
    const Duration round_trip = sender->statistics().round_trip_time;
    if (round_trip.count() == 0) continue;
    for (auto& [id, receiver] : receivers_) receiver.set_round_trip_time(round_trip);
  }
}

void MediaSession::handle_feedback(const rtp::RtcpPacketView& packet, TimePoint now,
                                   NtpTime wall_clock) {
  const auto feedback = rtp::Feedback::parse(packet);
  if (!feedback) return;
  const auto request_key_frame = [&](Ssrc ssrc) {
    for (auto& [id, sender] : senders_) {
      if (sender.config().ssrc != ssrc) continue;
      sender.count_key_frame_request();
      push_event(KeyFrameRequested{id});
    }
  };
  if (packet.type == rtp::RtcpType::transport_feedback) {
    if (packet.count_or_format != rtp::kNackFormat) return;
    const auto nack = rtp::parse_nack(feedback.value());
    RtpSender* sender = sender_by_ssrc(feedback.value().media);
    if (nack && sender != nullptr) {
      sender->handle_nack(nack.value(), config_.extensions, *srtp_sender_, batch_, now, wall_clock);
    }
  } else if (packet.count_or_format == rtp::kPliFormat) {
    request_key_frame(feedback.value().media);
  } else if (packet.count_or_format == rtp::kFirFormat) {
    if (const auto sources = rtp::parse_fir(feedback.value())) {
      for (std::size_t i = 0; i < sources.value().count; ++i) {
        const rtp::FirEntry& command = sources.value().entries[i];
        if (sender_by_ssrc(command.ssrc) == nullptr) continue;
        if (!fir_filter_.is_new(feedback.value().sender, command, now)) continue;
        request_key_frame(command.ssrc);
      }
    }
  }
}

Ssrc MediaSession::rtcp_ssrc() const {
  return senders_.empty() ? config_.rtcp_ssrc : senders_.begin()->second.config().ssrc;
}

void MediaSession::flush_feedback(TimePoint now) {
  for (auto& [id, receiver] : receivers_) {
    if (!receiver.ssrc()) continue;
    std::array<std::uint16_t, kMaxNacksAtOnce> missing;
    const std::size_t count = receiver.take_nacks(now, missing);
    const bool wants_key_frame = receiver.take_key_frame_request(now);
    if (count == 0 && !wants_key_frame) continue;
    const Ssrc media = *receiver.ssrc();
    // A compound begins with a report (RFC 3550 section 6.1): reduced size is not negotiated.
    send_rtcp([&](rtp::RtcpWriter& writer) {
      rtp::ReceiverReport empty;
      empty.sender = rtcp_ssrc();
      (void)writer.receiver_report(empty);
      (void)writer.source_description(rtcp_ssrc(), config_.cname);
      if (count > 0) (void)writer.nack(rtcp_ssrc(), media, std::span(missing).first(count));
      if (wants_key_frame) (void)writer.picture_loss_indication(rtcp_ssrc(), media);
    });
  }
}

void MediaSession::handle_timeout(TimePoint now, NtpTime wall_clock) {
  for (auto& [id, receiver] : receivers_) receiver.handle_timeout(now);
  if (has_keys() && next_report_ <= now) {
    send_reports(now, wall_clock);
    next_report_ = now + kReportInterval;
  }
  flush_feedback(now);
}

void MediaSession::send_reports(TimePoint now, NtpTime wall_clock) {
  auto next_receiver = receivers_.begin();
  const auto take_blocks = [&] {
    rtp::ReportBlocks blocks;
    for (; next_receiver != receivers_.end() && blocks.count < rtp::kMaxReportBlocks;
         ++next_receiver) {
      const auto block = next_receiver->second.take_report_block(now);
      if (block) blocks.blocks[blocks.count++] = *block;
    }
    return blocks;
  };
  for (auto& [id, sender] : senders_) {
    auto report = sender.sender_report(now, wall_clock);
    if (!report) continue;
    report->reports = take_blocks();
    send_rtcp([&](rtp::RtcpWriter& writer) {
      (void)writer.sender_report(*report);
      (void)writer.source_description(report->sender, config_.cname);
    });
  }
  while (next_receiver != receivers_.end()) {
    rtp::ReceiverReport report;
    report.sender = rtcp_ssrc();
    report.reports = take_blocks();
    if (report.reports.count == 0) break;
    send_rtcp([&](rtp::RtcpWriter& writer) {
      (void)writer.receiver_report(report);
      (void)writer.source_description(rtcp_ssrc(), config_.cname);
    });
  }
}

void MediaSession::send_bye(Ssrc sender, std::span<const Ssrc> streams) {
  send_rtcp([&](rtp::RtcpWriter& writer) {
    rtp::ReceiverReport empty;
    empty.sender = sender;
    (void)writer.receiver_report(empty);
    (void)writer.source_description(sender, config_.cname);
    (void)writer.bye(streams, {});
  });
}

}  // namespace sealroom::session
