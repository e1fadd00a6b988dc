/* What the nodes say.  They speak JSON; a person reads lines.  Every node tells of every block:
 * here each is told of once, by whoever says it first, with those of its transactions that failed
 * or made a contract. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/devnet.h"
#include "codec/json.h"

enum { NODES_MAX = 64, TEXT_MAX = 1000 };

/* The beginning of a line; each node has a colour of its own. */
static void begin(struct kl_devnet *d, u32 i)
{
    static const u8 colours[] = {36, 33, 35, 32, 34, 31};
    if (d->has_colour)
        kl_buf_print(&d->log, "\x1b[%um", colours[i % sizeof colours]);
    kl_buf_print(&d->log, "node-%u |", i);
    kl_buf_str(&d->log, d->has_colour ? "\x1b[0m " : " ");
}

void kl_devnet_say(struct kl_devnet *d, u32 i, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    begin(d, i);
    kl_buf_str(&d->log, text);
    kl_buf_str(&d->log, "\n");
}

struct event {
    struct kl_devnet *d;
    u32 node;
    struct kl_json json;
};

static void word(const struct event *e, const char *name, char *out, usize cap)
{
    kl_json_ref ref = kl_json_member(&e->json, 0, name);
    kl_span raw = ref == KL_JSON_NONE ? KL_SPAN_NONE : kl_json_raw(&e->json, ref);
    snprintf(out, cap, "%.*s", (int)raw.len, (const char *)raw.p);
}

static u64 number(const struct event *e, const char *name)
{
    char text[32];
    u64 value = 0;
    word(e, name, text, sizeof text);
    for (const char *c = text; *c >= '0' && *c <= '9'; c++)
        value = value * 10 + (u64)(*c - '0');
    return value;
}

/* Whether this node is the one that tells of the block. */
static bool tells(const struct event *e, u64 block)
{
    struct kl_devnet *d = e->d;
    if (block > d->told_block) {
        d->told_block = block;
        d->told_by = e->node;
    }
    return block == d->told_block && e->node == d->told_by;
}

static bool on_listening(struct event *e)
{
    char host[80];
    word(e, "host", host, sizeof host);
    kl_devnet_say(e->d, e->node, "Listening on %s:%llu, block %llu", host,
                  (unsigned long long)number(e, "port"), (unsigned long long)number(e, "number"));
    return true;
}

static bool on_block(struct event *e)
{
    char hash[80];
    u64 block = number(e, "number"), count = number(e, "transactions");
    if (!tells(e, block))
        return true;
    word(e, "hash", hash, sizeof hash);
    kl_devnet_say(e->d, e->node, "Block %llu  %.10s..  %llu transaction%s  %llu gas",
                  (unsigned long long)block, hash, (unsigned long long)count, count == 1 ? "" : "s",
                  (unsigned long long)number(e, "gasUsed"));
    return true;
}

static bool on_transaction(struct event *e)
{
    char hash[80], contract[80], error[400];
    if (!tells(e, number(e, "block")))
        return true;
    word(e, "hash", hash, sizeof hash);
    word(e, "contract", contract, sizeof contract);
    word(e, "error", error, sizeof error);
    if (contract[0])
        kl_devnet_say(e->d, e->node, "  %s made the contract %s", hash, contract);
    if (error[0])
        kl_devnet_say(e->d, e->node, "  %s: %s", hash, error);
    return true;
}

static bool on_alarm(struct event *e)
{
    char text[TEXT_MAX];
    word(e, "text", text, sizeof text);
    kl_devnet_say(e->d, e->node, "Alarm: %s", text);
    return true;
}

static bool on_stall(struct event *e)
{
    char text[TEXT_MAX];
    word(e, "text", text, sizeof text);
    kl_devnet_say(e->d, e->node, "%s", text);
    return true;
}

static bool on_dropped(struct event *e)
{
    char peer[100], address[80], text[200];
    word(e, "peer", peer, sizeof peer);
    word(e, "address", address, sizeof address);
    word(e, "text", text, sizeof text);
    for (u32 i = 0; i < e->d->count; i++)
        if (strcmp(e->d->children[i].peer_id, peer) == 0)
            snprintf(address, sizeof address, "node-%u", i);
    kl_devnet_say(e->d, e->node, "Connection with %s ended: %s", address, text);
    return true;
}

static bool on_refused(struct event *e)
{
    char text[200];
    word(e, "text", text, sizeof text);
    kl_devnet_say(e->d, e->node, "Block %llu refused: %s", (unsigned long long)number(e, "number"),
                  text);
    return true;
}

/* False for an event that is told as it stands. */
static bool tell(struct event *e)
{
    static const struct {
        const char *name;
        bool (*tell)(struct event *e);
    } rows[] = {
        {"listening", on_listening},  {"block", on_block}, {"transaction", on_transaction},
        {"alarm", on_alarm},          {"stall", on_stall}, {"peerDropped", on_dropped},
        {"blockRefused", on_refused},
    };
    char name[32];
    word(e, "event", name, sizeof name);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        if (strcmp(name, rows[i].name) == 0)
            return rows[i].tell(e);
    return false;
}

void kl_devnet_words(struct kl_devnet *d, u32 i, const char *line)
{
    struct kl_arena arena;
    struct event e = {.d = d, .node = i};
    kl_rule broken;
    usize at;
    kl_arena_init(&arena, 1 << 20);
    bool is_event =
        line[0] == '{' &&
        kl_json_parse(&e.json, kl_span_str(line), NODES_MAX, &arena, &broken, &at) == KL_OK &&
        broken == KL_RULE_NONE;
    if (!is_event || !tell(&e))
        kl_devnet_say(d, i, "%s", line);
    kl_arena_done(&arena);
}
