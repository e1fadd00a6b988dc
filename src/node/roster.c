#include "node/roster.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/buf.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "sys/fs.h"

#define FILE_NAME "network.json"
#define KEY_NAME  "node.key"

enum {
    TEXT_MAX = 1 << 18,
    NODES_MAX = 2 * KL_ROSTER_PEERS_MAX + KL_ROSTER_SENTRIES_MAX + KL_ROSTER_GUARDS_MAX + 64,
    KEY_TEXT = 64 + 1, /* digits and a line's end */
};

void kl_roster_listen_host(char out[KL_NET_HOST_MAX], const kl_roster *roster)
{
    int family = roster->listen.host == KL_HOST_IP4 ? AF_INET : AF_INET6;
    KL_ASSERT(inet_ntop(family, roster->listen.ip, out, KL_NET_HOST_MAX));
}

/* --- members --- */

static kl_rule read_addr(kl_multiaddr *out, const struct kl_json *json, kl_json_ref at)
{
    if (!kl_json_is(json, at, KL_JSON_STRING))
        return KL_RULE_ROSTER_FORM;
    return kl_multiaddr_parse(out, kl_json_raw(json, at));
}

static bool is_dialled(const kl_multiaddr *addr)
{
    return addr->host != KL_HOST_NONE && addr->has_port && addr->port;
}

/* Whether addresses say who is there. */
enum naming {
    NEVER,
    MAYBE,
    ALWAYS,
};

/* At most max addresses that can be dialled, none twice. */
static kl_rule read_addrs(kl_multiaddr *out, u32 *count, usize max, enum naming named,
                          const struct kl_json *json, kl_json_ref list)
{
    u32 n = 0;
    if (!kl_json_is(json, list, KL_JSON_ARRAY) || json->nodes[list].count > max)
        return KL_RULE_ROSTER_FORM;
    for (kl_json_ref at = kl_json_first(json, list); at != KL_JSON_NONE;
         at = kl_json_after(json, list, at)) {
        KL_JUDGE(read_addr(&out[n], json, at));
        for (u32 i = 0; i < n; i++)
            if (kl_multiaddr_eq(&out[i], &out[n]))
                return KL_RULE_ROSTER_FORM;
        n++;
    }
    for (u32 i = 0; i < n; i++)
        if (!is_dialled(&out[i]) || (out[i].has_peer ? named == NEVER : named == ALWAYS))
            return KL_RULE_ROSTER_ADDRESS;
    *count = n;
    return KL_RULE_NONE;
}

static kl_rule read_ids(kl_peer_id *out, u32 *count, usize max, const struct kl_json *json,
                        kl_json_ref list)
{
    u32 n = 0;
    if (!kl_json_is(json, list, KL_JSON_ARRAY) || json->nodes[list].count > max)
        return KL_RULE_ROSTER_FORM;
    for (kl_json_ref at = kl_json_first(json, list); at != KL_JSON_NONE;
         at = kl_json_after(json, list, at)) {
        if (!kl_json_is(json, at, KL_JSON_STRING))
            return KL_RULE_ROSTER_FORM;
        KL_JUDGE(kl_peer_id_parse(&out[n], kl_json_raw(json, at)));
        n++;
    }
    *count = n;
    return KL_RULE_NONE;
}

static kl_rule read_version(KL_UNUSED kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    u64 version;
    return kl_json_number_u64(&version, json, at) && version == KL_ROSTER_VERSION
               ? KL_RULE_NONE
               : KL_RULE_ROSTER_VERSION;
}

static kl_rule read_listen(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    KL_JUDGE(read_addr(&out->listen, json, at));
    bool is_numeric = out->listen.host == KL_HOST_IP4 || out->listen.host == KL_HOST_IP6;
    return is_numeric && out->listen.has_port && !out->listen.has_peer ? KL_RULE_NONE
                                                                       : KL_RULE_ROSTER_LISTEN;
}

static kl_rule read_announce(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    KL_JUDGE(read_addrs(out->announce, &out->announce_count, KL_NET_ADDRS_MAX, NEVER, json, at));
    out->says_where = out->announce_count > 0;
    return KL_RULE_NONE;
}

