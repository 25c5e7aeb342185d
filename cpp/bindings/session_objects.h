#pragma once

#include <pybind11/pybind11.h>

#include "sealroom/session/events.h"

namespace sealroom::bindings {

/// Events and statistics of a session as Python sees them.
void bind_session_events(pybind11::module_& m);
void bind_session_statistics(pybind11::module_& m);

/// Moves the event's frame into the object. Needs the GIL.
pybind11::object to_python(session::Event& event);

}  // namespace sealroom::bindings
