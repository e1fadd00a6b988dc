/* What peers ask for and memory does not hold: read from the logs on the state lane, whose work
 * never stands in front of a vote.  Of each peer only a few questions are read at once; more are
 * dropped, and asked again. */
#include <stdlib.h>

#include "host/replica_priv.h"

#define READ_MEMORY  (4 * (usize)KL_MESSAGE_MAX)
#define ANSWER_BYTES (2u << 20)   /* of blocks, beyond the first */
#define STATE_BYTES  (256u << 10) /* of leaves */

typedef enum serve_kind {
    SERVE_BODY,
    SERVE_BLOCKS,
    SERVE_RECORDS,
    SERVE_LOG,
    SERVE_STATE,
    SERVE_CODE,
} serve_kind;

struct serve_work {
    struct replica_work work;
    serve_kind kind;
    u32 peer;
    kl_hash hash, first;
    bool has_owner;
    u64 epoch, from, to;
    struct kl_buf frames; /* one behind the other */
    usize ends[REPLICA_CERTIFICATES];
    usize count;
};

static void add_frame(struct serve_work *w, const kl_message *message)
{
    usize before = w->frames.len;
    if (w->count == KL_COUNT_OF(w->ends))
        return;
    struct kl_buf frame;
    kl_buf_init(&frame, KL_MESSAGE_MAX);
    kl_message_encode(&frame, message, w->work.replica->scheme);
    if (!frame.failed)
        kl_buf_span(&w->frames, kl_buf_view(&frame));
    if (!frame.failed && !w->frames.failed && w->frames.len > before)
        w->ends[w->count++] = w->frames.len;
    kl_buf_done(&frame);
}

/* --- a body --- */

static kl_status body_in_ledger(struct serve_work *w, struct kl_arena *arena, kl_span *out)
{
    struct kl_reader *reader;
    u64 number;
    KL_TRY(kl_reader_open(w->work.replica->chain, &reader));
    kl_status status = kl_reader_number_of(reader, &w->hash, &number);
    if (status == KL_OK)
        status = kl_reader_body(reader, number, arena, out);
    kl_reader_close(reader);
    return status;
}

static void serve_body(struct serve_work *w, struct kl_arena *arena)
{
    kl_span body;
    kl_status status = kl_bft_log_find_body(w->work.replica->log, &w->hash, arena, &body);
    if (status == KL_NOTFOUND)
        status = body_in_ledger(w, arena, &body);
    if (status == KL_OK)
        add_frame(w, &(kl_message){.kind = KL_MESSAGE_BODY, .body = body});
}

/* --- blocks --- */

struct blocks {
    struct kl_reader *reader;
    struct kl_arena *arena;
    kl_message message;
    kl_message_block list[KL_MESSAGE_BLOCKS_MAX];
    kl_span headers[KL_MESSAGE_HEADERS_MAX];
    usize bytes, shown; /* shown: blocks up to the last one with a Finalization */
};

static kl_status read_block(struct blocks *b, u64 number, kl_message_block *out)
{
    kl_finality finality;
    if (b->message.kind == KL_MESSAGE_RECORDS)
        return kl_reader_record(b->reader, number, b->arena, &out->body, &out->finalization);
    KL_TRY(kl_reader_finality(b->reader, number, b->arena, &finality));
    KL_TRY(kl_reader_body(b->reader, number, b->arena, &out->body));
    out->finalization = finality.finalization;
    return KL_OK;
}

/* Bodies, or records, from the first on, as many as fit. */
static kl_status read_blocks(struct blocks *b, u64 from, u64 to)
{
    for (u64 at = from; at <= to && b->message.block_count < KL_COUNT_OF(b->list); at++) {
        kl_message_block *block = &b->list[b->message.block_count];
        KL_TRY(read_block(b, at, block));
        usize bytes = block->body.len + block->finalization.len + 64;
        if (b->message.block_count && b->bytes + bytes > ANSWER_BYTES)
            return KL_OK;
        b->bytes += bytes;
        b->message.block_count++;
        if (block->finalization.len)
            b->shown = b->message.block_count;
    }
    return KL_OK;
}

static kl_status header_bytes(struct blocks *b, u64 number, kl_span *out)
{
    kl_header header;
    kl_hash hash;
    KL_TRY(kl_reader_header(b->reader, number, b->arena, &header, &hash));
    u8 *room = KL_TAKE(b->arena, u8, KL_HEADER_RLP_MAX);
    if (!room)
        return KL_NOMEM;
    kl_out to = kl_out_of(room, KL_HEADER_RLP_MAX);
    kl_header_encode(&to, &header);
    *out = kl_span_of(room, to.len);
    return KL_OK;
}

