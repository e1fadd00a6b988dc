/* check: what happens when something is wrong.
 *
 * Three kinds of wrong, three mechanisms that never mix:
 *   our bug                  KL_ASSERT, on in release builds too; ends the process
 *   the world failed         kl_status (status.h), must be looked at
 *   the input breaks a rule  kl_rule (rule.h), a verdict about bytes from outside */
#ifndef KL_BASE_CHECK_H
#define KL_BASE_CHECK_H

#define KL_MUST_USE     __attribute__((warn_unused_result))
#define KL_CLEANUP(fn)  __attribute__((cleanup(fn)))
#define KL_UNUSED       __attribute__((unused))
#define KL_NOINLINE     __attribute__((noinline))
#define KL_INLINE       static inline __attribute__((always_inline))
#define KL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define KL_LIKELY(x)    __builtin_expect(!!(x), 1)
#define KL_UNLIKELY(x)  __builtin_expect(!!(x), 0)

/* 1 when a sanitizer watches this build: frames are larger, and faults are its to report. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KL_SANITIZED 1
#else
#define KL_SANITIZED 0
#endif

/* Ends the process with the place and the broken condition on stderr, through abort(). */
_Noreturn void kl_panic(const char *file, int line, const char *what);

/* Called once by kl_panic before it aborts, so that a test program or the simulator can print its
 * seed.  NULL removes it. */
void kl_panic_hook(void (*hook)(void));

#define KL_ASSERT(condition) \
    (KL_LIKELY(condition) ? (void)0 : kl_panic(__FILE__, __LINE__, #condition))

/* For the end of a switch whose cases are all listed. */
#define KL_UNREACHABLE() kl_panic(__FILE__, __LINE__, "unreachable")

#endif
