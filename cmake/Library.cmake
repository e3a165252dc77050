# The library itself. Everything is compiled once, as csploop_objects, and linked as
#   csploop                  the shared library; shows only what capi/csploop.map names
#   csploop_static_internal  for tests: hidden symbols can be called
#   csploop_static           csploop::static, if CSPLOOP_STATIC is on
find_package(Threads REQUIRED)

# Code that suits one system only lies in a directory named for it.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(platform linux)
else()
    set(platform posix)
endif()
file(GLOB CSPLOOP_SOURCES CONFIGURE_DEPENDS src/*.cpp src/uv/*.cpp src/${platform}/*.cpp capi/*.cpp)
if(NOT CSPLOOP_SOURCES)
    message(FATAL_ERROR "no sources below src/ and capi/: this tree is not complete")
endif()

add_library(csploop_objects OBJECT ${CSPLOOP_SOURCES})
set_target_properties(csploop_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_compile_definitions(csploop_objects PRIVATE CSPLOOP_BUILDING)
target_include_directories(csploop_objects PUBLIC include PRIVATE src capi)
target_link_libraries(csploop_objects PRIVATE csploop_warnings csploop_libuv Threads::Threads)

function(csploop_public_includes target)
    target_include_directories(
        ${target}
        INTERFACE
            "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
            "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
    )
endfunction()

add_library(csploop SHARED $<TARGET_OBJECTS:csploop_objects>)
add_library(csploop::csploop ALIAS csploop)
csploop_public_includes(csploop)
target_link_libraries(csploop PRIVATE $<BUILD_INTERFACE:csploop_libuv> Threads::Threads)
set_target_properties(csploop PROPERTIES LINKER_LANGUAGE CXX SOVERSION ${CSPLOOP_SOVERSION})
if(SKBUILD)
    # Wheels hold no symbolic links: the file itself bears the SONAME.
    set_target_properties(csploop PROPERTIES VERSION ${CSPLOOP_SOVERSION})
else()
    set_target_properties(csploop PROPERTIES VERSION ${PROJECT_VERSION})
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(map "${PROJECT_SOURCE_DIR}/capi/csploop.map")
    target_link_options(csploop PRIVATE "LINKER:--version-script=${map}")
    set_target_properties(csploop PROPERTIES LINK_DEPENDS "${map}")
    if(NOT CSPLOOP_SANITIZE)
        # Sanitizer runtimes are resolved when the program starts.
        target_link_options(csploop PRIVATE LINKER:-z,defs)
    endif()
endif()

function(csploop_add_static target)
    add_library(${target} STATIC $<TARGET_OBJECTS:csploop_objects>)
    csploop_public_includes(${target})
    target_compile_definitions(${target} INTERFACE CSPLOOP_STATIC)
    target_link_libraries(${target} PUBLIC Threads::Threads)
endfunction()

if(CSPLOOP_TESTS)
    csploop_add_static(csploop_static_internal)
    target_include_directories(csploop_static_internal INTERFACE src capi)
    target_link_libraries(csploop_static_internal PUBLIC csploop_libuv)
endif()

if(CSPLOOP_STATIC)
    if(CSPLOOP_BUNDLED_LIBUV)
        message(FATAL_ERROR "CSPLOOP_STATIC needs the system's libuv: a bundled one is not installed")
    endif()
    csploop_add_static(csploop_static)
    add_library(csploop::static ALIAS csploop_static)
    # Users of the installed package find libuv by themselves (csploopConfig.cmake).
    target_link_libraries(csploop_static PUBLIC "$<BUILD_INTERFACE:csploop_libuv>" "$<INSTALL_INTERFACE:csploop::libuv>")
    set_target_properties(csploop_static PROPERTIES OUTPUT_NAME csploop EXPORT_NAME static)
endif()
