#include "sealroom/sfu/router.h"

#include <algorithm>
#include <utility>

#include "router_state.h"
#include "sealroom/rtp/payload_type.h"

namespace sealroom::sfu {
namespace {

constexpr std::size_t kMaxMidSize = 16;

template <class Map>
auto* find_in(const Map& map, std::uint64_t id) {
  const auto found = map.find(id);
  return found == map.end() ? nullptr : found->second.get();
}

}  // namespace

Transport* Router::State::find(TransportId id) const { return find_in(transports, id.value); }
Producer* Router::State::find(ProducerId id) const { return find_in(producers, id.value); }
Consumer* Router::State::find(ConsumerId id) const { return find_in(consumers, id.value); }

void Router::State::remove(Consumer& consumer) {
  Transport& transport = consumer.transport();
  consumer.send_bye(consumer.producer().cname());
  transport.consumers_by_ssrc.erase(consumer.ssrc().value);
  // After the BYE: its SSRC is not used again, so nothing needs the indices any more.
  if (transport.has_keys()) transport.sender->remove_stream(consumer.ssrc());
  std::erase(consumer.producer().consumers, &consumer);
  consumers.erase(consumer.id().value);
}

void Router::State::remove(Producer& producer) {
  while (!producer.consumers.empty()) remove(*producer.consumers.back());
  Transport& transport = producer.transport();
  if (producer.ssrc()) {
    transport.producers_by_ssrc.erase(producer.ssrc()->value);
    transport.note_unused(*producer.ssrc());
  }
  std::erase(transport.producers, &producer);
  timers.disarm(producer.timer);
  producers.erase(producer.id().value);
}

void Router::State::remove(Transport& transport) {
  while (!transport.producers.empty()) remove(*transport.producers.back());
  while (!transport.consumers_by_ssrc.empty()) remove(*transport.consumers_by_ssrc.begin()->second);
  std::erase(send_queue, &transport);
  transports.erase(transport.id.value);
}

Router::Router(crypto::Backend backend, RouterLimits limits)
    : state_(std::make_unique<State>(backend, limits)) {}
Router::~Router() = default;

Result<TransportId> Router::add_transport() {
  if (state_->transports.size() >= state_->limits.max_transports) return Error::limit_exceeded;
  const TransportId id{state_->next_id++};
  state_->transports.emplace(id.value, std::make_unique<Transport>(id, state_->send_queue));
  state_->send_queue.reserve(state_->transports.size());
  return id;
}

void Router::remove_transport(TransportId id) {
  if (Transport* transport = state_->find(id)) state_->remove(*transport);
}

Result<void> Router::set_keys(TransportId id, srtp::Profile profile, ByteView send,
                              ByteView receive) {
  Transport* const transport = state_->find(id);
  if (transport == nullptr || transport->has_keys()) return Error::invalid_argument;
  // What a consumer asks for again is made from the same incoming packet, so it is the same.
  auto sender = srtp::Sender::create(state_->backend, profile, send, {.allow_repeats = true});
  if (!sender) return sender.error();
  auto receiver =
      srtp::Receiver::create(state_->backend, profile, receive, {.replay_window = kReplayWindow});
  if (!receiver) return receiver.error();
  transport->sender.emplace(std::move(sender).value());
  transport->receiver.emplace(std::move(receiver).value());
  for (const auto& [ssrc, consumer] : transport->consumers_by_ssrc) {
    if (consumer->needs_key_frame()) state_->request_first_key_frame(consumer->producer());
  }
  for (Producer* producer : transport->producers) state_->rearm(*producer);
  return {};
}

Result<void> Router::set_extensions(TransportId id, const rtp::ExtensionMap& map) {
  Transport* const transport = state_->find(id);
  if (transport == nullptr) return Error::invalid_argument;
  transport->extensions = map;
  for (Producer* producer : transport->producers) producer->set_extensions(map);
  for (const auto& [ssrc, consumer] : transport->consumers_by_ssrc) consumer->set_extensions(map);
  return {};
}

Result<ProducerId> Router::add_producer(TransportId id, ProducerConfig config) {
  Transport* const transport = state_->find(id);
  if (transport == nullptr || config.mid.size() > kMaxMidSize ||
      !rtp::may_share_port_with_rtcp(config.payload_type) || (!config.ssrc && config.mid.empty())) {
    return Error::invalid_argument;
  }
  if (config.ssrc && (transport->producers_by_ssrc.contains(config.ssrc->value) ||
                      transport->idle_streams.is_refused(*config.ssrc))) {
    return Error::invalid_argument;
  }
  // Two of one mid that both wait for an SSRC could not be told apart.
  const bool is_ambiguous =
      !config.ssrc && std::any_of(transport->producers.begin(), transport->producers.end(),
                                  [&](const Producer* other) {
                                    return !other->ssrc() && other->config().mid == config.mid;
                                  });
  if (is_ambiguous) return Error::invalid_argument;
  if (state_->producers.size() >= state_->limits.max_producers ||
      transport->producers.size() >= kMaxProducersPerTransport) {
    return Error::limit_exceeded;
  }

  const ProducerId producer_id{state_->next_id++};
  auto producer = std::make_unique<Producer>(producer_id, *transport, std::move(config));
  if (producer->ssrc()) transport->take(*producer->ssrc(), *producer);
  transport->producers.push_back(producer.get());
  state_->producers.emplace(producer_id.value, std::move(producer));
  state_->timers.reserve(state_->producers.size());
  return producer_id;
}

void Router::remove_producer(ProducerId id) {
  if (Producer* producer = state_->find(id)) state_->remove(*producer);
}

Result<ConsumerId> Router::add_consumer(TransportId id, ProducerId producer_id,
                                        ConsumerConfig config) {
  Transport* const transport = state_->find(id);
  Producer* const producer = state_->find(producer_id);
  if (transport == nullptr || producer == nullptr || config.mid.size() > kMaxMidSize ||
      !rtp::may_share_port_with_rtcp(config.payload_type) || config.ssrc == kRouterSsrc ||
      transport->used_ssrcs.contains(config.ssrc.value)) {
    return Error::invalid_argument;
  }
  if (state_->consumers.size() >= state_->limits.max_consumers ||
      // One of the SRTP streams is the router's own.
      transport->consumers_by_ssrc.size() + 1 >= srtp::kMaxSendStreams ||
      transport->used_ssrcs.size() >= kMaxSsrcsPerTransport) {
    return Error::limit_exceeded;
  }
  const ConsumerId consumer_id{state_->next_id++};
  auto consumer = std::make_unique<Consumer>(consumer_id, *producer, *transport, std::move(config),
                                             producer->kind());
  transport->used_ssrcs.insert(consumer->ssrc().value);
  transport->consumers_by_ssrc.emplace(consumer->ssrc().value, consumer.get());
  producer->consumers.push_back(consumer.get());
  if (consumer->needs_key_frame() && transport->has_keys())
    state_->request_first_key_frame(*producer);
  state_->consumers.emplace(consumer_id.value, std::move(consumer));
  return consumer_id;
}

void Router::remove_consumer(ConsumerId id) {
  if (Consumer* consumer = state_->find(id)) state_->remove(*consumer);
}

Result<void> Router::set_consumer_paused(ConsumerId id, bool paused) {
  Consumer* const consumer = state_->find(id);
  if (consumer == nullptr) return Error::invalid_argument;
  const bool was_paused = consumer->is_paused();
  consumer->set_paused(paused);
  if (was_paused && !paused && consumer->needs_key_frame()) {
    state_->request_first_key_frame(consumer->producer());
  }
  return {};
}

void Router::handle_datagrams(TransportId from, std::span<const MutableByteView> datagrams,
                              TimePoint now) {
  Transport* const transport = state_->find(from);
  if (transport == nullptr || !transport->has_keys()) {
    state_->counted.packets_rejected += datagrams.size();
    return;
  }
  transport->catch_up_budget = kMaxCatchUp;
  state_->counted.packets_rejected += transport->idle_streams.open_accepted(
      datagrams, [&](std::span<const MutableByteView> accepted) {
        srtp::open_datagrams(
            *transport->receiver, accepted,
            [&](MutableByteView datagram, Result<std::size_t> size) {
              state_->handle_rtp(*transport, datagram, size, now);
            },
            [&](MutableByteView datagram) { state_->handle_rtcp(*transport, datagram, now); });
      });
}

void Router::handle_timeout(TimePoint now) {
  // One round: a producer that is due again at once waits for the next call.
  for (std::size_t left = state_->timers.size(); left > 0 && next_timeout() <= now; --left) {
    auto& timer = *static_cast<Producer::Timer*>(state_->timers.earliest());
    state_->timers.disarm(timer);
    state_->service(*timer.owner, now);
  }
}

TimePoint Router::next_timeout() const { return state_->timers.earliest_time(); }

bool Router::poll_transmit(Transmit& transmit) {
  SendQueue& queue = state_->send_queue;
  while (!queue.empty()) {
    Transport& transport = *queue.back();
    DatagramBatch::Run run;
    if (transport.outgoing.next(run)) {
      transmit = {transport.id, run.data, run.segment_size};
      return true;
    }
    transport.is_queued = false;
    queue.pop_back();
  }
  return false;
}

Result<void> Router::set_tap(ProducerId id, bool enabled) {
  Producer* const producer = state_->find(id);
  if (producer == nullptr) return Error::invalid_argument;
  producer->set_tap(enabled, state_->limits.max_tapped_frames);
  state_->rearm(*producer);
  return {};
}

std::vector<TappedFrame> Router::take_tapped_frames(ProducerId id) {
  Producer* const producer = state_->find(id);
  return producer != nullptr ? producer->take_tapped_frames() : std::vector<TappedFrame>();
}

RouterStatistics Router::statistics() const { return state_->counted; }

std::optional<ProducerStatistics> Router::statistics(ProducerId id) const {
  const Producer* const producer = state_->find(id);
  if (producer == nullptr) return std::nullopt;
  return producer->statistics();
}

std::optional<ConsumerStatistics> Router::statistics(ConsumerId id) const {
  const Consumer* const consumer = state_->find(id);
  if (consumer == nullptr) return std::nullopt;
  return consumer->statistics();
}

}  // namespace sealroom::sfu
