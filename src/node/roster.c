#include "node/roster.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/buf.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "sys/fs.h"

#define FILE_NAME "network.json"
#define KEY_NAME  "node.key"

enum {
    TEXT_MAX = 1 << 18,
    NODES_MAX = 2 * KL_SWARM_PEERS_MAX + 16,
    KEY_TEXT = 64 + 1, /* digits and a line's end */
};

/* --- addresses --- */

void kl_net_peer_text(char out[KL_NET_ADDRESS_MAX], const kl_net_peer *peer, bool with_id)
{
    char id[KL_BASE58_TEXT_MAX] = "";
    if (with_id)
        (void)kl_peer_id_text(id, &peer->id);
    snprintf(out, KL_NET_ADDRESS_MAX, "/%s/%s/tcp/%u%s%s", strchr(peer->host, ':') ? "ip6" : "ip4",
             peer->host, peer->port, with_id ? "/p2p/" : "", id);
}

/* The next part of an address, behind a slash; false at its end. */
static bool take_part(kl_span *rest, kl_span *out)
{
    usize len = 1;
    if (rest->len < 2 || rest->p[0] != '/')
        return false;
    while (len < rest->len && rest->p[len] != '/')
        len++;
    *out = kl_span_sub(*rest, 1, len - 1);
    *rest = kl_span_sub(*rest, len, rest->len - len);
    return out->len > 0;
}

static bool is_word(kl_span part, const char *word)
{
    return kl_span_eq(part, kl_span_str(word));
}

static bool parse_host(kl_net_peer *out, kl_span kind, kl_span host)
{
    u8 bytes[sizeof(struct in6_addr)];
    int family = is_word(kind, "ip4") ? AF_INET : is_word(kind, "ip6") ? AF_INET6 : 0;
    if (!family || host.len >= sizeof out->host)
        return false;
    memcpy(out->host, host.p, host.len);
    out->host[host.len] = '\0';
    return strlen(out->host) == host.len && inet_pton(family, out->host, bytes) == 1;
}

static bool parse_port(u16 *out, kl_span text)
{
    u32 port = 0;
    for (usize i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || (i == 0 && text.p[i] == '0' && text.len > 1))
            return false;
        port = port * 10 + (u32)(text.p[i] - '0');
        if (port > UINT16_MAX)
            return false;
    }
    *out = (u16)port;
    return text.len > 0;
}

kl_rule kl_net_peer_parse(kl_net_peer *out, kl_span text, bool with_id)
{
    kl_net_peer peer = {.port = 0};
    kl_span kind, host, tcp, port, p2p, id;
    if (!take_part(&text, &kind) || !take_part(&text, &host) || !take_part(&text, &tcp) ||
        !take_part(&text, &port) || !is_word(tcp, "tcp") || !parse_host(&peer, kind, host) ||
        !parse_port(&peer.port, port))
        return KL_RULE_ROSTER_ADDRESS;
    if (with_id) {
        if (!take_part(&text, &p2p) || !take_part(&text, &id) || !is_word(p2p, "p2p"))
            return KL_RULE_ROSTER_ADDRESS;
        KL_JUDGE(kl_peer_id_parse(&peer.id, id));
    }
    if (text.len)
        return KL_RULE_ROSTER_ADDRESS;
    *out = peer;
    return KL_RULE_NONE;
}

/* --- files --- */

static kl_status read_file(struct kl_fs *fs, const char *name, struct kl_arena *arena, kl_span *out)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    u64 size;
    KL_TRY(kl_fs_open(fs, &file, name, KL_OPEN_READ));
    KL_TRY(kl_file_size(file, &size));
    if (size > TEXT_MAX)
        return KL_LIMIT;
    u8 *bytes = kl_arena_take(arena, (usize)size + 1, 1);
    if (!bytes)
        return KL_NOMEM;
    KL_TRY(kl_file_read(file, bytes, (usize)size, 0));
    *out = kl_span_of(bytes, (usize)size);
    return KL_OK;
}

static kl_status write_file(struct kl_fs *fs, const char *name, kl_span text)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    KL_TRY(kl_fs_open(fs, &file, name, KL_OPEN_CREATE));
    KL_TRY(kl_file_write(file, text.p, text.len, 0));
    KL_TRY(kl_file_sync(file));
    return kl_fs_sync_dir(fs, "");
}

static kl_rule read_peers(kl_roster *out, const struct kl_json *json, kl_json_ref peers)
{
    for (kl_json_ref at = kl_json_first(json, peers); at != KL_JSON_NONE;
         at = kl_json_after(json, peers, at)) {
        if (out->peer_count == KL_SWARM_PEERS_MAX || !kl_json_is(json, at, KL_JSON_STRING))
            return KL_RULE_ROSTER_FORM;
        KL_JUDGE(kl_net_peer_parse(&out->peers[out->peer_count], kl_json_raw(json, at), true));
        for (u32 i = 0; i < out->peer_count; i++)
            if (kl_peer_id_eq(&out->peers[i].id, &out->peers[out->peer_count].id))
                return KL_RULE_ROSTER_FORM;
        out->peer_count++;
    }
    return KL_RULE_NONE;
}

static kl_rule read_roster(kl_roster *out, const struct kl_json *json)
{
    kl_json_ref listen = kl_json_member(json, 0, "listen");
    kl_json_ref peers = kl_json_member(json, 0, "peers");
    if (!kl_json_is(json, listen, KL_JSON_STRING) || !kl_json_is(json, peers, KL_JSON_ARRAY))
        return KL_RULE_ROSTER_FORM;
    out->peer_count = 0;
    KL_JUDGE(kl_net_peer_parse(&out->listen, kl_json_raw(json, listen), false));
    return read_peers(out, json, peers);
}

static kl_status load(struct kl_fs *fs, kl_roster *out, struct kl_arena *arena, kl_rule *broken)
{
    kl_span text;
    struct kl_json json;
    usize at;
    KL_TRY(read_file(fs, FILE_NAME, arena, &text));
    KL_TRY(kl_json_parse(&json, text, NODES_MAX, arena, broken, &at));
    if (*broken == KL_RULE_NONE)
        *broken = read_roster(out, &json);
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

kl_status kl_roster_save(struct kl_fs *fs, const kl_roster *roster)
{
    struct kl_buf text;
    char address[KL_NET_ADDRESS_MAX];
    kl_buf_init(&text, TEXT_MAX);
    kl_net_peer_text(address, &roster->listen, false);
    kl_buf_print(&text, "{\n  \"listen\": \"%s\",\n  \"peers\": [", address);
    for (u32 i = 0; i < roster->peer_count; i++) {
        kl_net_peer_text(address, &roster->peers[i], true);
        kl_buf_print(&text, "%s\n    \"%s\"", i ? "," : "", address);
    }
    kl_buf_str(&text, "\n  ]\n}\n");
    kl_status status = text.failed ? KL_NOMEM : write_file(fs, FILE_NAME, kl_buf_view(&text));
    kl_buf_done(&text);
    return status;
}

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
    kl_status status = write_file(fs, KEY_NAME, kl_span_of(text, sizeof text));
    kl_wipe(text, sizeof text);
    return status;
}
