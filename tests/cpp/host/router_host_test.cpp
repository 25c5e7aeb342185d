#include "sealroom/host/router_host.h"

#include <atomic>
#include <memory>
#include <thread>

#include "net/support.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"

namespace sealroom::host {
namespace {

using namespace net::test;  // NOLINT(google-build-using-namespace)

constexpr auto kProfile = srtp::Profile::aead_aes_128_gcm;
constexpr PayloadType kType{111};
constexpr Ssrc kPublisherSsrc{7};

template <class T>
T must(Result<T> result) {
  if (!result) std::abort();
  return std::move(result).value();
}

Bytes key_of(std::uint8_t seed) { return Bytes(28, seed); }

/// A transport, its far end's socket and the far end's SRTP.
struct End {
  End(RouterHost& host, std::uint8_t seed, bool with_socket = true)
      : transport(must(host.create_transport({}))),
        sender(must(srtp::Sender::create(crypto::Backend::openssl, kProfile, key_of(seed)))),
        receiver(must(srtp::Receiver::create(crypto::Backend::openssl, kProfile,
                                             key_of(static_cast<std::uint8_t>(seed + 1))))) {
    EXPECT_TRUE(
        transport->set_keys(kProfile, key_of(static_cast<std::uint8_t>(seed + 1)), key_of(seed))
            .ok());
    if (!with_socket) return;
    const auto [near, far] = connected_pair();
    EXPECT_TRUE(transport->attach_socket(near).ok());
    socket = std::make_unique<net::UdpSocket>(adopt(far));
  }

  Bytes seal(std::uint16_t sequence, std::size_t size) {
    rtp::RtpHeader header;
    header.payload_type = kType;
    header.sequence_number = sequence;
    header.ssrc = kPublisherSsrc;
    const Bytes payload(size, static_cast<std::uint8_t>(sequence));
    Bytes packet(size + 100);
    const std::size_t header_size = must(rtp::write_header(header, {}, {}, packet));
    packet.resize(must(sender.protect_rtp(packet, header_size, payload)));
    return packet;
  }

  std::unique_ptr<RouterTransport> transport;
  std::unique_ptr<net::UdpSocket> socket;
  srtp::Sender sender;
  srtp::Receiver receiver;
};

struct RouterHostTest : testing::Test {
  sfu::ProducerId add_producer(const End& end, rtp::Codec codec = rtp::Codec::opus) {
    return must(host.with_router([&](sfu::Router& router) {
      return router.add_producer(end.transport->id(), {codec, kType, kPublisherSsrc, ""});
    }));
  }
  sfu::ConsumerId add_consumer(const End& end, sfu::ProducerId producer, std::uint32_t ssrc) {
    return must(host.with_router([&](sfu::Router& router) {
      return router.add_consumer(end.transport->id(), producer, {kType, Ssrc{ssrc}, "", 0});
    }));
  }

