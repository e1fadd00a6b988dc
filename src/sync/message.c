/* One row a kind: how it is written and how it is read. */
#include "sync/message.h"

#include "codec/rlp.h"

struct reading {
    kl_message *out;
    const kl_vote_scheme *scheme;
    struct kl_arena *arena;
    kl_status status; /* KL_NOMEM ends the reading */
};

typedef void (*put_fn)(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme);
typedef kl_rule (*get_fn)(struct reading *r, kl_span bytes);

static void put_vote(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    kl_vote_encode(out, &m->vote, scheme);
}

static kl_rule get_vote(struct reading *r, kl_span bytes)
{
    return kl_vote_decode(&r->out->vote, bytes, r->scheme);
}

static kl_rule get_body_bytes(kl_rlp *items, kl_span *out)
{
    KL_JUDGE(kl_rlp_bytes(items, out));
    return out->len > KL_MESSAGE_BODY_MAX ? KL_RULE_MESSAGE_SIZE : KL_RULE_NONE;
}

static void put_proposal(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_vote_encode(out, &m->vote, scheme);
    kl_rlp_put_bytes(out, m->body);
    kl_rlp_put_end(out, list);
}

static kl_rule get_proposal(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    kl_span vote;
    bool is_list; /* what is none, no vote decodes from */
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_item(&items, &vote, &is_list));
    KL_JUDGE(get_body_bytes(&items, &r->out->body));
    KL_JUDGE(kl_rlp_close(&items));
    KL_JUDGE(get_vote(r, vote));
    return r->out->vote.subject.kind == KL_VOTE_NOTARIZE ? KL_RULE_NONE : KL_RULE_MESSAGE_RANGE;
}

static void put_certificate(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_certificate_encode(out, &m->certificate);
}

static kl_rule get_certificate(struct reading *r, kl_span bytes)
{
    return kl_certificate_decode(&r->out->certificate, bytes);
}

static void put_evidence(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    kl_evidence_encode(out, &m->evidence, scheme);
}

static kl_rule get_evidence(struct reading *r, kl_span bytes)
{
    return kl_evidence_decode(&r->out->evidence, bytes, r->scheme);
}

static void put_ask_certificates(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, m->epoch);
    kl_rlp_put_u64(out, m->from);
    kl_rlp_put_u64(out, m->to);
    kl_rlp_put_end(out, list);
}

static kl_rule get_ask_certificates(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &r->out->epoch));
    KL_JUDGE(kl_rlp_u64(&items, &r->out->from));
    KL_JUDGE(kl_rlp_u64(&items, &r->out->to));
    KL_JUDGE(kl_rlp_close(&items));
    return r->out->from > r->out->to ? KL_RULE_MESSAGE_RANGE : KL_RULE_NONE;
}

static void put_hash(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_hash(out, &m->hash);
    kl_rlp_put_end(out, list);
}

static kl_rule get_hash(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_hash(&items, &r->out->hash));
    return kl_rlp_close(&items);
}

static void put_body(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_bytes(out, m->body);
    kl_rlp_put_end(out, list);
}

static kl_rule get_body(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(get_body_bytes(&items, &r->out->body));
    return kl_rlp_close(&items);
}

static void put_ask_blocks(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, m->from);
    kl_rlp_put_u64(out, m->to);
    kl_rlp_put_end(out, list);
}

/* Where blocks may begin, so that heights behind them are numbers: who is asked for others could
 * not say that they are not there. */
static bool is_height(u64 from)
{
    return from > 0 && from <= UINT64_MAX - KL_MESSAGE_BLOCKS_MAX - KL_MESSAGE_HEADERS_MAX;
}

static kl_rule get_ask_blocks(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &r->out->from));
    KL_JUDGE(kl_rlp_u64(&items, &r->out->to));
    KL_JUDGE(kl_rlp_close(&items));
    /* block 0 is the genesis, which everybody has */
    bool fits = r->out->from <= r->out->to && is_height(r->out->from);
    return fits ? KL_RULE_NONE : KL_RULE_MESSAGE_RANGE;
}

static void put_spans(kl_out *out, const kl_span *spans, usize count)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < count; i++)
        kl_rlp_put_bytes(out, spans[i]);
    kl_rlp_put_end(out, list);
}

