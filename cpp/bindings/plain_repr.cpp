#include "plain_repr.h"

#include <string>
#include <string_view>

namespace sealroom::bindings {
namespace plain_repr_of {
namespace {

namespace py = pybind11;

constexpr std::size_t kMostItems = 8;  // of a list or tuple
constexpr std::size_t kMostCharacters = 64;

std::string value_text(py::handle value) {
  if (PyObject_CheckBuffer(value.ptr()) != 0) {
    const auto view = py::reinterpret_steal<py::object>(PyMemoryView_FromObject(value.ptr()));
    if (!view) throw py::error_already_set();
    const auto size = view.attr("nbytes").cast<py::ssize_t>();
    return "<" + std::to_string(size) + " bytes>";
  }
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    if (py::len(value) > kMostItems) return "<" + std::to_string(py::len(value)) + " items>";
    std::string text;
    for (const py::handle item : value) text += (text.empty() ? "" : ", ") + value_text(item);
    return py::isinstance<py::list>(value) ? "[" + text + "]" : "(" + text + ")";
  }
  const auto text = py::repr(value).cast<std::string>();
  return text.size() > kMostCharacters && py::isinstance<py::str>(value)
             ? "<" + std::to_string(py::len(value)) + " characters>"
             : text;
}

std::string text_of(py::handle object) {
  const py::handle type = py::type::handle_of(object);
  std::string text;
  const py::list classes(type.attr("__mro__"));
  for (std::size_t i = classes.size(); i-- > 0;) {  // the base's properties first
    for (const auto& [name, member] : py::dict(classes[i].attr("__dict__"))) {
      const bool is_property = PyObject_TypeCheck(member.ptr(), &PyProperty_Type) ||
                               Py_IS_TYPE(member.ptr(), &PyGetSetDescr_Type);
      const auto word = py::str(name).cast<std::string>();
      if (!is_property || word.starts_with("_")) continue;
      text += (text.empty() ? "" : ", ") + word + "=" + value_text(object.attr(name));
    }
  }
  return type.attr("__name__").cast<std::string>() + "(" + text + ")";
}

void visit(py::handle scope, const std::string& package) {
  const py::list members(scope.attr("__dict__").attr("values")());
  for (const py::handle member : members) {
    if (PyModule_Check(member.ptr())) {
      if (py::str(member.attr("__name__")).cast<std::string>().starts_with(package + ".")) {
        visit(member, package);
      }
      continue;
    }
    if (!PyType_Check(member.ptr())) continue;
    // Frames have theirs in their type, which nobody changes; enumerations are Python's.
    const bool is_plain =
        reinterpret_cast<PyTypeObject*>(member.ptr())->tp_repr == PyBaseObject_Type.tp_repr;
    if (!is_plain) continue;
    member.attr("__repr__") = py::cpp_function(
        [](const py::object& self) { return py::str(text_of(self)); }, py::name("__repr__"),
        py::is_method(member), "The properties; of bytes and arrays their size.");
  }
}

}  // namespace
}  // namespace plain_repr_of

PyObject* plain_repr(PyObject* object) {
  try {
    return pybind11::str(plain_repr_of::text_of(object)).release().ptr();
  } catch (pybind11::error_already_set& error) {
    error.restore();
  }
  return nullptr;
}

void add_plain_reprs(const pybind11::module_& m) {
  plain_repr_of::visit(m, m.attr("__name__").cast<std::string>());
}

}  // namespace sealroom::bindings
