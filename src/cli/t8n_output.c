/* t8n_output: the result member for member as geth writes it, where tools look for it. */
#include <errno.h>

#include "cli/json_indent.h"
#include "cli/t8n.h"
#include "cli/world_dump.h"
#include "codec/rlp.h"
#include "exec/fees.h"

#define OUTPUT_MAX ((usize)4 << 30)

/* What stands for the hash of a block that is none yet. */
static const kl_hash block_hash = {{0x13, 0x37}};

static void put_bytes(struct kl_json_out *out, const char *name, const void *bytes, usize len)
{
    kl_json_add_data(out, name, kl_span_of(bytes, len));
}

/* The block's place of a log or receipt. */
typedef struct place {
    const kl_t8n_env *env;
    usize tx_index, log_index;
} place;

static void put_log(struct kl_json_out *out, const kl_log_entry *entry, const kl_hash *tx,
                    const place *at)
{
    kl_json_put_object(out);
    put_bytes(out, "address", entry->address.b, sizeof entry->address.b);
    kl_json_put_key(out, "topics");
    kl_json_put_array(out);
    for (usize i = 0; i < entry->topic_count; i++)
        kl_json_put_hash(out, &entry->topics[i]);
    kl_json_put_array_end(out);
    put_bytes(out, "data", entry->data.p, entry->data.len);
    kl_json_add_quantity(out, "blockNumber", at->env->header.number);
    kl_json_add_hash(out, "transactionHash", tx);
    kl_json_add_quantity(out, "transactionIndex", at->tx_index);
    kl_json_add_hash(out, "blockHash", &block_hash);
    kl_json_add_quantity(out, "blockTimestamp", at->env->header.timestamp);
    kl_json_add_quantity(out, "logIndex", at->log_index);
    kl_json_add_bool(out, "removed", false);
    kl_json_put_object_end(out);
}

static void put_logs(struct kl_json_out *out, const kl_t8n_receipt *receipt, place *at)
{
    kl_json_put_key(out, "logs");
    kl_json_put_array(out);
    for (usize i = 0; i < receipt->receipt.log_count; i++, at->log_index++)
        put_log(out, &receipt->receipt.logs[i], &receipt->tx->hash, at);
    kl_json_put_array_end(out);
}

/* A type of 0 is left out; a root and a status are always there, whichever the fork has. */
static void put_receipt(struct kl_json_out *out, const kl_t8n_receipt *receipt,
                        const kl_t8n_input *in, place *at)
{
    const kl_receipt *r = &receipt->receipt;
    const kl_t8n_env *env = at->env;
    kl_json_put_object(out);
    if (r->type)
        kl_json_add_quantity(out, "type", r->type);
    put_bytes(out, "root", r->state_root.b, r->has_state_root ? sizeof r->state_root.b : 0);
    kl_json_add_quantity(out, "status", r->success);
    kl_json_add_quantity(out, "cumulativeGasUsed", r->cumulative_gas_used);
    put_bytes(out, "logsBloom", r->bloom.b, sizeof r->bloom.b);
    put_logs(out, receipt, at);
    kl_json_add_hash(out, "transactionHash", &receipt->tx->hash);
    put_bytes(out, "contractAddress", receipt->contract.b, sizeof receipt->contract.b);
    kl_json_add_quantity(out, "gasUsed", r->gas_used);
    kl_json_add_null(out, "effectiveGasPrice");
    if (r->type == KL_TX_BLOB) {
        u64 fraction = kl_spec_blobs(&in->spec, env->fork).update_fraction;
        kl_json_add_quantity(out, "blobGasUsed", receipt->tx->blob_count * KL_T8N_BLOB_GAS);
        kl_json_add_quantity_u256(out, "blobGasPrice",
                                  kl_blob_base_fee(env->header.excess_blob_gas, fraction));
    }
    kl_json_add_hash(out, "blockHash", &block_hash);
    kl_json_add_quantity(out, "blockNumber", env->header.number);
    kl_json_add_quantity(out, "transactionIndex", at->tx_index);
    kl_json_put_object_end(out);
}

static void put_receipts(struct kl_json_out *out, const kl_t8n_input *in,
                         const kl_t8n_result *result)
{
    place at = {.env = &in->env};
    kl_json_put_key(out, "receipts");
    kl_json_put_array(out);
    for (; at.tx_index < result->receipt_count; at.tx_index++)
        put_receipt(out, &result->receipts[at.tx_index], in, &at);
    kl_json_put_array_end(out);
}

