/* One line a peer.  The reader takes what it can use of each, and refuses texts that this writer
 * could not have written. */
#include "codec/json.h"
#include "p2p/book_priv.h"

#define NODES_MAX ((usize)KL_BOOK_PEERS_MAX * (12 + KL_BOOK_ADDRS_MAX) + 16)
#define ARENA_MAX ((usize)16 << 20)

static void put_peer(struct kl_json_out *json, const kl_peer_id *peer, const char *name)
{
    char text[KL_BASE58_TEXT_MAX];
    kl_json_add_string(json, name, kl_span_of(text, kl_peer_id_text(text, peer)));
}

static void put_entry(struct kl_json_out *json, const struct kl_book_entry *e,
                      const kl_multiaddr *addrs)
{
    char text[KL_MULTIADDR_TEXT_MAX];
    kl_json_put_object(json);
    put_peer(json, &e->id, "peer");
    put_peer(json, &e->source, "by");
    kl_json_add_number(json, "seq", e->seq);
    kl_json_add_number(json, "reached", e->reached_s);
    kl_json_put_key(json, "addresses");
    kl_json_put_array(json);
    for (usize i = e->fixed; i < e->count; i++)
        kl_json_put_string(json, kl_span_of(text, kl_multiaddr_text(text, &addrs[i])));
    kl_json_put_array_end(json);
    kl_json_put_object_end(json);
}

void kl_book_put(const struct kl_book *book, u64 own_seq, struct kl_buf *out)
{
    struct kl_json_out json = kl_json_out_to(out);
    kl_json_put_object(&json);
    kl_json_add_number(&json, "version", 1);
    kl_json_add_number(&json, "seq", own_seq);
    kl_json_put_key(&json, "peers");
    kl_json_put_array(&json);
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++)
        if (book->entries[i].used && book->entries[i].count > book->entries[i].fixed) {
            kl_buf_str(out, "\n");
            put_entry(&json, &book->entries[i], book->addrs[i]);
        }
    kl_json_put_array_end(&json);
    kl_json_put_object_end(&json);
    kl_buf_str(out, "\n");
}

static kl_rule read_peer(kl_peer_id *out, const struct kl_json *json, kl_json_ref ref)
{
    return kl_json_is(json, ref, KL_JSON_STRING) ? kl_peer_id_parse(out, kl_json_raw(json, ref))
                                                 : KL_RULE_BOOK_FORM;
}

static kl_rule read_addrs(kl_peer_record *out, const struct kl_json *json, kl_json_ref list)
{
    if (!kl_json_is(json, list, KL_JSON_ARRAY) || json->nodes[list].count > KL_RECORD_ADDRS_MAX)
        return KL_RULE_BOOK_FORM;
    for (kl_json_ref at = kl_json_first(json, list); at != KL_JSON_NONE;
         at = kl_json_after(json, list, at)) {
        if (!kl_json_is(json, at, KL_JSON_STRING))
            return KL_RULE_BOOK_FORM;
        KL_JUDGE(kl_multiaddr_parse(&out->addrs[out->count++], kl_json_raw(json, at)));
    }
    return KL_RULE_NONE;
}

struct recalled {
    kl_peer_record record;
    kl_peer_id source;
    u64 reached_s;
};

static kl_rule read_entry(struct recalled *out, const struct kl_json *json, kl_json_ref at)
{
    *out = (struct recalled){.reached_s = 0};
    KL_JUDGE(read_peer(&out->record.peer, json, kl_json_member(json, at, "peer")));
    KL_JUDGE(read_peer(&out->source, json, kl_json_member(json, at, "by")));
    if (!kl_json_number_u64(&out->record.seq, json, kl_json_member(json, at, "seq")) ||
        !kl_json_number_u64(&out->reached_s, json, kl_json_member(json, at, "reached")))
        return KL_RULE_BOOK_FORM;
    return read_addrs(&out->record, json, kl_json_member(json, at, "addresses"));
}

/* All is read before anything of it is taken. */
static kl_rule read_book(struct kl_book *book, u64 *own_seq, const struct kl_json *json, u64 now_ns)
{
    u64 version, seq;
    kl_json_ref peers = kl_json_member(json, 0, "peers");
    if (!kl_json_number_u64(&version, json, kl_json_member(json, 0, "version")) || version != 1 ||
        !kl_json_number_u64(&seq, json, kl_json_member(json, 0, "seq")) ||
        !kl_json_is(json, peers, KL_JSON_ARRAY) || json->nodes[peers].count > KL_BOOK_PEERS_MAX)
        return KL_RULE_BOOK_FORM;
    for (int take = 0; take < 2; take++)
        for (kl_json_ref at = kl_json_first(json, peers); at != KL_JSON_NONE;
             at = kl_json_after(json, peers, at)) {
            struct recalled r;
            KL_JUDGE(read_entry(&r, json, at));
            if (take)
                (void)kl_book_recall(book, &r.source, &r.record, r.reached_s, now_ns);
        }
    *own_seq = seq;
    return KL_RULE_NONE;
}

kl_status kl_book_get(struct kl_book *book, u64 *own_seq, kl_span text, u64 now_ns, kl_rule *broken)
{
    struct kl_arena arena;
    struct kl_json json;
    usize at;
    *broken = KL_RULE_BOOK_FORM;
    if (text.len > KL_BOOK_TEXT_MAX)
        return KL_OK;
    kl_arena_init(&arena, ARENA_MAX);
    kl_status status = kl_json_parse(&json, text, NODES_MAX, &arena, broken, &at);
    if (status == KL_OK && *broken == KL_RULE_NONE)
        *broken = read_book(book, own_seq, &json, now_ns);
    kl_arena_done(&arena);
    return status;
}