static void put_blocks(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, m->from);
    kl_rlp_mark blocks = kl_rlp_put_begin(out);
    for (usize i = 0; i < m->block_count; i++) {
        kl_rlp_mark block = kl_rlp_put_begin(out);
        kl_rlp_put_bytes(out, m->blocks[i].body);
        kl_rlp_put_bytes(out, m->blocks[i].finalization);
        kl_rlp_put_end(out, block);
    }
    kl_rlp_put_end(out, blocks);
    put_spans(out, m->headers, m->header_count);
    kl_rlp_put_bytes(out, m->finalization);
    kl_rlp_put_end(out, list);
}

static kl_rule open_list(kl_rlp *from, kl_rlp *items, usize most, usize *count)
{
    KL_JUDGE(kl_rlp_list(from, items));
    KL_JUDGE(kl_rlp_count(items, count));
    return *count > most ? KL_RULE_MESSAGE_SIZE : KL_RULE_NONE;
}

/* A list of at most `most` byte strings; *out lies in the arena. */
static kl_rule get_spans(struct reading *r, kl_rlp *from, usize most, const kl_span **out,
                         usize *count)
{
    kl_rlp items;
    usize n;
    KL_JUDGE(open_list(from, &items, most, &n));
    kl_span *spans = KL_TAKE(r->arena, kl_span, n + 1);
    if (!spans) {
        r->status = KL_NOMEM;
        return KL_RULE_NONE;
    }
    for (usize i = 0; i < n; i++)
        KL_JUDGE(kl_rlp_bytes(&items, &spans[i]));
    *out = spans;
    *count = n;
    return KL_RULE_NONE;
}

static kl_rule get_block(kl_rlp *from, kl_message_block *out)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    KL_JUDGE(get_body_bytes(&items, &out->body));
    KL_JUDGE(kl_rlp_bytes(&items, &out->finalization));
    return kl_rlp_close(&items);
}

static kl_rule get_block_list(struct reading *r, kl_rlp *from)
{
    kl_rlp items;
    usize n;
    KL_JUDGE(open_list(from, &items, KL_MESSAGE_BLOCKS_MAX, &n));
    kl_message_block *blocks = KL_TAKE(r->arena, kl_message_block, n + 1);
    if (!blocks) {
        r->status = KL_NOMEM;
        return KL_RULE_NONE;
    }
    for (usize i = 0; i < n; i++)
        KL_JUDGE(get_block(&items, &blocks[i]));
    r->out->blocks = blocks;
    r->out->block_count = n;
    return KL_RULE_NONE;
}

static kl_rule get_blocks(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    kl_message *m = r->out;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &m->from));
    KL_JUDGE(get_block_list(r, &items));
    if (r->status != KL_OK)
        return KL_RULE_NONE;
    KL_JUDGE(get_spans(r, &items, KL_MESSAGE_HEADERS_MAX, &m->headers, &m->header_count));
    if (r->status != KL_OK)
        return KL_RULE_NONE;
    KL_JUDGE(kl_rlp_bytes(&items, &m->finalization));
    KL_JUDGE(kl_rlp_close(&items));
    /* headers lead from the last block to what is final: neither stands alone */
    bool fits = (m->header_count > 0) == (m->finalization.len > 0) &&
                (m->header_count == 0 || m->block_count > 0) && is_height(m->from);
    return fits ? KL_RULE_NONE : KL_RULE_MESSAGE_RANGE;
}

static void put_status(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, m->from);
    kl_rlp_put_end(out, list);
}

static kl_rule get_status(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &r->out->from));
    return kl_rlp_close(&items);
}

static void put_transactions(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_spans(out, m->transactions, m->transaction_count);
    kl_rlp_put_end(out, list);
}

static kl_rule get_transactions(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(get_spans(r, &items, KL_MESSAGE_TRANSACTIONS_MAX, &r->out->transactions,
                       &r->out->transaction_count));
    for (usize i = 0; r->status == KL_OK && i < r->out->transaction_count; i++)
        if (r->out->transactions[i].len > KL_MESSAGE_TRANSACTION_MAX)
            return KL_RULE_MESSAGE_SIZE;
    return r->status == KL_OK ? kl_rlp_close(&items) : KL_RULE_NONE;
}

