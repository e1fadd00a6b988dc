/* log: events with typed pairs, no printf formats; text for people or JSON for machines is the
 * sink's choice.  Layers below rpc log at most at KL_LOG_DEBUG: they return what happened, and the
 * face says it once.  Secrets have no KV_ macro and never get one. */
#ifndef KL_BASE_LOG_H
#define KL_BASE_LOG_H

#include "base/hash.h"

typedef enum kl_log_level {
    KL_LOG_ERROR,
    KL_LOG_WARN,
    KL_LOG_INFO,
    KL_LOG_DEBUG,
} kl_log_level;

typedef struct kl_log_pair {
    const char *key;
    enum { KL_KV_U64, KL_KV_TEXT, KL_KV_BYTES } kind;
    u64 number;
    kl_span bytes; /* text (UTF-8 expected, escaped by the sink) or raw bytes, printed as 0x hex */
} kl_log_pair;

#define KV_U64(k, v)  ((kl_log_pair){.key = (k), .kind = KL_KV_U64, .number = (v)})
#define KV_STR(k, v)  ((kl_log_pair){.key = (k), .kind = KL_KV_TEXT, .bytes = kl_span_str(v)})
#define KV_TEXT(k, v) ((kl_log_pair){.key = (k), .kind = KL_KV_TEXT, .bytes = (v)})
#define KV_HASH(k, v) ((kl_log_pair){.key = (k), .kind = KL_KV_BYTES, .bytes = kl_hash_span(v)})
#define KV_ADDRESS(k, v) \
    ((kl_log_pair){.key = (k), .kind = KL_KV_BYTES, .bytes = kl_address_span(v)})

/* Where events go; called from any thread. */
struct kl_log_sink {
    void (*event)(struct kl_log_sink *sink, kl_log_level level, const char *name,
                  const kl_log_pair *pairs, usize count);
    kl_log_level level; /* events above it are dropped before they reach event() */
};

/* Sets the process's sink; NULL drops everything.  Called once, before threads start. */
void kl_log_to(struct kl_log_sink *sink);

void kl_log(kl_log_level level, const char *name, const kl_log_pair *pairs, usize count);

#define KL_LOG(level, name, ...)                                \
    kl_log((level), (name), (const kl_log_pair[]){__VA_ARGS__}, \
           sizeof((const kl_log_pair[]){__VA_ARGS__}) / sizeof(kl_log_pair))
#define KL_ERROR(name, ...) KL_LOG(KL_LOG_ERROR, name, __VA_ARGS__)
#define KL_WARN(name, ...)  KL_LOG(KL_LOG_WARN, name, __VA_ARGS__)
#define KL_INFO(name, ...)  KL_LOG(KL_LOG_INFO, name, __VA_ARGS__)
#define KL_DEBUG(name, ...) KL_LOG(KL_LOG_DEBUG, name, __VA_ARGS__)

#endif