static void put_rejected(struct kl_json_out *out, const kl_t8n_result *result)
{
    if (result->rejected_count == 0)
        return;
    kl_json_put_key(out, "rejected");
    kl_json_put_array(out);
    for (usize i = 0; i < result->rejected_count; i++) {
        kl_json_put_object(out);
        kl_json_add_number(out, "index", result->rejected[i].index);
        kl_json_add_text(out, "error", result->rejected[i].why);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

/* What fees and withdrawals add, each where the environment has it. */
static void put_fees(struct kl_json_out *out, const kl_t8n_env *env, const kl_t8n_result *result)
{
    if (env->has_base_fee) {
        kl_json_add_quantity_u256(out, "currentBaseFee", env->header.base_fee);
    }
    if (env->has_withdrawals)
        kl_json_add_hash(out, "withdrawalsRoot", &result->withdrawals_root);
    if (env->has_excess) {
        kl_json_add_quantity(out, "currentExcessBlobGas", env->header.excess_blob_gas);
        kl_json_add_quantity(out, "blobGasUsed", result->blob_gas_used);
    }
}

/* Requests as their hash has them: behind the byte that is their type [EIP-7685]. */
static void put_requests(struct kl_json_out *out, const kl_t8n_env *env,
                         const kl_t8n_result *result)
{
    if (env->fork >= KL_PRAGUE)
        kl_json_add_hash(out, "requestsHash", &result->requests_hash);
    kl_json_put_key(out, "requests");
    if (env->fork < KL_PRAGUE) {
        kl_json_put_null(out);
        return;
    }
    kl_json_put_array(out);
    for (usize i = 0; i < result->request_count; i++)
        kl_json_put_data(out, result->requests[i]);
    kl_json_put_array_end(out);
}

static void put_result(struct kl_json_out *out, const kl_t8n_input *in, const kl_t8n_result *result)
{
    kl_json_put_object(out);
    kl_json_add_hash(out, "stateRoot", &result->state_root);
    kl_json_add_hash(out, "txRoot", &result->transactions_root);
    kl_json_add_hash(out, "receiptsRoot", &result->receipts_root);
    kl_json_add_hash(out, "logsHash", &result->logs_hash);
    put_bytes(out, "logsBloom", result->bloom.b, sizeof result->bloom.b);
    put_receipts(out, in, result);
    put_rejected(out, result);
    kl_json_put_key(out, "currentDifficulty");
    if (in->env.has_difficulty)
        kl_json_put_quantity_u256(out, in->env.header.difficulty);
    else
        kl_json_put_null(out);
    kl_json_add_quantity(out, "gasUsed", result->gas_used);
    put_fees(out, &in->env, result);
    put_requests(out, &in->env, result);
    kl_json_put_object_end(out);
}

static void write_body(kl_out *out, const kl_t8n_result *result)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    for (usize i = 0; i < result->receipt_count; i++) {
        const kl_tx *tx = result->receipts[i].tx;
        if (tx->type == KL_TX_LEGACY)
            kl_out_span(out, tx->raw);
        else
            kl_rlp_put_bytes(out, tx->raw);
    }
    kl_rlp_put_end(out, list);
}

static kl_status put_body(struct kl_json_out *out, const kl_t8n_result *result,
                          struct kl_arena *arena)
{
    usize room = 16;
    for (usize i = 0; i < result->receipt_count; i++)
        room += result->receipts[i].tx->raw.len + 16;
    u8 *bytes = KL_TAKE(arena, u8, room);
    if (!bytes)
        return KL_NOMEM;
    kl_out rlp = kl_out_of(bytes, room);
    write_body(&rlp, result);
    KL_ASSERT(!rlp.full);
    kl_json_put_data(out, kl_out_done(&rlp));
    return KL_OK;
}

/* What is written. */
struct writing {
    const kl_t8n_outputs *outputs;
    const kl_t8n_input *in;
    const kl_t8n_result *result;
    struct kl_t8n_fault *fault;
    struct kl_arena arena;
};

typedef enum part { PART_ALLOC, PART_BODY, PART_RESULT, PARTS } part; /* by name */

static const char *const part_names[PARTS] = {"alloc", "body", "result"};

static const char *place_of(const struct writing *w, part which)
{
    const kl_t8n_outputs *o = w->outputs;
    return which == PART_ALLOC ? o->alloc : which == PART_BODY ? o->body : o->result;
}

static kl_status put_part(struct writing *w, struct kl_json_out *out, part which)
{
    switch (which) {
    case PART_ALLOC:
        return kl_world_dump(out, w->result->after, KL_DUMP_ALLOC, &w->arena);
    case PART_BODY:
        return put_body(out, w->result, &w->arena);
    case PART_RESULT:
        put_result(out, w->in, w->result);
        return KL_OK;
    case PARTS:
        break;
    }
    KL_UNREACHABLE();
}

/* Writes the JSON in compact, indented. */
static bool flush(struct writing *w, FILE *file, const char *path, const struct kl_buf *compact,
                  unsigned indent)
{
    struct kl_buf text;
    kl_buf_init(&text, OUTPUT_MAX);
    kl_json_indent(&text, kl_buf_view(compact), indent);
    bool good = !compact->failed && !text.failed;
    if (!good)
        good = kl_t8n_done(w->fault, KL_NOMEM, path);
    else if (fwrite(text.p, 1, text.len, file) != text.len || fflush(file) != 0)
        good = kl_t8n_blame(w->fault, KL_T8N_IO, "failed writing output: %s: %s", path,
                            strerror(errno));
    kl_buf_done(&text);
    return good;
}

static bool write_file(struct writing *w, part which)
{
    char path[4096];
    struct kl_buf compact;
    const char *dir = w->outputs->dir;
    int len = snprintf(path, sizeof path, "%s%s%s", dir, *dir ? "/" : "", place_of(w, which));
    if (len < 0 || (usize)len >= sizeof path)
        return kl_t8n_blame(w->fault, KL_T8N_IO, "failed writing output: the name is too long");
    kl_buf_init(&compact, OUTPUT_MAX);
    struct kl_json_out out = kl_json_out_to(&compact);
    bool good = kl_t8n_done(w->fault, put_part(w, &out, which), part_names[which]);
    FILE *file = good ? fopen(path, "wb") : NULL;
    if (good && !file)
        good = kl_t8n_blame(w->fault, KL_T8N_IO, "failed writing output: %s: %s", path,
                            strerror(errno));
    if (file) {
        good = flush(w, file, path, &compact, 1);
        if (fclose(file) != 0 && good)
            good = kl_t8n_blame(w->fault, KL_T8N_IO, "failed writing output: %s: %s", path,
                                strerror(errno));
    }
    kl_buf_done(&compact);
    return good;
}

/* One object of all parts that go to the stream called name. */
static bool write_stream(struct writing *w, FILE *stream, const char *name)
{
    struct kl_buf compact;
    usize count = 0;
    bool good = true;
    kl_buf_init(&compact, OUTPUT_MAX);
    struct kl_json_out out = kl_json_out_to(&compact);
    kl_json_put_object(&out);
    for (part which = 0; which < PARTS && good; which++) {
        if (strcmp(place_of(w, which), name) != 0)
            continue;
        count++;
        kl_json_put_key(&out, part_names[which]);
        good = kl_t8n_done(w->fault, put_part(w, &out, which), part_names[which]);
    }
    if (good && count > 0) {
        kl_json_put_object_end(&out);
        good = flush(w, stream, name, &compact, 2);
        fputc('\n', stream);
    }
    kl_buf_done(&compact);
    return good;
}

static bool is_stream(const char *name)
{
    return strcmp(name, "stdout") == 0 || strcmp(name, "stderr") == 0;
}

bool kl_t8n_write(const kl_t8n_outputs *outputs, const kl_t8n_input *input,
                  const kl_t8n_result *result, struct kl_t8n_fault *fault)
{
    struct writing w = {.outputs = outputs, .in = input, .result = result, .fault = fault};
    bool good = true;
    kl_arena_init(&w.arena, OUTPUT_MAX);
    for (part which = 0; which < PARTS && good; which++)
        if (*place_of(&w, which) && !is_stream(place_of(&w, which)))
            good = write_file(&w, which);
    good = good && write_stream(&w, stdout, "stdout") && write_stream(&w, stderr, "stderr");
    kl_arena_done(&w.arena);
    return good;
}
