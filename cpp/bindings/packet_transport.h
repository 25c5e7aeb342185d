#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <vector>

#include "arguments.h"
#include "buffers.h"
#include "errors.h"
#include "frames.h"
#include "sealroom/net/packet_port.h"
#include "transport_statistics.h"

namespace sealroom::bindings {

/// What a media session and a router's transport have in common: one DTLS-SRTP association on a
/// socket. `Bound` is the bound class and has `host()`, the native object behind it. Native calls
/// that may wait for the I/O thread run without the GIL.
template <class Bound>
class PacketTransport {
 public:
  static void bind(pybind11::class_<Bound>& cls) {
    namespace py = pybind11;
    cls.def("start", &start, py::kw_only(), py::arg("profile"), py::arg("send_key"),
            py::arg("receive_key"),
            "Master key and salt of each direction, as the DTLS exporter gives them. Once.")
        .def("set_extensions", &set_extensions, py::arg("extensions"),
             "Replaces the ids of RTP header extensions by those that negotiation settled.")
        .def("attach_socket", &attach_socket, py::arg("fd"),
             "Takes over a connected UDP socket, in place of the one before; closes it on failure.")
        .def("detach_socket", &detach_socket)
        .def_property_readonly("is_attached",
                               [](Bound& bound) { return bound.host().is_attached(); })
        .def("receive_datagram", &receive_datagram, py::arg("data"),
             "An SRTP or SRTCP datagram that came by other means than the socket.")
        .def(
            "take_control",
            [](Bound& bound) {
              return take(bound, [](auto& host) { return host.take_control(); });
            },
            "Datagrams from the socket that are not media (STUN, DTLS), oldest first.")
        .def(
            "take_outgoing",
            [](Bound& bound) {
              return take(bound, [](auto& host) { return host.take_outgoing(); });
            },
            "Without a socket: the newest 2048 datagrams to send by other means, oldest first.")
        .def_property_readonly(
            "event_fd", [](Bound& bound) { return bound.host().event_descriptor(); },
            "Readable when there is something to take.")
        .def("transport_statistics", &transport_statistics,
             "Counters of the sockets, those before the present one included.");
  }

 private:
  static void start(Bound& bound, int profile, const pybind11::buffer& send_key,
                    const pybind11::buffer& receive_key) {
    const ReadBuffer send(send_key);
    const ReadBuffer receive(receive_key);
    const srtp::Profile suite = srtp_profile(profile);
    const ByteView send_view = checked_master("send_key", suite, send.view());
    const ByteView receive_view = checked_master("receive_key", suite, receive.view());
    unwrap(without_gil([&] { return bound.host().set_keys(suite, send_view, receive_view); }),
           "start: once, and not after close");
  }

  static void set_extensions(Bound& bound, const std::map<std::string, int>& ids) {
    const rtp::ExtensionMap extensions = extension_map(ids);
    unwrap(without_gil([&] { return bound.host().set_extensions(extensions); }));
  }

  static void attach_socket(Bound& bound, int fd) {
    unwrap(without_gil([&] { return bound.host().attach_socket(fd); }),
           "fd: a connected UDP socket");
  }

  static void detach_socket(Bound& bound) {
    const pybind11::gil_scoped_release release;
    bound.host().detach_socket();
  }

  static void receive_datagram(Bound& bound, const pybind11::buffer& data) {
    const ReadBuffer datagram(data);
    const pybind11::gil_scoped_release release;
    bound.host().receive_datagram(datagram.view());
  }

  static TransportStatistics transport_statistics(Bound& bound) {
    return without_gil([&] { return TransportStatistics(bound.host()); });
  }

  template <class Take>
  static pybind11::list take(Bound& bound, Take&& from) {
    const std::vector<Bytes> datagrams = without_gil([&] { return from(bound.host()); });
    pybind11::list result(datagrams.size());
    for (std::size_t i = 0; i < datagrams.size(); ++i) result[i] = to_bytes(datagrams[i]);
    return result;
  }

  template <class Work>
  static auto without_gil(Work&& work) {
    const pybind11::gil_scoped_release release;
    return work();
  }
};

}  // namespace sealroom::bindings
