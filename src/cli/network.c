/* network: a name is a fork, or FORK "To" FORK "At" WHERE, and WHERE is a height, "Time" and a time
 * (with "k" for thousands), or "Diff" and a total difficulty in hex. */
#include "cli/network.h"

#include <stdlib.h>

static void switch_over(kl_spec *spec, kl_fork from, kl_fork to, kl_activation when)
{
    for (usize fork = from + 1; fork <= to; fork++)
        spec->fork[fork] = when;
}

static u64 read_number(const char *text)
{
    char *end;
    u64 number = strtoull(text, &end, 10);
    return *end == 'k' ? number * 1000 : number;
}

/* "FromToWhatAtWhere": what and where begin behind "To" and "At"; false when the name has no such
 * form. */
static bool split(const char *name, kl_span *from, kl_span *to, const char **where)
{
    const char *at = strstr(name, "At");
    const char *link = at ? strstr(name, "To") : NULL;
    if (!link || link >= at)
        return false;
    *from = kl_span_of(name, (usize)(link - name));
    *to = kl_span_of(link + 2, (usize)(at - link - 2));
    *where = at + 2;
    return true;
}

/* The rules of a fork, with the blobs of forks that are in tests alone: clients agree on them there
 * [EIP-7892]. */
static void begin(kl_spec *out, kl_fork fork)
{
    kl_spec_init(out, fork);
    out->engine = KL_ENGINE_EXTERNAL;
    out->blobs[KL_BPO3] = (kl_blob_schedule){21, 32, 20609697};
    out->blobs[KL_BPO4] = (kl_blob_schedule){14, 21, 13739630};
}

bool kl_network_spec(kl_spec *out, const char *name)
{
    kl_span from_name, to_name;
    const char *where;
    kl_fork from, to;
    if (!split(name, &from_name, &to_name, &where)) {
        if (!kl_fork_from_name(&from, kl_span_str(name)))
            return false;
        begin(out, from);
        return true;
    }
    if (!kl_fork_from_name(&from, from_name))
        return false;
    begin(out, from);
    if (kl_span_eq(to_name, KL_SPAN_TEXT("Dao"))) {
        out->dao_fork = true;
        out->dao_fork_block = read_number(where);
        return true;
    }
    if (!kl_fork_from_name(&to, to_name))
        return false;
    if (strncmp(where, "Diff", 4) == 0)
        out->terminal_total_difficulty = kl_u256_of(strtoull(where + 4, NULL, 16));
    else if (strncmp(where, "Time", 4) == 0)
        switch_over(out, from, to, (kl_activation){KL_AT_TIME, read_number(where + 4)});
    else
        switch_over(out, from, to, (kl_activation){KL_AT_BLOCK, read_number(where)});
    return true;
}
