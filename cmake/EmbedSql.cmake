# SPDX-License-Identifier: Apache-2.0
# Statements, migrations, the data to load and the pages to print become C: generated/embedded.c and generated/statements.h.
add_executable(tantu_embed ${CMAKE_SOURCE_DIR}/db/embed.c)
target_compile_options(tantu_embed PRIVATE -fno-sanitize=all)
target_link_options(tantu_embed PRIVATE -fno-sanitize=all) # it leaves its memory to its end
file(GLOB TANTU_STATEMENTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/db/sql/*.sql)
file(GLOB TANTU_MIGRATIONS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/db/migrations/*.sql)
file(GLOB TANTU_LOADED CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/db/data/* ${CMAKE_SOURCE_DIR}/api/sheets/*.html)
if(TANTU_COVERAGE) # these statements say which of their arms were taken
  foreach(name cases totals)
    set(source ${CMAKE_SOURCE_DIR}/db/sql/${name}.sql)
    set(marked ${CMAKE_BINARY_DIR}/generated/db/sql/${name}.sql)
    add_custom_command(
      OUTPUT ${marked}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated/db/sql
      COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/coverage/sql_arms.py ${source} ${marked}
        ${CMAKE_BINARY_DIR}/generated/db/sql/arms-${name}.tsv
      DEPENDS ${source} ${CMAKE_SOURCE_DIR}/tests/coverage/sql_arms.py
      VERBATIM)
    list(REMOVE_ITEM TANTU_STATEMENTS ${source})
    list(APPEND TANTU_STATEMENTS ${marked})
  endforeach()
endif()
set(TANTU_EMBEDDED_SOURCE ${CMAKE_BINARY_DIR}/generated/embedded.c)
add_custom_command(
  OUTPUT ${TANTU_EMBEDDED_SOURCE} ${CMAKE_BINARY_DIR}/generated/statements.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
  COMMAND tantu_embed ${CMAKE_BINARY_DIR}/generated ${TANTU_STATEMENTS} ${TANTU_MIGRATIONS} ${TANTU_LOADED}
  DEPENDS tantu_embed ${TANTU_STATEMENTS} ${TANTU_MIGRATIONS} ${TANTU_LOADED}
  VERBATIM)
add_custom_target(tantu_embed_sql DEPENDS ${TANTU_EMBEDDED_SOURCE} ${CMAKE_BINARY_DIR}/generated/statements.h)
set_source_files_properties(${TANTU_EMBEDDED_SOURCE} PROPERTIES GENERATED TRUE)
