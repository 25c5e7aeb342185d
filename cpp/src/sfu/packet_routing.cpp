#include "router_state.h"

namespace sealroom::sfu {
namespace {

// Packets that one datagram may have sent again, however many NACK messages it holds.
constexpr std::size_t kMaxNackedPerDatagram = rtp::kMaxNackedPackets;

}  // namespace

void Router::State::handle_rtp(Transport& transport, MutableByteView datagram,
                               Result<std::size_t> size, TimePoint now) {
  const auto view = size.ok() ? rtp::RtpPacketView::parse(datagram.first(size.value()))
                              : Result<rtp::RtpPacketView>(size.error());
  if (!view.ok()) {
    ++counted.packets_rejected;
    if (size.ok()) transport.note_unused(*srtp::IdleStreams::ssrc_of(datagram));
    return;
  }
  const Ssrc ssrc = view.value().header().ssrc;
  const auto found = transport.producers_by_ssrc.find(ssrc.value);
  Producer* const producer =
      found != transport.producers_by_ssrc.end() ? found->second : latch(transport, view.value());
  if (producer == nullptr) transport.note_unused(ssrc);
  Forwarded forwarded;
  if (producer == nullptr || !producer->receive(view.value(), now, forwarded)) {
    ++counted.packets_rejected;
    return;
  }
  ++counted.packets_received;
  counted.packets_forwarded += forwarded.packets;
  counted.bytes_forwarded += forwarded.bytes;
  service(*producer, now);
}

// The packet is authentic, so its mid is the sender's word.
Producer* Router::State::latch(Transport& transport, const rtp::RtpPacketView& view) {
  // Given up since it was opened, by a packet before it.
  if (transport.idle_streams.is_refused(view.header().ssrc)) return nullptr;
  const rtp::HeaderExtensions extensions = rtp::read_extensions(view, transport.extensions);
  if (extensions.mid.empty()) return nullptr;
  for (Producer* producer : transport.producers) {
    if (producer->ssrc() || producer->config().mid != extensions.mid ||
        producer->config().payload_type != view.header().payload_type) {
      continue;
    }
    producer->latch(view.header().ssrc);
    transport.take(view.header().ssrc, *producer);
    return producer;
  }
  return nullptr;
}

void Router::State::handle_rtcp(Transport& transport, MutableByteView datagram, TimePoint now) {
  const auto size = transport.receiver->unprotect_rtcp(datagram, datagram);
  if (!size) {
    ++counted.packets_rejected;
    return;
  }
  transport.note_unused(*srtp::IdleStreams::ssrc_of(datagram));
  rtp::RtcpReader reader(datagram.first(size.value()));
  rtp::RtcpPacketView packet;
  std::size_t nack_budget = kMaxNackedPerDatagram;
  while (reader.next(packet)) handle_rtcp_packet(transport, packet, nack_budget, now);
}

void Router::State::handle_rtcp_packet(Transport& transport, const rtp::RtcpPacketView& packet,
                                       std::size_t& nack_budget, TimePoint now) {
  if (packet.type == rtp::RtcpType::sender_report) {
    const auto report = rtp::SenderReport::parse(packet);
    if (!report) return;
    const auto found = transport.producers_by_ssrc.find(report.value().sender.value);
    if (found != transport.producers_by_ssrc.end() &&
        found->second->handle_sender_report(report.value(), now)) {
      service(*found->second, now);
    }
    handle_reports(transport, report.value().reports, now);
  } else if (packet.type == rtp::RtcpType::receiver_report) {
    const auto report = rtp::ReceiverReport::parse(packet);
    if (report.ok()) handle_reports(transport, report.value().reports, now);
  } else if (packet.type == rtp::RtcpType::transport_feedback &&
             packet.count_or_format == rtp::kNackFormat) {
    const auto feedback = rtp::Feedback::parse(packet);
    if (feedback.ok()) handle_nack(transport, feedback.value(), nack_budget, now);
  } else if (packet.type == rtp::RtcpType::payload_feedback) {
    const auto feedback = rtp::Feedback::parse(packet);
    if (!feedback) return;
    if (packet.count_or_format == rtp::kPliFormat) {
      handle_key_frame_request(transport, feedback.value().media, now);
    } else if (packet.count_or_format == rtp::kFirFormat) {
      const auto fir = rtp::parse_fir(feedback.value());
      for (std::size_t i = 0; fir.ok() && i < fir.value().count; ++i) {
        const rtp::FirEntry& entry = fir.value().entries[i];
        if (transport.consumers_by_ssrc.contains(entry.ssrc.value) &&
            transport.fir_filter.is_new(feedback.value().sender, entry, now)) {
          handle_key_frame_request(transport, entry.ssrc, now);
        }
      }
    }
  }
}

void Router::State::handle_reports(Transport& transport, const rtp::ReportBlocks& reports,
                                   TimePoint now) {
  for (std::size_t i = 0; i < reports.count; ++i) {
    const auto found = transport.consumers_by_ssrc.find(reports.blocks[i].ssrc.value);
    if (found == transport.consumers_by_ssrc.end()) continue;
    found->second->handle_report(reports.blocks[i], now);
  }
}

void Router::State::handle_nack(Transport& transport, const rtp::Feedback& feedback,
                                std::size_t& nack_budget, TimePoint now) {
  const auto found = transport.consumers_by_ssrc.find(feedback.media.value);
  if (found == transport.consumers_by_ssrc.end()) return;
  const auto nack = rtp::parse_nack(feedback);
  if (!nack) return;
  Consumer& consumer = *found->second;
  consumer.count_nack();
  consumer.producer().answer_nack(consumer, nack.value(), nack_budget, now);
  nack_budget -= std::min(nack_budget, nack.value().count);
}

void Router::State::handle_key_frame_request(Transport& transport, Ssrc media, TimePoint now) {
  const auto found = transport.consumers_by_ssrc.find(media.value);
  if (found == transport.consumers_by_ssrc.end()) return;
  Consumer& consumer = *found->second;
  consumer.count_key_frame_request();
  if (consumer.producer().kind() != MediaKind::video) return;
  if (consumer.producer().request_key_frame()) service(consumer.producer(), now);
}

}  // namespace sealroom::sfu
