#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "arguments.h"
#include "sealroom/base/cpu_features.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/net/udp_socket.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

py::dict native_info() {
  py::dict backends;
  for (const crypto::Backend backend : {crypto::Backend::openssl, crypto::Backend::ipsec_mb}) {
    if (!crypto::is_available(backend)) continue;
    backends[py::str(std::string(crypto::backend_name(backend)))] =
        std::string(crypto::backend_version(backend));
  }
  py::list features;
  for (const std::string_view name : cpu_features()) features.append(std::string(name));
  const net::IoCapabilities& kernel = net::io_capabilities();
  py::dict io;
  io["gso"] = kernel.segmentation_offload;
  io["gro"] = kernel.receive_offload;
  io["mmsg"] = kernel.message_batches;

  py::dict info;
  info["version"] = SEALROOM_VERSION;
  info["build_type"] = SEALROOM_BUILD_TYPE;
  info["compiler"] = compiler();
  info["sanitizer"] = SEALROOM_SANITIZER;
  info["crypto_backends"] = backends;
  info["default_crypto_backend"] =
      std::string(crypto::backend_name(backend_from_option(std::nullopt)));
  info["cpu_features"] = py::tuple(features);
  info["io"] = io;
#ifdef Py_GIL_DISABLED
  info["free_threaded"] = true;
#else
  info["free_threaded"] = false;
#endif
  return info;
}

}  // namespace

void bind_native(py::module_& m) {
  m.def("native_info", &native_info, "What sealroom.native_info() tells, as a dictionary.");
}

}  // namespace sealroom::bindings
