#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "host_owner.h"
#include "packet_transport.h"
#include "sealroom/host/router_host.h"

namespace sealroom::bindings {

/// The result keeps the object alive whose method made it. py::keep_alive<0, 1> of pybind11 3.1
/// crashes in a call with wrong arguments: it takes the mark of that for a result.
struct KeepSelfAlive {};

}  // namespace sealroom::bindings

template <>
struct pybind11::detail::process_attribute<sealroom::bindings::KeepSelfAlive>
    : process_attribute_default<sealroom::bindings::KeepSelfAlive> {
  static void postcall(function_call& call, handle result) {
    if (result && result.ptr() != PYBIND11_TRY_NEXT_OVERLOAD) {
      keep_alive_impl(result, call.args[0]);
    }
  }
};

namespace sealroom::bindings {
namespace {

namespace py = pybind11;
using namespace py::literals;
using sfu::ConsumerId;
using sfu::ProducerId;

struct PyTappedFrame {
  py::array_t<std::uint8_t> data;
  std::uint32_t rtp_timestamp;
  bool is_key_frame;
};

class PyRouterTransport : public HostOwner<host::RouterTransport> {
 public:
  explicit PyRouterTransport(std::unique_ptr<host::RouterTransport> transport)
      : HostOwner(std::move(transport)) {}

  [[nodiscard]] std::uint64_t id() const { return HostOwner::host().id().value; }
  [[nodiscard]] bool is_of(const host::RouterHost& router) const {
    return HostOwner::host().is_of(router);
  }

  /// The router has no events; this only clears the descriptor.
  py::list take_events() {
    host().clear_event();
    return py::list();
  }
};

class PyRouter : public HostOwner<host::RouterHost> {
 private:
  template <class Function>
  auto run(Function&& function) {
    return without_gil(
        [&](host::RouterHost& to) { return to.with_router(std::forward<Function>(function)); });
  }

 public:
  PyRouter(net::IoThread* io_thread, const std::optional<std::string>& backend)
      : HostOwner(std::make_unique<host::RouterHost>(io_thread_or_default(io_thread),
                                                     backend_from_option(backend))) {}

  std::unique_ptr<PyRouterTransport> create_transport(const std::map<std::string, int>& ids) {
    const rtp::ExtensionMap extensions = extension_map(ids);
    return std::make_unique<PyRouterTransport>(unwrap(without_gil(
        [&](host::RouterHost& router) { return router.create_transport(extensions); })));
  }

  std::uint64_t add_producer(const PyRouterTransport& transport, const std::string& mid,
                             std::optional<std::uint32_t> ssrc, int type,
                             const std::string& codec) {
    sfu::ProducerConfig config;
    config.codec = codec_from_name(codec);
    config.payload_type = shared_port_payload_type("payload_type", type);
    if (ssrc) config.ssrc = Ssrc{*ssrc};
    config.mid = mid;
    const sfu::TransportId id = own(transport);
    return unwrap(
               run([&](sfu::Router& router) { return router.add_producer(id, std::move(config)); }),
               "transport, mid or ssrc: an open transport; mid of at most 16 bytes; without ssrc a "
               "mid, and then no other producer of it; an ssrc of no other producer and of no "
               "stream that was given up, so a new one")
        .value;
  }

  void remove_producer(std::uint64_t id) {
    run([&](sfu::Router& router) {
      router.remove_producer(ProducerId{id});
      return true;
    });
  }

  std::uint64_t add_consumer(const PyRouterTransport& transport, std::uint64_t producer,
                             std::uint32_t ssrc, int type, const std::string& mid) {
    sfu::ConsumerConfig config;
    config.ssrc = Ssrc{ssrc};
    config.payload_type = shared_port_payload_type("payload_type", type);
    config.mid = mid;
    config.first_sequence_number = random_first_number();
    const sfu::TransportId id = own(transport);
    return unwrap(
               run([&](sfu::Router& router) {
                 return router.add_consumer(id, ProducerId{producer}, std::move(config));
               }),
               "transport, producer, mid or ssrc: an open transport; a known producer; mid of at "
               "most 16 bytes; an ssrc not used on the transport before")
        .value;
  }

