#include "quiet_errors.h"

#include <string>
#include <string_view>

namespace sealroom::bindings {
namespace quiet_errors {
namespace {

namespace py = pybind11;

using Call = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

// What pybind11 puts behind every function that it makes; there is one in the extension.
Call dispatcher = nullptr;

constexpr std::string_view kValues = "Invoked with:";

/// Without its module.
std::string_view type_name(PyObject* object) {
  const std::string_view name = Py_TYPE(object)->tp_name;
  return name.substr(name.rfind('.') + 1);
}

/// "(Sender, str, metadata=bytes)".
std::string types_of(PyObject* const* arguments, std::size_t positional, PyObject* keywords) {
  std::string text = "(";
  for (std::size_t i = 0; i < positional; ++i) {
    if (i != 0) text += ", ";
    text += type_name(arguments[i]);
  }
  const py::ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  for (py::ssize_t i = 0; i < named; ++i) {
    if (text.size() > 1) text += ", ";
    // As ASCII, which any name has.
    const auto name = py::reinterpret_steal<py::str>(PyObject_ASCII(PyTuple_GET_ITEM(keywords, i)));
    if (!name) throw py::error_already_set();
    const auto quoted = name.cast<std::string>();
    text += quoted.substr(1, quoted.size() - 2) + "=";
    text += type_name(arguments[positional + static_cast<std::size_t>(i)]);
  }
  return text + ")";
}

/// Python's current error, if it is such a TypeError, becomes one without values.
void leave_values_out(PyObject* const* arguments, std::size_t positional, PyObject* keywords) {
  py::error_already_set error;
  if (!error.matches(PyExc_TypeError)) return error.restore();
  const auto text = py::str(error.value()).cast<std::string>();
  const std::size_t values = text.find(kValues);
  if (values == std::string::npos) return error.restore();
  py::set_error(
      PyExc_TypeError,
      (text.substr(0, values) + "Got: " + types_of(arguments, positional, keywords)).c_str());
}

PyObject* call(PyObject* self, PyObject* const* arguments, Py_ssize_t size, PyObject* keywords) {
  try {
    PyObject* const result = dispatcher(self, arguments, size, keywords);
    if (result != nullptr) [[likely]]
      return result;
    if (PyErr_ExceptionMatches(PyExc_TypeError) != 0) {
      leave_values_out(arguments, static_cast<std::size_t>(size), keywords);
    }
  } catch (py::error_already_set& error) {  // writing its text, pybind11 may throw past CPython
    error.restore();
  }
  return nullptr;
}

bool is_bound(PyObject* function) {
  if (!PyCFunction_Check(function)) return false;
  const PyMethodDef& definition = *reinterpret_cast<PyCFunctionObject*>(function)->m_ml;
  return definition.ml_flags == (METH_FASTCALL | METH_KEYWORDS) &&
         reinterpret_cast<Call>(reinterpret_cast<void (*)()>(definition.ml_meth)) == dispatcher;
}

void enter(py::handle scope, const std::string& package);

/// `object` is what a module or a class has under a name.
void visit(py::handle object, const std::string& package) {
  PyObject* const at = object.ptr();
  if (PyInstanceMethod_Check(at)) return visit(PyInstanceMethod_GET_FUNCTION(at), package);
  if (is_bound(at)) {
    // Of this function only: pybind11 makes a definition for each.
    reinterpret_cast<PyCFunctionObject*>(at)->m_ml->ml_meth =
        reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call));
  } else if (PyObject_TypeCheck(at, &PyProperty_Type)) {
    for (const char* accessor : {"fget", "fset", "fdel"}) visit(object.attr(accessor), package);
  } else if (PyObject_TypeCheck(at, &PyStaticMethod_Type) ||
             PyObject_TypeCheck(at, &PyClassMethod_Type)) {
    visit(object.attr("__func__"), package);
  } else if (PyType_Check(at) || PyModule_Check(at)) {
    const char* const origin = PyType_Check(at) ? "__module__" : "__name__";
    const auto name = py::str(object.attr(origin)).cast<std::string>();
    if (name == package || name.starts_with(package + ".")) enter(object, package);
  }
}

/// Nothing is in itself in the extension: no class is an attribute of its own methods or members.
void enter(py::handle scope, const std::string& package) {
  const py::list members(scope.attr("__dict__").attr("values")());
  for (const py::handle member : members) visit(member, package);
}

}  // namespace
}  // namespace quiet_errors

void keep_arguments_out_of_errors(const pybind11::module_& m) {
  const py::cpp_function probe([] {});
  const PyMethodDef& definition = *reinterpret_cast<PyCFunctionObject*>(probe.ptr())->m_ml;
  if (definition.ml_flags != (METH_FASTCALL | METH_KEYWORDS)) {
    throw py::import_error("sealroom was built with a pybind11 whose functions it does not know");
  }
  quiet_errors::dispatcher =
      reinterpret_cast<quiet_errors::Call>(reinterpret_cast<void (*)()>(definition.ml_meth));
  quiet_errors::enter(m, m.attr("__name__").cast<std::string>());
}

}  // namespace sealroom::bindings