/* --- compact proposals --- */

static void put_given(kl_out *out, const kl_message *m)
{
    kl_rlp_mark all = kl_rlp_put_begin(out);
    for (usize i = 0; i < m->given_count; i++) {
        kl_rlp_mark one = kl_rlp_put_begin(out);
        kl_rlp_put_u64(out, m->given[i].place);
        kl_rlp_put_bytes(out, m->given[i].envelope);
        kl_rlp_put_end(out, one);
    }
    kl_rlp_put_end(out, all);
}

/* A place above all before it, and below `end`. */
static kl_rule get_place(kl_rlp *items, u64 *next, u64 end, u32 *out)
{
    u64 place;
    KL_JUDGE(kl_rlp_u64(items, &place));
    if (place < *next || place >= end)
        return KL_RULE_MESSAGE_RANGE;
    *next = place + 1;
    *out = (u32)place;
    return KL_RULE_NONE;
}

static kl_rule get_one_given(kl_rlp *from, u64 *next, u64 end, kl_message_tx *out)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    KL_JUDGE(get_place(&items, next, end, &out->place));
    KL_JUDGE(kl_rlp_bytes(&items, &out->envelope));
    KL_JUDGE(kl_rlp_close(&items));
    return out->envelope.len ? KL_RULE_NONE : KL_RULE_MESSAGE_SIZE;
}

static kl_rule get_given(struct reading *r, kl_rlp *from, u64 end)
{
    kl_rlp items;
    usize n;
    u64 next = 0;
    KL_JUDGE(open_list(from, &items, KL_COMPACT_MAX, &n));
    kl_message_tx *given = KL_TAKE(r->arena, kl_message_tx, n + 1);
    if (!given) {
        r->status = KL_NOMEM;
        return KL_RULE_NONE;
    }
    for (usize i = 0; i < n; i++)
        KL_JUDGE(get_one_given(&items, &next, end, &given[i]));
    r->out->given = given;
    r->out->given_count = n;
    return KL_RULE_NONE;
}

static void put_compact(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_vote_encode(out, &m->vote, scheme);
    kl_rlp_put_bytes(out, m->compact.header);
    kl_rlp_put_bytes(out, m->compact.rest);
    kl_rlp_put_bytes(out, m->compact.consensus);
    kl_rlp_put_bytes(out, m->compact.hashes);
    put_given(out, m);
    kl_rlp_put_end(out, list);
}

static kl_rule get_compact(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    kl_span vote;
    bool is_list;
    kl_compact *compact = &r->out->compact;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_item(&items, &vote, &is_list));
    KL_JUDGE(kl_rlp_bytes(&items, &compact->header));
    KL_JUDGE(kl_rlp_bytes(&items, &compact->rest));
    KL_JUDGE(kl_rlp_bytes(&items, &compact->consensus));
    KL_JUDGE(kl_rlp_bytes(&items, &compact->hashes));
    if (compact->hashes.len % sizeof(kl_hash) || kl_compact_count(compact) > KL_COMPACT_MAX)
        return KL_RULE_MESSAGE_SIZE;
    KL_JUDGE(get_given(r, &items, kl_compact_count(compact)));
    if (r->status != KL_OK)
        return KL_RULE_NONE;
    KL_JUDGE(kl_rlp_close(&items));
    KL_JUDGE(get_vote(r, vote));
    return r->out->vote.subject.kind == KL_VOTE_NOTARIZE ? KL_RULE_NONE : KL_RULE_MESSAGE_RANGE;
}

static void put_ask_transactions(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_hash(out, &m->hash);
    kl_rlp_mark places = kl_rlp_put_begin(out);
    for (usize i = 0; i < m->place_count; i++)
        kl_rlp_put_u64(out, m->places[i]);
    kl_rlp_put_end(out, places);
    kl_rlp_put_end(out, list);
}

static kl_rule get_ask_transactions(struct reading *r, kl_span bytes)
{
    kl_rlp items, places;
    usize n;
    u64 next = 0;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_hash(&items, &r->out->hash));
    KL_JUDGE(open_list(&items, &places, KL_COMPACT_MAX, &n));
    u32 *list = KL_TAKE(r->arena, u32, n + 1);
    if (!list) {
        r->status = KL_NOMEM;
        return KL_RULE_NONE;
    }
    for (usize i = 0; i < n; i++)
        KL_JUDGE(get_place(&places, &next, KL_COMPACT_MAX, &list[i]));
    r->out->places = list;
    r->out->place_count = n;
    return kl_rlp_close(&items);
}

