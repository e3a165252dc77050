/* csploop/export.h - how public symbols are marked. No functions here. */
#ifndef CSPLOOP_EXPORT_H
#define CSPLOOP_EXPORT_H

#if defined(CSPLOOP_STATIC)
#define CSPLOOP_API
#elif defined(_WIN32)
#if defined(CSPLOOP_BUILDING)
#define CSPLOOP_API __declspec(dllexport)
#else
#define CSPLOOP_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define CSPLOOP_API __attribute__((visibility("default")))
#else
#define CSPLOOP_API
#endif

/* The result tells whether the call worked; dropping it is a mistake. */
#if defined(__GNUC__) && !defined(CSPLOOP_CDEF)
#define CSPLOOP_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CSPLOOP_MUST_CHECK
#endif

#ifdef __cplusplus
#define CSPLOOP_BEGIN_DECLS extern "C" {
#define CSPLOOP_END_DECLS }
#else
#define CSPLOOP_BEGIN_DECLS
#define CSPLOOP_END_DECLS
#endif

#endif