  void remove_consumer(std::uint64_t id) {
    run([&](sfu::Router& router) {
      router.remove_consumer(ConsumerId{id});
      return true;
    });
  }

  void set_consumer_paused(std::uint64_t id, bool paused) {
    unwrap(run([&](sfu::Router& router) {
             return router.set_consumer_paused(ConsumerId{id}, paused);
           }),
           "consumer: unknown id");
  }

  void set_tap(std::uint64_t producer, bool enabled) {
    unwrap(run([&](sfu::Router& router) { return router.set_tap(ProducerId{producer}, enabled); }),
           "producer: unknown id");
  }

  py::list take_tapped_frames(std::uint64_t producer) {
    std::vector<sfu::TappedFrame> frames =
        run([&](sfu::Router& router) { return router.take_tapped_frames(ProducerId{producer}); });
    py::list result(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      result[i] = py::cast(PyTappedFrame{to_array(std::move(frames[i].data)),
                                         frames[i].timestamp.value, frames[i].is_key_frame});
    }
    return result;
  }

  sfu::RouterStatistics statistics() {
    return run([](sfu::Router& router) { return router.statistics(); });
  }
  sfu::ProducerStatistics producer_statistics(std::uint64_t id) {
    return known(run([&](sfu::Router& router) { return router.statistics(ProducerId{id}); }),
                 "producer");
  }
  sfu::ConsumerStatistics consumer_statistics(std::uint64_t id) {
    return known(run([&](sfu::Router& router) { return router.statistics(ConsumerId{id}); }),
                 "consumer");
  }

 private:
  /// Every router counts its transports from one, so an id alone would name one of its own.
  [[nodiscard]] sfu::TransportId own(const PyRouterTransport& transport) {
    if (!transport.is_of(host())) {
      raise(Error::invalid_argument,
            "transport: of another router; take one that this router created");
    }
    return sfu::TransportId{transport.id()};
  }

