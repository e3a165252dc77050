# What `cmake --install` gives: library, headers, csploop.pc, CMake package.
include(CMakePackageConfigHelpers)

set(targets csploop)
if(CSPLOOP_STATIC)
    list(APPEND targets csploop_static)
endif()
install(TARGETS ${targets} EXPORT csploopTargets)
install(DIRECTORY include/ TYPE INCLUDE FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/csploop")
install(EXPORT csploopTargets NAMESPACE csploop:: DESTINATION "${package_dir}")
configure_package_config_file(
    cmake/csploopConfig.cmake.in "${PROJECT_BINARY_DIR}/csploopConfig.cmake"
    INSTALL_DESTINATION "${package_dir}"
)
# 0.x promises nothing across minor versions; from 1.0 on, SameMajorVersion.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/csploopConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(
    FILES "${PROJECT_BINARY_DIR}/csploopConfig.cmake" "${PROJECT_BINARY_DIR}/csploopConfigVersion.cmake"
    DESTINATION "${package_dir}"
)

# The .pc finds its prefix from where it lies, so that the tree can be moved;
# directories that were given as absolute paths stay as they are.
set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${pc_dir}")
    set(PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
    string(REGEX REPLACE "[^/]+" ".." up "${pc_dir}")
    set(PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(kind IN ITEMS LIBDIR INCLUDEDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}}")
        set(PC_${kind} "${CMAKE_INSTALL_${kind}}")
    else()
        set(PC_${kind} "\${prefix}/${CMAKE_INSTALL_${kind}}")
    endif()
endforeach()
# Only those who link statically need to hear of libuv and the C++ runtime.
set(PC_REQUIRES_PRIVATE "")
set(PC_LIBS_PRIVATE "")
if(CSPLOOP_STATIC)
    set(PC_REQUIRES_PRIVATE "libuv >= ${CSPLOOP_LIBUV_MINIMUM}")
    foreach(library IN LISTS CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
        if(library MATCHES "^(stdc\\+\\+|c\\+\\+)$")
            string(APPEND PC_LIBS_PRIVATE " -l${library}")
        endif()
    endforeach()
    string(APPEND PC_LIBS_PRIVATE " ${CMAKE_THREAD_LIBS_INIT}")
    string(STRIP "${PC_LIBS_PRIVATE}" PC_LIBS_PRIVATE)
endif()
configure_file(pkgconfig/csploop.pc.in "${PROJECT_BINARY_DIR}/csploop.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/csploop.pc" DESTINATION "${pc_dir}")