static void put_transactions_of(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_hash(out, &m->hash);
    put_given(out, m);
    kl_rlp_put_end(out, list);
}

static kl_rule get_transactions_of(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_hash(&items, &r->out->hash));
    KL_JUDGE(get_given(r, &items, KL_COMPACT_MAX));
    return r->status == KL_OK ? kl_rlp_close(&items) : KL_RULE_NONE;
}

/* --- state --- */

static void put_state_head(kl_out *out, const kl_message *m)
{
    kl_rlp_put_u64(out, m->from);
    kl_rlp_put_bytes(out, m->has_owner ? kl_hash_span(&m->hash) : KL_SPAN_NONE);
    kl_rlp_put_hash(out, &m->first);
}

static kl_rule get_state_head(kl_rlp *items, kl_message *m)
{
    kl_span owner;
    KL_JUDGE(kl_rlp_u64(items, &m->from));
    KL_JUDGE(kl_rlp_bytes(items, &owner));
    KL_JUDGE(kl_rlp_hash(items, &m->first));
    m->has_owner = owner.len != 0;
    if (m->has_owner && owner.len != sizeof m->hash)
        return KL_RULE_MESSAGE_RANGE;
    if (m->has_owner)
        memcpy(m->hash.b, owner.p, owner.len);
    return KL_RULE_NONE;
}

static void put_ask_state(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_state_head(out, m);
    kl_rlp_put_end(out, list);
}

static kl_rule get_ask_state(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(get_state_head(&items, r->out));
    return kl_rlp_close(&items);
}

static void put_state(kl_out *out, const kl_message *m, const kl_vote_scheme *scheme)
{
    (void)scheme;
    kl_rlp_mark list = kl_rlp_put_begin(out);
    put_state_head(out, m);
    kl_rlp_mark leaves = kl_rlp_put_begin(out);
    for (usize i = 0; i < m->leaf_count; i++) {
        kl_rlp_mark leaf = kl_rlp_put_begin(out);
        kl_rlp_put_hash(out, &m->leaves[i].key);
        kl_rlp_put_bytes(out, m->leaves[i].value);
        kl_rlp_put_end(out, leaf);
    }
    kl_rlp_put_end(out, leaves);
    put_spans(out, m->nodes, m->node_count);
    kl_rlp_put_end(out, list);
}

static kl_rule get_leaf(kl_rlp *from, kl_trie_change *out)
{
    kl_rlp items;
    KL_JUDGE(kl_rlp_list(from, &items));
    KL_JUDGE(kl_rlp_hash(&items, &out->key));
    KL_JUDGE(kl_rlp_bytes(&items, &out->value));
    return kl_rlp_close(&items);
}

static kl_rule get_leaves(struct reading *r, kl_rlp *from)
{
    kl_rlp items;
    usize n;
    KL_JUDGE(open_list(from, &items, KL_MESSAGE_LEAVES_MAX, &n));
    kl_trie_change *leaves = KL_TAKE(r->arena, kl_trie_change, n + 1);
    if (!leaves) {
        r->status = KL_NOMEM;
        return KL_RULE_NONE;
    }
    for (usize i = 0; i < n; i++)
        KL_JUDGE(get_leaf(&items, &leaves[i]));
    r->out->leaves = leaves;
    r->out->leaf_count = n;
    return KL_RULE_NONE;
}

static kl_rule get_state(struct reading *r, kl_span bytes)
{
    kl_rlp items;
    kl_message *m = r->out;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(get_state_head(&items, m));
    KL_JUDGE(get_leaves(r, &items));
    if (r->status != KL_OK)
        return KL_RULE_NONE;
    KL_JUDGE(get_spans(r, &items, KL_MESSAGE_NODES_MAX, &m->nodes, &m->node_count));
    return r->status == KL_OK ? kl_rlp_close(&items) : KL_RULE_NONE;
}

