# SPDX-License-Identifier: Apache-2.0
# What an installation has, and the Debian package made of it (`cpack --preset release`; scripts/package).
# With the prefix /usr, as the presets have it: /usr/bin, /etc/tantu, /lib/systemd/system.
include(GNUInstallDirs)
install(TARGETS tantu RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS package/tantu-setup DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(FILES scripts/roles.sql DESTINATION lib/tantu)
install(FILES package/tantu.conf DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/tantu)
file(GLOB TANTU_UNITS CONFIGURE_DEPENDS package/systemd/*)
install(FILES ${TANTU_UNITS} DESTINATION /lib/systemd/system)
install(FILES README.md docs/runbook.md docs/architecture.md package/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY package/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME tantu)
set(CPACK_PACKAGE_VENDOR Tantu)
set(CPACK_PACKAGE_CONTACT "The Tantu authors <tantu@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "server that keeps count of homes made accessible")
set(CPACK_PACKAGE_DESCRIPTION
  "For disabled persons' federations: plans and their targets, needs imports,\nretrofit cases from registration to acceptance, and totals that are exact the\nmoment they are read. Needs a PostgreSQL 15, here or elsewhere; tantu-setup\nprepares one on this machine.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postgresql-15, ca-certificates, tzdata")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nginx, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/package/debian/conffiles ${CMAKE_SOURCE_DIR}/package/debian/postinst
  ${CMAKE_SOURCE_DIR}/package/debian/prerm ${CMAKE_SOURCE_DIR}/package/debian/postrm)
include(CPack)