  net::IoThread io;
  RouterHost host{io, crypto::Backend::openssl};
};

TEST_F(RouterHostTest, ForwardsBetweenSocketsOnTheIoThread) {
  End publisher(host, 1);
  std::vector<std::unique_ptr<End>> subscribers;
  const auto producer = add_producer(publisher);
  for (std::uint8_t i = 0; i < 5; ++i) {
    subscribers.push_back(std::make_unique<End>(host, static_cast<std::uint8_t>(10 + 2 * i)));
    add_consumer(*subscribers.back(), producer, 100U + i);
  }
  for (std::uint16_t i = 0; i < 200; ++i) {
    const Bytes packet = publisher.seal(i, 1000);
    publisher.socket->send(packet, packet.size());
  }
  for (const auto& subscriber : subscribers) {
    const std::vector<Bytes> datagrams = receive_all(*subscriber->socket, 200);
    ASSERT_EQ(datagrams.size(), 200u);
    for (std::uint16_t i = 0; i < 200; ++i) {
      Bytes opened(datagrams[i].size());
      const auto size = subscriber->receiver.unprotect_rtp(datagrams[i], opened);
      ASSERT_TRUE(size.ok());
      const auto view = must(rtp::RtpPacketView::parse(ByteView(opened).first(size.value())));
      EXPECT_EQ(view.header().sequence_number, i);
      EXPECT_EQ(Bytes(view.payload().begin(), view.payload().end()),
                Bytes(1000, static_cast<std::uint8_t>(i)));
    }
  }
}

TEST_F(RouterHostTest, WithoutSocketsDatagramsGoThroughTheQueues) {
  End publisher(host, 1, false);
  End subscriber(host, 3, false);
  add_consumer(subscriber, add_producer(publisher), 100);
  publisher.transport->receive_datagram(publisher.seal(0, 50));
  EXPECT_TRUE(wait_readable(subscriber.transport->event_descriptor(), 0));
  subscriber.transport->clear_event();
  EXPECT_EQ(subscriber.transport->take_outgoing().size(), 1u);
  EXPECT_FALSE(wait_readable(subscriber.transport->event_descriptor(), 0));
}

TEST_F(RouterHostTest, StunAndDtlsWaitForTheOtherLibrary) {
  End publisher(host, 1);
  const Bytes stun{0, 1, 0, 0};
  publisher.socket->send(stun, stun.size());
  ASSERT_TRUE(wait_readable(publisher.transport->event_descriptor()));
  EXPECT_EQ(publisher.transport->take_control(), std::vector<Bytes>{stun});
}

TEST_F(RouterHostTest, AChangeThatAsksForAKeyFrameSendsItAtOnce) {
  End publisher(host, 1);
  End subscriber(host, 3);
  add_consumer(subscriber, add_producer(publisher, rtp::Codec::vp8), 100);
  EXPECT_EQ(receive_all(*publisher.socket, 1).size(), 1u);
}

TEST_F(RouterHostTest, ReportsAreSentByItsTimer) {
  End publisher(host, 1);
  add_producer(publisher);
  const Bytes packet = publisher.seal(0, 100);
  publisher.socket->send(packet, packet.size());
  ASSERT_TRUE(wait_readable(publisher.socket->file_descriptor(), 3000));
  EXPECT_EQ(receive_all(*publisher.socket, 1).size(), 1u);
}

TEST_F(RouterHostTest, AClosedTransportIsOutOfTheRouterAndTakesNoSocket) {
  End publisher(host, 1);
  End subscriber(host, 3);
  const auto producer = add_producer(publisher);
  const auto consumer = add_consumer(subscriber, producer, 100);
  publisher.transport->close();
  publisher.transport->close();
  EXPECT_FALSE(host.with_router([&](sfu::Router& router) { return router.statistics(producer); }));
  EXPECT_FALSE(host.with_router([&](sfu::Router& router) { return router.statistics(consumer); }));
  EXPECT_EQ(receive_all(*subscriber.socket, 1).size(), 1u);  // the BYE
  const auto [near, far] = connected_pair();
  EXPECT_EQ(publisher.transport->attach_socket(near).error(), Error::not_ready);
  EXPECT_FALSE(publisher.transport->is_attached());
  publisher.transport->receive_datagram(publisher.seal(0, 50));
  EXPECT_GE(publisher.transport->event_descriptor(), 0);
  ::close(far);
}

TEST_F(RouterHostTest, TransportsComeAndGoWhileMediaFlows) {
  End publisher(host, 1);
  const auto producer = add_producer(publisher);
  std::atomic<bool> stop{false};
  std::thread media([&] {
    for (std::uint16_t i = 0; !stop; ++i) {
      const Bytes packet = publisher.seal(i, 300);
      publisher.socket->send(packet, packet.size());
      if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  std::vector<std::thread> churn;
  for (std::uint8_t thread = 0; thread < 2; ++thread) {
    churn.emplace_back([&, thread] {
      for (std::uint32_t i = 0; i < 60; ++i) {
        End subscriber(host, static_cast<std::uint8_t>(10 + 100 * thread + i % 50));
        const auto consumer = add_consumer(subscriber, producer, 100 + i);
        EXPECT_FALSE(receive_all(*subscriber.socket, 1).empty());
        if (i % 3 == 0) {
          host.with_router([&](sfu::Router& router) {
            router.remove_consumer(consumer);
            return true;
          });
        }
        if (i % 3 == 1) subscriber.transport->detach_socket();
      }
    });
  }
  for (std::thread& thread : churn) thread.join();
  stop = true;
  media.join();
}

}  // namespace
}  // namespace sealroom::host
