# SPDX-License-Identifier: Apache-2.0
# Manual pages and completion: the program writes them from its own tables.
include(GNUInstallDirs)
set(manual ${CMAKE_BINARY_DIR}/manual)
file(MAKE_DIRECTORY ${manual})
foreach(page tantu.1 tantu.conf.5)
  add_custom_command(OUTPUT ${manual}/${page}.gz COMMAND tantu manual ${page} | gzip -9n > ${manual}/${page}.gz
    DEPENDS tantu VERBATIM)
endforeach()
add_custom_command(OUTPUT ${manual}/bash COMMAND tantu manual bash > ${manual}/bash DEPENDS tantu VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/tantu.1.gz ${manual}/tantu.conf.5.gz ${manual}/bash)
install(FILES ${manual}/tantu.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${manual}/tantu.conf.5.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${manual}/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tantu)