static kl_rule read_peers(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    return read_addrs(out->peers, &out->peer_count, KL_ROSTER_PEERS_MAX, MAYBE, json, at);
}

static kl_rule read_sentries(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    return read_addrs(out->sentries, &out->sentry_count, KL_ROSTER_SENTRIES_MAX, ALWAYS, json, at);
}

static kl_rule read_open(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    out->open = kl_json_is(json, at, KL_JSON_TRUE);
    return out->open || kl_json_is(json, at, KL_JSON_FALSE) ? KL_RULE_NONE : KL_RULE_ROSTER_FORM;
}

static kl_rule read_allow(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    return read_ids(out->allow, &out->allow_count, KL_ROSTER_PEERS_MAX, json, at);
}

static kl_rule read_guards(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    return read_ids(out->guards, &out->guard_count, KL_ROSTER_GUARDS_MAX, json, at);
}

static kl_rule read_checkpoint(kl_roster *out, const struct kl_json *json, kl_json_ref at)
{
    return kl_json_is(json, at, KL_JSON_STRING)
               ? kl_pin_parse(&out->checkpoint, kl_json_raw(json, at))
               : KL_RULE_ROSTER_FORM;
}

static const struct member {
    const char *name;
    bool needed;
    kl_rule (*read)(kl_roster *out, const struct kl_json *json, kl_json_ref at);
} members[] = {
    {"version", true, read_version},
    {"listen", true, read_listen},
    {"announce", false, read_announce},
    {"peers", true, read_peers},
    {"open", true, read_open},
    {"allow", false, read_allow},
    {"sentries", false, read_sentries},
    {"guards", false, read_guards},
    {"checkpoint", false, read_checkpoint},
};

/* A member that nobody reads is a misspelt one, whose author believes that it counts. */
static bool has_alien(const struct kl_json *json)
{
    for (kl_json_ref name = kl_json_first(json, 0); name != KL_JSON_NONE;
         name = kl_json_after(json, 0, kl_json_value(name))) {
        usize i = 0;
        while (i < KL_COUNT_OF(members) && !kl_json_equals(json, name, members[i].name))
            i++;
        if (i == KL_COUNT_OF(members))
            return true;
    }
    return false;
}

static kl_rule read_roster(kl_roster *out, const struct kl_json *json)
{
    if (!kl_json_is(json, 0, KL_JSON_OBJECT))
        return KL_RULE_ROSTER_FORM;
    out->says_where = true;
    for (usize i = 0; i < KL_COUNT_OF(members); i++) {
        kl_json_ref at = kl_json_member(json, 0, members[i].name);
        if (at != KL_JSON_NONE)
            KL_JUDGE(members[i].read(out, json, at));
        else if (members[i].needed)
            return i ? KL_RULE_ROSTER_FORM : KL_RULE_ROSTER_VERSION;
    }
    if (has_alien(json))
        return KL_RULE_ROSTER_MEMBER;
    if (out->open && out->allow_count)
        return KL_RULE_ROSTER_OPEN;
    if (out->sentry_count && (out->open || out->peer_count || out->allow_count ||
                              out->guard_count || out->announce_count))
        return KL_RULE_ROSTER_SENTRIES;
    out->says_where &= out->sentry_count == 0;
    return KL_RULE_NONE;
}

static kl_status load(struct kl_fs *fs, kl_roster *out, struct kl_arena *arena, kl_rule *broken)
{
    kl_span text;
    struct kl_json json;
    usize at;
    KL_TRY(kl_fs_read_whole(fs, FILE_NAME, TEXT_MAX, arena, &text));
    KL_TRY(kl_json_parse(&json, text, NODES_MAX, arena, broken, &at));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_roster *read = calloc(1, sizeof *read);
    if (!read)
        return KL_NOMEM;
    *broken = read_roster(read, &json);
    if (*broken == KL_RULE_NONE)
        *out = *read;
    free(read);
    return KL_OK;
}

kl_status kl_roster_load(struct kl_fs *fs, kl_roster *out, kl_rule *broken)
{
    struct kl_arena arena;
    *broken = KL_RULE_NONE;
    kl_arena_init(&arena, 4 * TEXT_MAX);
    kl_status status = load(fs, out, &arena, broken);
    kl_arena_done(&arena);
    return status;
}

