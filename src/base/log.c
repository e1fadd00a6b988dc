#include "base/log.h"

static struct kl_log_sink *process_sink;

void kl_log_to(struct kl_log_sink *sink)
{
    process_sink = sink;
}

void kl_log(kl_log_level level, const char *name, const kl_log_pair *pairs, usize count)
{
    struct kl_log_sink *sink = process_sink;
    if (sink && level <= sink->level)
        sink->event(sink, level, name, pairs, count);
}
