#include <pybind11/pybind11.h>

#include "default_io_thread.h"
#include "sealroom/net/io_thread.h"

namespace sealroom::bindings {

namespace py = pybind11;

void bind_net(py::module_& parent) {
  py::module_ m = parent.def_submodule(
      "net", "The I/O thread: the only part of the core that makes system calls.");
  py::class_<net::IoThread>(
      m, "IoThread",
      "A thread that reads the sockets and fires the timers of many sessions and routers.")
      .def(py::init<>());
  m.def("default_io_thread", &default_io_thread, py::return_value_policy::reference,
        "The I/O thread used where none is named; started on first use.");
}

}  // namespace sealroom::bindings
