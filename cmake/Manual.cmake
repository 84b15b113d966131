# SPDX-License-Identifier: Apache-2.0
# Manual pages and completion: the program writes them from its own tables.
include(GNUInstallDirs)
set(manual ${CMAKE_BINARY_DIR}/manual)
file(MAKE_DIRECTORY ${manual})
foreach(page tantu.1 tantu.conf.5 bash)
  add_custom_command(OUTPUT ${manual}/${page} COMMAND tantu manual ${page} > ${manual}/${page} DEPENDS tantu VERBATIM)
  list(APPEND manual_pages ${manual}/${page})
endforeach()
add_custom_target(manual ALL DEPENDS ${manual_pages})
install(FILES ${manual}/tantu.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${manual}/tantu.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${manual}/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tantu)
