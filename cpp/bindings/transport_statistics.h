#pragma once

#include "sealroom/net/pacer.h"
#include "sealroom/net/packet_port.h"

namespace sealroom::bindings {

/// The counters of a port and, where its owner paces, of the pacer.
struct TransportStatistics {
  template <class Host>
  explicit TransportStatistics(Host& host) : port(host.port_counters()) {
    if constexpr (requires { host.pacer_statistics(); }) pacer = host.pacer_statistics();
  }

  net::PortCounters port;
  net::PacerStatistics pacer;
};

}  // namespace sealroom::bindings