static const struct {
    put_fn put;
    get_fn get;
    kl_message_stream stream;
} kinds[] = {
    [KL_MESSAGE_VOTE] = {put_vote, get_vote, KL_STREAM_BFT},
    [KL_MESSAGE_PROPOSAL] = {put_proposal, get_proposal, KL_STREAM_PROPOSAL},
    [KL_MESSAGE_CERTIFICATE] = {put_certificate, get_certificate, KL_STREAM_BFT},
    [KL_MESSAGE_EVIDENCE] = {put_evidence, get_evidence, KL_STREAM_BFT},
    [KL_MESSAGE_ASK_CERTIFICATES] = {put_ask_certificates, get_ask_certificates, KL_STREAM_BFT},
    [KL_MESSAGE_ASK_BODY] = {put_hash, get_hash, KL_STREAM_BFT},
    [KL_MESSAGE_BODY] = {put_body, get_body, KL_STREAM_SYNC},
    [KL_MESSAGE_ASK_BLOCKS] = {put_ask_blocks, get_ask_blocks, KL_STREAM_SYNC},
    [KL_MESSAGE_BLOCKS] = {put_blocks, get_blocks, KL_STREAM_SYNC},
    [KL_MESSAGE_STATUS] = {put_status, get_status, KL_STREAM_SYNC},
    [KL_MESSAGE_TRANSACTIONS] = {put_transactions, get_transactions, KL_STREAM_TX},
    [KL_MESSAGE_ASK_RECORDS] = {put_ask_blocks, get_ask_blocks, KL_STREAM_SYNC},
    [KL_MESSAGE_RECORDS] = {put_blocks, get_blocks, KL_STREAM_SYNC},
    [KL_MESSAGE_ASK_STATE] = {put_ask_state, get_ask_state, KL_STREAM_SYNC},
    [KL_MESSAGE_STATE] = {put_state, get_state, KL_STREAM_SYNC},
    [KL_MESSAGE_ASK_CODE] = {put_hash, get_hash, KL_STREAM_SYNC},
    [KL_MESSAGE_CODE] = {put_body, get_body, KL_STREAM_SYNC},
    [KL_MESSAGE_COMPACT] = {put_compact, get_compact, KL_STREAM_PROPOSAL},
    [KL_MESSAGE_ASK_TRANSACTIONS] = {put_ask_transactions, get_ask_transactions, KL_STREAM_BFT},
    [KL_MESSAGE_TRANSACTIONS_OF] = {put_transactions_of, get_transactions_of, KL_STREAM_PROPOSAL},
};

kl_message_stream kl_message_stream_of(kl_message_kind kind)
{
    return kinds[kind].stream;
}

static void put(kl_out *out, const kl_message *message, const kl_vote_scheme *scheme)
{
    kl_out_u8(out, (u8)message->kind);
    kinds[message->kind].put(out, message, scheme);
}

void kl_message_encode(struct kl_buf *out, const kl_message *message, const kl_vote_scheme *scheme)
{
    kl_out counter = kl_out_counter();
    put(&counter, message, scheme);
    if (counter.len > KL_MESSAGE_MAX) {
        out->failed = true;
        return;
    }
    u8 *room = kl_buf_extend(out, counter.len);
    if (!room)
        return;
    kl_out writer = kl_out_of(room, counter.len);
    put(&writer, message, scheme);
    KL_ASSERT(!writer.full && writer.len == counter.len);
}

kl_status kl_message_decode(kl_message *out, kl_span frame, const kl_vote_scheme *scheme,
                            struct kl_arena *arena, kl_rule *broken)
{
    kl_message made = {0};
    struct reading r = {.out = &made, .scheme = scheme, .arena = arena, .status = KL_OK};
    *broken = frame.len == 0 || frame.p[0] >= KL_COUNT_OF(kinds) || !kinds[frame.p[0]].get
                  ? KL_RULE_MESSAGE_KIND
              : frame.len > KL_MESSAGE_MAX ? KL_RULE_MESSAGE_SIZE
                                           : KL_RULE_NONE;
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    made.kind = (kl_message_kind)frame.p[0];
    *broken = kinds[made.kind].get(&r, kl_span_sub(frame, 1, frame.len - 1));
    if (r.status == KL_OK && *broken == KL_RULE_NONE)
        *out = made;
    return r.status;
}
