# SPDX-License-Identifier: Apache-2.0
# Zint::Zint — libzint, which brings no pkg-config file (and Debian's own module names no target).
find_library(ZINT_LIBRARY zint)
find_path(ZINT_INCLUDE_DIR zint.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Zint REQUIRED_VARS ZINT_LIBRARY ZINT_INCLUDE_DIR REASON_FAILURE_MESSAGE "install libzint-dev")
if(Zint_FOUND AND NOT TARGET Zint::Zint)
  add_library(Zint::Zint UNKNOWN IMPORTED)
  set_target_properties(Zint::Zint PROPERTIES IMPORTED_LOCATION ${ZINT_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${ZINT_INCLUDE_DIR})
endif()