  template <class Statistics>
  static Statistics known(const std::optional<Statistics>& statistics, const char* what) {
    if (!statistics) raise(Error::invalid_argument, std::string(what) + ": unknown id");
    return *statistics;
  }
};

void bind_values(py::module_& m) {
  py::class_<PyTappedFrame>(m, "TappedFrame",
                            "A frame as the router could see it: its payload, which is ciphertext.")
      .def_readonly("data", &PyTappedFrame::data)
      .def_readonly("rtp_timestamp", &PyTappedFrame::rtp_timestamp)
      .def_readonly("is_key_frame", &PyTappedFrame::is_key_frame);
  py::class_<sfu::RouterStatistics>(m, "RouterStatistics", "Counters of a Router.")
      .def_readonly("packets_received", &sfu::RouterStatistics::packets_received)
      .def_readonly("packets_forwarded", &sfu::RouterStatistics::packets_forwarded)
      .def_readonly("bytes_forwarded", &sfu::RouterStatistics::bytes_forwarded)
      .def_readonly("packets_rejected", &sfu::RouterStatistics::packets_rejected,
                    "Not authentic, replayed, of no producer, of a stream that was given up, or\n"
                    "larger than 1500 bytes.");
  py::class_<sfu::ProducerStatistics>(m, "ProducerStatistics", "Counters of one producer.")
      .def_readonly("packets_received", &sfu::ProducerStatistics::packets_received)
      .def_readonly("bytes_received", &sfu::ProducerStatistics::bytes_received)
      .def_readonly("packets_lost", &sfu::ProducerStatistics::packets_lost)
      .def_readonly("nacks_sent", &sfu::ProducerStatistics::nacks_sent)
      .def_readonly("key_frame_requests_sent", &sfu::ProducerStatistics::key_frame_requests_sent);
  py::class_<sfu::ConsumerStatistics>(m, "ConsumerStatistics", "Counters of one consumer.")
      .def_readonly("packets_sent", &sfu::ConsumerStatistics::packets_sent)
      .def_readonly("bytes_sent", &sfu::ConsumerStatistics::bytes_sent)
      .def_readonly("packets_retransmitted", &sfu::ConsumerStatistics::packets_retransmitted)
      .def_readonly("nacks_received", &sfu::ConsumerStatistics::nacks_received)
      .def_readonly("key_frame_requests_received",
                    &sfu::ConsumerStatistics::key_frame_requests_received)
      .def_readonly("fraction_lost", &sfu::ConsumerStatistics::fraction_lost,
                    "Of 256, from the last receiver report.");
}

}  // namespace

void bind_sfu(py::module_& parent) {
  py::module_ m = parent.def_submodule(
      "sfu", "The selective forwarding unit: SRTP in, SRTP out per subscriber; no frame keys.");
  bind_values(m);
  py::class_<PyRouterTransport> transport(m, "RouterTransport",
                                          "One DTLS-SRTP association of a router.");
  PacketTransport<PyRouterTransport>::bind(transport);
  transport.def_property_readonly("id", &PyRouterTransport::id)
      .def("take_events", &PyRouterTransport::take_events, "Always empty; clears the descriptor.")
      .def("close", &PyRouterTransport::close,
           "Takes its producers and consumers out of the router. Idempotent.");
  py::class_<PyRouter>(
      m, "Router",
      "Forwards tracks between transports on the I/O thread. A child of fork has to make\n"
      "its own: there the methods of this one raise NotReadyError.")
      .def(py::init<net::IoThread*, const std::optional<std::string>&>(),
           "io_thread"_a = py::none(), py::kw_only(), "backend"_a = py::none(),
           py::keep_alive<1, 2>())
      .def("create_transport", &PyRouter::create_transport, py::kw_only(), "extensions"_a,
           KeepSelfAlive(),
           "Ids of RTP header extensions as in {\"mid\": 1, \"abs_send_time\": 2}.\n"
           "Raises LimitExceededError, OSError when out of descriptors.")
      .def("add_producer", &PyRouter::add_producer, "transport"_a, py::kw_only(), "mid"_a,
           "ssrc"_a = py::none(), "payload_type"_a, "codec"_a,
           "The id of a track that arrives by `transport`. Without `ssrc` it takes the first one\n"
           "that comes with `mid`. Of streams without a producer 1024 are kept, and the ssrc of\n"
           "one that was given up is refused. Raises UnsupportedError, LimitExceededError (3040\n"
           "producers of a transport).")
      .def("remove_producer", &PyRouter::remove_producer, "producer"_a)
      .def("add_consumer", &PyRouter::add_consumer, "transport"_a, "producer"_a, py::kw_only(),
           "ssrc"_a, "payload_type"_a, "mid"_a,
           "The id of a forwarding of `producer` to `transport`, under its own ssrc, payload type\n"
           "and mid. Raises LimitExceededError.")
      .def("remove_consumer", &PyRouter::remove_consumer, "consumer"_a)
      .def("set_consumer_paused", &PyRouter::set_consumer_paused, "consumer"_a, "paused"_a)
      .def("set_tap", &PyRouter::set_tap, "producer"_a, "enabled"_a,
           "Whether whole frames are kept to be taken: what the server can see of them.")
      .def("take_tapped_frames", &PyRouter::take_tapped_frames, "producer"_a,
           "Frames kept since the last call, oldest first; empty for an unknown producer.")
      .def("statistics", &PyRouter::statistics)
      .def("producer_statistics", &PyRouter::producer_statistics, "producer"_a)
      .def("consumer_statistics", &PyRouter::consumer_statistics, "consumer"_a);
}

}  // namespace sealroom::bindings