/* The headers behind the last block, up to the one that makes it final; false when there is none
 * within reach. */
static kl_status read_headers(struct blocks *b, u64 from, u64 last, bool *found)
{
    *found = false;
    for (u64 at = from; at <= last && b->message.header_count < KL_COUNT_OF(b->headers); at++) {
        kl_finality finality;
        KL_TRY(kl_reader_finality(b->reader, at, b->arena, &finality));
        KL_TRY(header_bytes(b, at, &b->headers[b->message.header_count++]));
        if (finality.finalization.len) {
            b->message.finalization = finality.finalization;
            *found = true;
            return KL_OK;
        }
    }
    return KL_OK;
}

/* An answer ends with the epoch, since only the block there says who votes next. */
static kl_status read_answer(struct serve_work *w, struct blocks *b)
{
    u64 epoch_blocks = kl_chain_spec(w->work.replica->chain)->bft.epoch_blocks;
    u64 newest = kl_reader_tip(b->reader)->header.number;
    u64 last = KL_MIN(newest, ((w->from - 1) / epoch_blocks + 1) * epoch_blocks);
    bool found = true;
    if (w->from > newest)
        return KL_OK;
    KL_TRY(read_blocks(b, w->from, KL_MIN(w->to, last)));
    if (b->shown == b->message.block_count)
        return KL_OK;
    KL_TRY(read_headers(b, w->from + b->message.block_count, last, &found));
    if (!found) {
        b->message.block_count = b->shown;
        b->message.header_count = 0;
    }
    return KL_OK;
}

static void serve_blocks(struct serve_work *w, struct kl_arena *arena)
{
    struct blocks *b = KL_TAKE(arena, struct blocks, 1); /* large, and mostly not used */
    if (!b || !w->from || kl_reader_open(w->work.replica->chain, &b->reader) != KL_OK)
        return;
    b->arena = arena;
    b->bytes = b->shown = 0;
    b->message = (kl_message){
        .kind = w->kind == SERVE_RECORDS ? KL_MESSAGE_RECORDS : KL_MESSAGE_BLOCKS,
        .from = w->from,
        .blocks = b->list,
        .headers = b->headers,
    };
    kl_status status = read_answer(w, b);
    if (status == KL_OK || status == KL_NOTFOUND) {
        if (status == KL_NOTFOUND) /* not kept here any more */
            b->message.block_count = b->message.header_count = 0;
        add_frame(w, &b->message);
    }
    kl_reader_close(b->reader);
}

/* --- state --- */

/* Of a version that history does not reach any more nothing is said but that. */
static kl_status read_range(struct serve_work *w, struct kl_reader *reader, struct kl_arena *arena,
                            kl_trie_range *out)
{
    struct kl_view *view;
    KL_TRY(kl_reader_state(reader, w->from, &view));
    kl_status status =
        kl_trie_prove_range(out, w->has_owner ? &w->hash : NULL, &w->first, KL_MESSAGE_LEAVES_MAX,
                            STATE_BYTES, kl_view_tries(view), arena);
    kl_view_close(view);
    return status;
}

static void serve_state(struct serve_work *w, struct kl_arena *arena)
{
    struct kl_reader *reader;
    kl_trie_range range = {0};
    if (kl_reader_open(w->work.replica->chain, &reader) != KL_OK)
        return;
    kl_status status = read_range(w, reader, arena, &range);
    if (status == KL_OK || status == KL_NOTFOUND)
        add_frame(w, &(kl_message){.kind = KL_MESSAGE_STATE,
                                   .from = w->from,
                                   .has_owner = w->has_owner,
                                   .hash = w->hash,
                                   .first = w->first,
                                   .leaves = range.leaves,
                                   .leaf_count = range.count,
                                   .nodes = range.nodes,
                                   .node_count = range.node_count});
    kl_reader_close(reader);
}

static void serve_code(struct serve_work *w, struct kl_arena *arena)
{
    struct kl_reader *reader;
    kl_span code;
    (void)arena;
    if (kl_reader_open(w->work.replica->chain, &reader) != KL_OK)
        return;
    if (kl_view_get(kl_reader_view(reader), KL_TABLE_CODE, kl_hash_span(&w->hash), &code) == KL_OK)
        add_frame(w, &(kl_message){.kind = KL_MESSAGE_CODE, .body = code});
    kl_reader_close(reader);
}