/* --- writing --- */

static void put_item(struct kl_buf *out, u32 i, const char *text)
{
    kl_buf_print(out, "%s\n    \"%s\"", i ? "," : "", text);
}

static void put_addrs(struct kl_buf *out, const char *name, const kl_multiaddr *addrs, u32 count)
{
    char text[KL_MULTIADDR_TEXT_MAX];
    kl_buf_print(out, ",\n  \"%s\": [", name);
    for (u32 i = 0; i < count; i++) {
        kl_multiaddr_text(text, &addrs[i]);
        put_item(out, i, text);
    }
    kl_buf_str(out, count ? "\n  ]" : "]");
}

static void put_ids(struct kl_buf *out, const char *name, const kl_peer_id *ids, u32 count)
{
    char text[KL_BASE58_TEXT_MAX];
    kl_buf_print(out, ",\n  \"%s\": [", name);
    for (u32 i = 0; i < count; i++) {
        kl_peer_id_text(text, &ids[i]);
        put_item(out, i, text);
    }
    kl_buf_str(out, "\n  ]");
}

static void put_roster(struct kl_buf *out, const kl_roster *roster)
{
    char listen[KL_MULTIADDR_TEXT_MAX], checkpoint[KL_PIN_TEXT_MAX];
    kl_multiaddr_text(listen, &roster->listen);
    kl_buf_print(out, "{\n  \"version\": %d,\n  \"listen\": \"%s\"", KL_ROSTER_VERSION, listen);
    if (roster->announce_count || (!roster->says_where && !roster->sentry_count))
        put_addrs(out, "announce", roster->announce, roster->announce_count);
    put_addrs(out, "peers", roster->peers, roster->peer_count);
    kl_buf_print(out, ",\n  \"open\": %s", roster->open ? "true" : "false");
    if (roster->allow_count)
        put_ids(out, "allow", roster->allow, roster->allow_count);
    if (roster->sentry_count)
        put_addrs(out, "sentries", roster->sentries, roster->sentry_count);
    if (roster->guard_count)
        put_ids(out, "guards", roster->guards, roster->guard_count);
    if (roster->checkpoint.number) {
        kl_pin_text(checkpoint, &roster->checkpoint);
        kl_buf_print(out, ",\n  \"checkpoint\": \"%s\"", checkpoint);
    }
    kl_buf_str(out, "\n}\n");
}

kl_status kl_roster_save(struct kl_fs *fs, const kl_roster *roster)
{
    struct kl_buf text;
    kl_buf_init(&text, TEXT_MAX);
    put_roster(&text, roster);
    kl_status status = text.failed ? KL_NOMEM : kl_fs_write_new(fs, FILE_NAME, kl_buf_view(&text));
    kl_buf_done(&text);
    return status;
}

/* --- the key --- */

kl_status kl_node_key_load(struct kl_fs *fs, kl_secret32 *out)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    u8 text[KEY_TEXT];
    kl_secret32 key;
    bool is_private;
    u64 size;
    KL_TRY(kl_sys_fs_is_private(fs, KEY_NAME, &is_private));
    if (!is_private)
        return KL_DENIED;
    KL_TRY(kl_fs_open(fs, &file, KEY_NAME, KL_OPEN_READ));
    KL_TRY(kl_file_size(file, &size));
    if (size != KEY_TEXT)
        return KL_CORRUPT;
    KL_TRY(kl_file_read(file, text, sizeof text, 0));
    kl_rule broken = kl_hex_parse(key.b, sizeof key.b, kl_span_of(text, KEY_TEXT - 1));
    kl_wipe(text, sizeof text);
    if (broken == KL_RULE_NONE)
        *out = key;
    kl_secret32_wipe(&key);
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

kl_status kl_node_key_save(struct kl_fs *fs, const kl_secret32 *key)
{
    char text[KEY_TEXT];
    kl_hex_digits(text, KL_SPAN_OF(key->b));
    text[KEY_TEXT - 1] = '\n';
    kl_status status = kl_fs_write_new(fs, KEY_NAME, kl_span_of(text, sizeof text));
    kl_wipe(text, sizeof text);
    return status;
}
