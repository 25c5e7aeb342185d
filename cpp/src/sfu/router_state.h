#pragma once

#include <memory>
#include <unordered_map>

#include "producer.h"

namespace sealroom::sfu {

/// The tables and the way of a packet through them; Router is the lid.
struct Router::State {
  State(crypto::Backend with, RouterLimits within) : backend(with), limits(within) {}

  [[nodiscard]] Transport* find(TransportId id) const;
  [[nodiscard]] Producer* find(ProducerId id) const;
  [[nodiscard]] Consumer* find(ConsumerId id) const;

  void remove(Consumer& consumer);  ///< with a BYE
  void remove(Producer& producer);
  void remove(Transport& transport);

  // packet_routing.cpp
  void handle_rtp(Transport& transport, MutableByteView datagram, Result<std::size_t> size,
                  TimePoint now);
  void handle_rtcp(Transport& transport, MutableByteView datagram, TimePoint now);
  void handle_rtcp_packet(Transport& transport, const rtp::RtcpPacketView& packet,
                          std::size_t& nack_budget, TimePoint now);
  void handle_reports(Transport& transport, const rtp::ReportBlocks& reports, TimePoint now);
  void handle_nack(Transport& transport, const rtp::Feedback& feedback, std::size_t& nack_budget,
                   TimePoint now);
  void handle_key_frame_request(Transport& transport, Ssrc media, TimePoint now);
  Producer* latch(Transport& transport, const rtp::RtpPacketView& view);

  /// For a consumer that has no picture yet.
  void request_first_key_frame(Producer& producer) {
    producer.request_first_key_frame();
    rearm(producer);
  }
  /// Does what is due for the producer and sets its timer.
  void service(Producer& producer, TimePoint now) {
    producer.service(now);
    rearm(producer);
  }
  void rearm(Producer& producer) {
    const TimePoint next = producer.next_timeout();
    if (next != producer.timer.at) timers.arm(producer.timer, next);
  }

  crypto::Backend backend;
  RouterLimits limits;
  std::uint64_t next_id = 1;
  SendQueue send_queue;
  TimerHeap timers;
  RouterStatistics counted;
  std::unordered_map<std::uint64_t, std::unique_ptr<Transport>> transports;
  std::unordered_map<std::uint64_t, std::unique_ptr<Producer>> producers;
  std::unordered_map<std::uint64_t, std::unique_ptr<Consumer>> consumers;
};

}  // namespace sealroom::sfu
