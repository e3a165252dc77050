# How everything here is compiled: language level, visibility, warnings, sanitizer.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Linked privately by our own targets, so that no user inherits the flags.
add_library(csploop_warnings INTERFACE)
if(MSVC)
    target_compile_options(csploop_warnings INTERFACE /W4 $<$<BOOL:${CSPLOOP_WERROR}>:/WX>)
else()
    target_compile_options(csploop_warnings INTERFACE -Wall -Wextra $<$<BOOL:${CSPLOOP_WERROR}>:-Werror>)
endif()

# For the whole build, a bundled libuv included: a sanitizer that sees only
# half of a process reports races and leaks that are none.
if(CSPLOOP_SANITIZE)
    if(NOT CSPLOOP_SANITIZE MATCHES "^(address|undefined|thread)$")
        message(FATAL_ERROR "CSPLOOP_SANITIZE is '${CSPLOOP_SANITIZE}'; it may be address, undefined or thread")
    endif()
    add_compile_options(-fsanitize=${CSPLOOP_SANITIZE} -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${CSPLOOP_SANITIZE})
    if(CSPLOOP_SANITIZE STREQUAL "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
endif()
