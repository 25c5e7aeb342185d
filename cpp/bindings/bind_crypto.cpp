#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "arguments.h"
#include "errors.h"

namespace sealroom::bindings {
namespace {

namespace py = pybind11;

constexpr crypto::Backend kBackends[] = {crypto::Backend::openssl, crypto::Backend::ipsec_mb};

std::vector<std::string> available_backends() {
  std::vector<std::string> names;
  for (const crypto::Backend backend : kBackends) {
    if (crypto::is_available(backend)) names.emplace_back(crypto::backend_name(backend));
  }
  return names;
}

}  // namespace

crypto::Backend backend_from_option(const std::optional<std::string>& name) {
  std::string wanted = name.value_or("");
  const bool from_environment = !name;
  if (from_environment) {
    const char* value = std::getenv("SEALROOM_CRYPTO");  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr) wanted = value;
  }
  if (wanted.empty()) return crypto::fastest_backend();
  const auto backend = crypto::backend_from_name(wanted);
  if (!backend) {
    std::string choices;
    for (const std::string& choice : available_backends()) {
      choices += (choices.empty() ? "" : ", ") + choice;
    }
    raise(Error::unsupported, (from_environment ? "SEALROOM_CRYPTO" : "backend") +
                                  std::string(": ") + shown(wanted) +
                                  " is not available here; choose one of: " + choices);
  }
  return backend.value();
}

void bind_crypto(py::module_& parent) {
  py::module_ m = parent.def_submodule("crypto", "Which library does the arithmetic.");
  m.def("available_backends", &available_backends,
        "Names of the crypto back ends of this build and CPU.");
  m.def(
      "default_backend",
      [] { return std::string(crypto::backend_name(backend_from_option(std::nullopt))); },
      "The back end used where none is named: $SEALROOM_CRYPTO, else the fastest.");
  m.def(
      "backend_version",
      [](const std::string& name) {
        return std::string(crypto::backend_version(backend_from_option(name)));
      },
      py::arg("name"), "The version text of a back end's library.");
}

}  // namespace sealroom::bindings