/* --- certificates of the log --- */

static bool add_certificate(void *ctx, const kl_certificate *certificate)
{
    struct serve_work *w = ctx;
    add_frame(w, &(kl_message){.kind = KL_MESSAGE_CERTIFICATE, .certificate = *certificate});
    return w->count < KL_COUNT_OF(w->ends);
}

static void serve_log(struct serve_work *w, struct kl_arena *arena)
{
    (void)arena;
    kl_status status = kl_bft_log_certificates(w->work.replica->log, w->epoch, w->from, w->to,
                                               KL_COUNT_OF(w->ends), add_certificate, w);
    (void)status; /* what could be read is sent; whoever needs more asks somebody else */
}

/* --- the job --- */

static void serve_run(struct kl_job *job)
{
    static void (*const serve[])(struct serve_work *, struct kl_arena *) = {
        [SERVE_BODY] = serve_body, [SERVE_BLOCKS] = serve_blocks, [SERVE_RECORDS] = serve_blocks,
        [SERVE_LOG] = serve_log,   [SERVE_STATE] = serve_state,   [SERVE_CODE] = serve_code,
    };
    struct serve_work *w = (struct serve_work *)job;
    struct kl_arena arena;
    kl_arena_init(&arena, READ_MEMORY);
    serve[w->kind](w, &arena);
    kl_arena_done(&arena);
}

static void serve_finish(struct replica_work *work)
{
    struct serve_work *w = (struct serve_work *)work;
    struct kl_replica *r = work->replica;
    static const kl_message_kind kinds[] = {
        [SERVE_BODY] = KL_MESSAGE_BODY,       [SERVE_BLOCKS] = KL_MESSAGE_BLOCKS,
        [SERVE_RECORDS] = KL_MESSAGE_RECORDS, [SERVE_LOG] = KL_MESSAGE_CERTIFICATE,
        [SERVE_STATE] = KL_MESSAGE_STATE,     [SERVE_CODE] = KL_MESSAGE_CODE,
    };
    r->peers[w->peer].serves--;
    for (usize i = 0, at = 0; i < w->count; at = w->ends[i++])
        r->config.net->send(r->config.net, w->peer, kinds[w->kind],
                            kl_span_of(w->frames.p + at, w->ends[i] - at));
}

static void serve_drop(struct replica_work *work)
{
    struct serve_work *w = (struct serve_work *)work;
    kl_buf_done(&w->frames);
    free(w);
}

static void serve(struct kl_replica *r, u32 peer, struct serve_work what)
{
    if (peer >= KL_REPLICA_PEERS_MAX || r->peers[peer].serves == REPLICA_SERVES_MAX)
        return;
    struct serve_work *w = malloc(sizeof *w);
    if (!w)
        return;
    *w = what;
    w->peer = peer;
    kl_buf_init(&w->frames, REPLICA_CERTIFICATES * (usize)KL_CERTIFICATE_RLP_MAX + KL_MESSAGE_MAX);
    r->peers[peer].serves++;
    replica_give(r, KL_LANE_STATE, &w->work, serve_run, serve_finish, serve_drop);
}

void replica_serve_body(struct kl_replica *r, u32 peer, const kl_hash *hash)
{
    serve(r, peer, (struct serve_work){.kind = SERVE_BODY, .hash = *hash});
}

void replica_serve_blocks(struct kl_replica *r, u32 peer, u64 from, u64 to)
{
    serve(r, peer, (struct serve_work){.kind = SERVE_BLOCKS, .from = from, .to = to});
}

void replica_serve_log(struct kl_replica *r, u32 peer, u64 epoch, u64 from, u64 to)
{
    serve(r, peer, (struct serve_work){.kind = SERVE_LOG, .epoch = epoch, .from = from, .to = to});
}

void replica_serve_records(struct kl_replica *r, u32 peer, u64 from, u64 to)
{
    serve(r, peer, (struct serve_work){.kind = SERVE_RECORDS, .from = from, .to = to});
}

void replica_serve_state(struct kl_replica *r, u32 peer, const kl_message *m)
{
    serve(r, peer,
          (struct serve_work){.kind = SERVE_STATE,
                              .from = m->from,
                              .has_owner = m->has_owner,
                              .hash = m->hash,
                              .first = m->first});
}

void replica_serve_code(struct kl_replica *r, u32 peer, const kl_hash *hash)
{
    serve(r, peer, (struct serve_work){.kind = SERVE_CODE, .hash = *hash});
}
