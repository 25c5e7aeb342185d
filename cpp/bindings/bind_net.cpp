#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "default_io_thread.h"
#include "sealroom/net/io_thread.h"
#include "transport_statistics.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;

void bind_socket_properties(py::module_& m) {
  using net::SocketProperties;
  py::class_<SocketProperties>(m, "SocketProperties",
                               "What the attached socket got of what was asked for.")
      .def_readonly(
          "segmentation_offload", &SocketProperties::segmentation_offload,
          "Whether UDP_SEGMENT is used; a refusal of segments of usual size switches it off.")
      .def_readonly("receive_offload", &SocketProperties::receive_offload, "UDP_GRO.")
      .def_readonly("message_batches", &SocketProperties::message_batches, "sendmmsg and recvmmsg.")
      .def_readonly("receive_buffer_asked", &SocketProperties::receive_buffer_asked, "Bytes.")
      .def_readonly("receive_buffer", &SocketProperties::receive_buffer,
                    "Bytes, as the kernel says; less than asked for: raise net.core.rmem_max.")
      .def_readonly("send_buffer_asked", &SocketProperties::send_buffer_asked, "Bytes.")
      .def_readonly("send_buffer", &SocketProperties::send_buffer,
                    "Bytes, as the kernel says; less than asked for: raise net.core.wmem_max.")
      .def_property_readonly(
          "is_buffer_cut",
          [](const SocketProperties& got) {
            return got.receive_buffer < got.receive_buffer_asked ||
                   got.send_buffer < got.send_buffer_asked;
          },
          "Whether the system's limits cut one of the buffers: bursts may be dropped.");
}

void bind_transport_statistics(py::module_& m) {
  py::class_<TransportStatistics> cls(m, "TransportStatistics",
                                      "Counters of one transport, over all its sockets.");
  const auto counter = [&](const char* name, auto read, const char* doc = "") {
    cls.def_property_readonly(
        name, [read](const TransportStatistics& all) { return read(all); }, doc);
  };
  counter("datagrams_received", [](const auto& all) { return all.port.socket.datagrams_received; });
  counter("bytes_received", [](const auto& all) { return all.port.socket.bytes_received; });
  counter("datagrams_sent", [](const auto& all) { return all.port.socket.datagrams_sent; });
  counter("bytes_sent", [](const auto& all) { return all.port.socket.bytes_sent; });
  counter(
      "send_errors", [](const auto& all) { return all.port.socket.send_errors; },
      "Datagrams that the kernel refused.");
  counter(
      "send_buffer_full", [](const auto& all) { return all.port.socket.send_buffer_full; },
      "Of these: no room (EAGAIN, ENOBUFS).");
  counter(
      "send_too_large", [](const auto& all) { return all.port.socket.send_too_large; },
      "Of these: above the MTU of the path (EMSGSIZE).");
  counter(
      "segmentation_refusals",
      [](const auto& all) { return all.port.socket.segmentation_refusals; },
      "Sends for which the kernel refused UDP_SEGMENT: their datagrams left one by one.");
  counter(
      "kernel_receive_drops", [](const auto& all) { return all.port.socket.kernel_receive_drops; },
      "Datagrams that found the receive buffer full (SO_RXQ_OVFL).");
  counter(
      "control_received", [](const auto& all) { return all.port.control_received; },
      "Datagrams that are not media.");
  counter(
      "control_dropped", [](const auto& all) { return all.port.control_dropped; },
      "Of these: of no known protocol, or more than 256 or 1 MiB waited.");
  counter(
      "outgoing_dropped", [](const auto& all) { return all.port.outgoing_dropped; },
      "Without a socket: the oldest of more than 2048 that waited.");
  counter(
      "datagrams_delayed", [](const auto& all) { return all.pacer.datagrams_delayed; },
      "By pacing.");
  counter(
      "datagrams_overdue", [](const auto& all) { return all.pacer.datagrams_overdue; },
      "Sent beside the pacing rate, as they had waited for 250 ms.");
  counter(
      "datagrams_overflow", [](const auto& all) { return all.pacer.datagrams_overflow; },
      "Sent beside the pacing rate, as more than 1 MiB waited.");
  counter(
      "paced_bytes", [](const auto& all) { return all.pacer.queued_bytes; },
      "Waiting for the pacing rate now.");
  cls.def_property_readonly(
      "socket", [](const TransportStatistics& all) { return all.port.properties; },
      "Of the attached socket; None without one.");
}

}  // namespace

void bind_net(py::module_& parent) {
  py::module_ m = parent.def_submodule(
      "net", "The I/O thread: the only part of the core that makes system calls.");
  py::class_<net::IoThread>(
      m, "IoThread",
      "A thread that reads the sockets and fires the timers of many sessions and routers. Of no\n"
      "use in a child of fork: NotReadyError.")
      .def(py::init<>());
  m.def("default_io_thread", &default_io_thread, py::return_value_policy::reference,
        "The I/O thread used where none is named; started on first use, in a child of fork anew.");
  bind_socket_properties(m);
  bind_transport_statistics(m);
}

}  // namespace sealroom::bindings
