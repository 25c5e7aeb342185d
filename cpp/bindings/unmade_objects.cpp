#include "unmade_objects.h"

#include <cstddef>
#include <string>

namespace sealroom::bindings {
namespace unmade_objects {
namespace {

namespace py = pybind11;

// pybind11 makes the memory of a native object here if a call is given one that has none;
// constructors and return values do not come by. It is not told the class.
void* refuse(std::size_t) {
  throw py::type_error("an object whose __init__ was not called, or failed, cannot be used");
}

void visit(py::handle scope, const std::string& package) {
  const py::list members(scope.attr("__dict__").attr("values")());
  for (const py::handle member : members) {
    const bool is_type = PyType_Check(member.ptr()) != 0;
    if (!is_type && PyModule_Check(member.ptr()) == 0) continue;
    const auto name = py::str(member.attr(is_type ? "__module__" : "__name__")).cast<std::string>();
    if (name != package && !name.starts_with(package + ".")) continue;
    if (is_type) {
      auto* const info = py::detail::get_type_info(reinterpret_cast<PyTypeObject*>(member.ptr()));
      if (info != nullptr) info->operator_new = refuse;
    }
    visit(member, package);
  }
}

}  // namespace
}  // namespace unmade_objects

void refuse_unmade_objects(const pybind11::module_& m) {
  unmade_objects::visit(m, m.attr("__name__").cast<std::string>());
}

}  // namespace sealroom::bindings
