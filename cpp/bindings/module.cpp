#include <pybind11/pybind11.h>

#include <string>

#include "errors.h"
#include "plain_repr.h"
#include "quiet_errors.h"
#include "unmade_objects.h"

namespace py = pybind11;

namespace sealroom::bindings {

void bind_native(py::module_& m);
void bind_crypto(py::module_& m);
void bind_sframe(py::module_& m);
void bind_media_frame(py::module_& m);
void bind_privmx(py::module_& m);
void bind_rtp(py::module_& m);
void bind_srtp(py::module_& m);
void bind_jitter(py::module_& m);
void bind_net(py::module_& m);
void bind_session(py::module_& m);
void bind_sfu(py::module_& m);

}  // namespace sealroom::bindings

PYBIND11_MODULE(_core, m) {
  using namespace sealroom::bindings;  // NOLINT(google-build-using-namespace)
  m.doc() = "The native core of sealroom.";
  m.attr("__version__") = SEALROOM_VERSION;
  translate_exceptions();
  bind_native(m);
  // A class is bound before the functions that mention it, so that signatures come out typed.
  bind_crypto(m);
  bind_sframe(m);
  bind_media_frame(m);
  bind_privmx(m);
  bind_rtp(m);
  bind_srtp(m);
  bind_jitter(m);
  bind_net(m);
  bind_session(m);
  bind_sfu(m);
  add_plain_reprs(m);
  keep_arguments_out_of_errors(m);
  refuse_unmade_objects(m);
  // So that `from sealroom._core.session import MediaSession` works as for a package.
  const py::dict modules = py::module_::import("sys").attr("modules");
  for (const char* name :
       {"crypto", "sframe", "privmx", "rtp", "srtp", "jitter", "net", "session", "sfu"}) {
    modules[py::str(m.attr("__name__").cast<std::string>() + "." + name)] = m.attr(name);
  }
}
