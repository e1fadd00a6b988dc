/* The log follows the chain by block numbers and reads every block it tells of from the ledger:
 * nobody who makes blocks waits for it, it may fall behind, and it leaves nothing out.  What is
 * written is handed over in pieces that a pipe takes without waiting, so that a reader who has
 * stopped reading keeps nobody from stopping the node. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "chain/reader.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/address.h"
#include "evm/evm.h"
#include "node/drops.h"
#include "node/node_priv.h"
#include "node/refusals.h"
#include "rpc/revert.h"
#include "sys/env.h"

enum {
    PIECE = 4096, /* a pipe that is ready takes so much at once (PIPE_BUF) */
    LOOK_MS = 100,
    BLOCK_MEMORY = 256 << 20,
    MEMORY_KEPT = 1 << 20,
    TEXT_ENOUGH = 1 << 16,
    REASONS = 64,
    REASON_MAX = 300,
    ALARMS_MAX = 8, /* untold ones; of more the oldest are told */
    LINES_MAX = 1600,
};

/* Why a transaction failed: nothing on disk says. */
struct reason {
    kl_hash hash;
    char text[REASON_MAX];
};

struct kl_node_log {
    struct kl_node *node;
    int fd;
    bool json;
    bool gone; /* nobody will ever read it */
    u64 told;  /* the newest block that was told of */
    struct kl_arena arena;
    struct kl_buf text;
    kl_mutex lock; /* over what follows */
    u64 reverted_to;
    const char *alarms[ALARMS_MAX];
    usize alarm_count;
    kl_drops drops;
    kl_refusals refusals;
    char lines[LINES_MAX]; /* untold lines, of many the newest */
    u64 reasons;           /* so far; the last REASONS of them are kept */
    struct reason reason[REASONS];
};

kl_status kl_node_log_new(struct kl_node_log **out, struct kl_node *node)
{
    struct kl_node_log *log = calloc(1, sizeof *log);
    if (!log)
        return KL_NOMEM;
    struct kl_tip *tip = kl_chain_published(kl_node_chain(node));
    log->node = node;
    log->fd = node->config.log_fd;
    log->json = node->config.log_json;
    log->told = tip->header.number;
    log->reverted_to = UINT64_MAX;
    kl_tip_unref(tip);
    kl_mutex_init(&log->lock);
    kl_arena_init(&log->arena, BLOCK_MEMORY);
    kl_buf_init(&log->text, BLOCK_MEMORY);
    *out = log;
    return KL_OK;
}

void kl_node_log_free(struct kl_node_log *log)
{
    if (!log)
        return;
    kl_buf_done(&log->text);
    kl_arena_done(&log->arena);
    kl_mutex_done(&log->lock);
    free(log);
}

void kl_node_log_step(struct kl_node_log *log, const struct kl_tip *tip)
{
    if (tip->step == KL_STEP_REVERT) {
        kl_lock(&log->lock);
        log->reverted_to = KL_MIN(log->reverted_to, tip->header.number);
        kl_unlock(&log->lock);
    }
    kl_bell_ring(&log->node->bell);
}

void kl_node_log_alarm(struct kl_node_log *log, const char *what)
{
    kl_lock(&log->lock);
    if (log->alarm_count < ALARMS_MAX)
        log->alarms[log->alarm_count++] = what;
    kl_unlock(&log->lock);
    kl_bell_ring(&log->node->bell);
}

void kl_node_log_dropped(struct kl_node_log *log, const kl_net_dropped *dropped)
{
    kl_lock(&log->lock);
    bool told = kl_drops_add(&log->drops, dropped);
    kl_unlock(&log->lock);
    if (told)
        kl_bell_ring(&log->node->bell);
}

void kl_node_log_refused(struct kl_node_log *log, const kl_replica_refusal *refusal)
{
    kl_lock(&log->lock);
    bool told = kl_refusals_add(&log->refusals, refusal, kl_mono_ns(kl_sys_clock()));
    kl_unlock(&log->lock);
    if (told)
        kl_bell_ring(&log->node->bell);
}

void kl_node_log_line(struct kl_node_log *log, const char *line)
{
    kl_lock(&log->lock);
    usize len = strlen(log->lines);
    if (len + strlen(line) + 2 > sizeof log->lines)
        len = 0;
    snprintf(log->lines + len, sizeof log->lines - len, "%s\n", line);
    kl_unlock(&log->lock);
    kl_bell_ring(&log->node->bell);
}

void kl_node_log_executed(struct kl_node_log *log, const kl_tx *tx, const kl_tx_result *result)
{
    char reason[200] = "";
    if (result->halt == KL_HALT_NONE)
        return;
    bool told =
        result->halt == KL_HALT_REVERT && kl_revert_reason(reason, sizeof reason, result->output);
    kl_lock(&log->lock);
    struct reason *r = &log->reason[log->reasons++ % REASONS];
    r->hash = tx->hash;
    snprintf(r->text, sizeof r->text, "%s%s%s", kl_halt_text(result->halt), told ? ": " : "",
             reason);
    for (char *c = r->text; *c; c++) /* contracts choose the words, not the lines */
        if ((u8)*c < ' ' || *c == 0x7f)
            *c = ' ';
    kl_unlock(&log->lock);
}

/* The newest reason that is known, or what every failure has in common. */
static void find_reason(struct kl_node_log *log, char out[REASON_MAX], const kl_hash *hash)
{
    snprintf(out, REASON_MAX, "failed");
    kl_lock(&log->lock);
    for (u64 i = log->reasons; i > 0 && i + REASONS > log->reasons; i--) {
        const struct reason *r = &log->reason[(i - 1) % REASONS];
        if (kl_hash_eq(&r->hash, hash)) {
            snprintf(out, REASON_MAX, "%s", r->text);
            break;
        }
    }
    kl_unlock(&log->lock);
}

/* Writes what has been put together.  False when nobody reads and the node is to stop, or nobody is
 * there. */
static bool hand_over(struct kl_node_log *log)
{
    kl_span text = kl_buf_view(&log->text);
    while (text.len && !log->gone) {
        struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
        int n = poll(&ready, 1, LOOK_MS);
        if (n <= 0) {
            if (atomic_load(&log->node->bell.stop))
                return false;
            continue;
        }
        ssize_t put = write(log->fd, text.p, KL_MIN(text.len, (usize)PIECE));
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            log->gone = true;
        if (put > 0)
            text = kl_span_sub(text, (usize)put, text.len);
    }
    kl_buf_clear(&log->text);
    return !log->gone;
}

static void put_hex(struct kl_buf *out, kl_span bytes)
{
    char digits[64];
    KL_ASSERT(bytes.len <= 32);
    kl_hex_digits(digits, bytes);
    kl_buf_str(out, "0x");
    kl_buf_bytes(out, digits, 2 * bytes.len);
}

/* What there is to tell of a transaction. */
struct told_tx {
    const kl_tx *tx;
    u64 gas_used;
    bool good, created;
    kl_address contract;
    char reason[REASON_MAX];
};

static struct told_tx tell_of(struct kl_node_log *log, const kl_stored_block *block, usize index)
{
    const kl_receipt *r = &block->receipts[index];
    struct told_tx told = {
        .tx = &block->block.txs[index],
        .gas_used = r->gas_used,
        .good = r->has_state_root || r->success,
    };
    told.created = !told.tx->has_to && told.good;
    if (!told.good)
        find_reason(log, told.reason, &told.tx->hash);
    if (told.created)
        told.contract = kl_address_of_create(&told.tx->sender, told.tx->nonce);
    return told;
}

static void text_tx(struct kl_node_log *log, const struct told_tx *t)
{
    char address[43];
    kl_buf_print(&log->text, "    Transaction: ");
    put_hex(&log->text, kl_hash_span(&t->tx->hash));
    if (t->created) {
        kl_address_text(address, &t->contract);
        kl_buf_print(&log->text, "\n    Contract created: %s", address);
    }
    kl_buf_print(&log->text, "\n    Gas used: %llu\n", (unsigned long long)t->gas_used);
    if (!t->good) {
        kl_buf_str(&log->text, "    Error: ");
        kl_buf_str(&log->text, t->reason);
        kl_buf_str(&log->text, "\n");
    }
    kl_buf_str(&log->text, "\n");
}

static void text_block(struct kl_node_log *log, const kl_header *h, const kl_hash *hash)
{
    char when[64] = "";
    struct tm tm;
    time_t seconds = (time_t)h->timestamp;
    if (gmtime_r(&seconds, &tm))
        (void)strftime(when, sizeof when, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    kl_buf_print(&log->text,
                 "    Block Number: %llu\n    Block Hash: ", (unsigned long long)h->number);
    put_hex(&log->text, kl_hash_span(hash));
    kl_buf_print(&log->text, "\n    Block Time: \"%s\"\n\n", when);
}

static void json_tx(struct kl_node_log *log, const struct told_tx *t, u64 number)
{
    struct kl_json_out out = kl_json_out_to(&log->text);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "event", "transaction");
    kl_json_add_hash(&out, "hash", &t->tx->hash);
    kl_json_add_number(&out, "block", number);
    kl_json_add_number(&out, "gasUsed", t->gas_used);
    kl_json_add_bool(&out, "success", t->good);
    if (t->created) {
        kl_json_add_address(&out, "contract", &t->contract);
    }
    if (!t->good) {
        kl_json_add_text(&out, "error", t->reason);
    }
    kl_json_put_object_end(&out);
    kl_buf_str(&log->text, "\n");
}

static void json_block(struct kl_node_log *log, const kl_header *h, const kl_hash *hash,
                       usize tx_count)
{
    struct kl_json_out out = kl_json_out_to(&log->text);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "event", "block");
    kl_json_add_number(&out, "number", h->number);
    kl_json_add_hash(&out, "hash", hash);
    kl_json_add_number(&out, "timestamp", h->timestamp);
    kl_json_add_number(&out, "gasUsed", h->gas_used);
    kl_json_add_number(&out, "transactions", tx_count);
    kl_json_put_object_end(&out);
    kl_buf_print(&log->text, "\n");
}

static kl_status write_block(struct kl_node_log *log, struct kl_reader *reader, u64 number)
{
    kl_stored_block block;
    kl_hash hash;
    kl_arena_reset(&log->arena, MEMORY_KEPT);
    KL_TRY(kl_reader_block(reader, number, &log->arena, &block));
    KL_TRY(kl_reader_hash_of(reader, number, &hash));
    for (usize i = 0; i < block.block.tx_count; i++) {
        struct told_tx told = tell_of(log, &block, i);
        if (log->json)
            json_tx(log, &told, number);
        else
            text_tx(log, &told);
    }
    if (log->json)
        json_block(log, &block.block.header, &hash, block.block.tx_count);
    else
        text_block(log, &block.block.header, &hash);
    return KL_OK;
}

static void write_revert(struct kl_node_log *log)
{
    kl_lock(&log->lock);
    u64 to = log->reverted_to;
    log->reverted_to = UINT64_MAX;
    kl_unlock(&log->lock);
    if (to >= log->told)
        return;
    log->told = to;
    if (log->json)
        kl_buf_print(&log->text, "{\"event\":\"revert\",\"number\":%llu}\n",
                     (unsigned long long)to);
    else
        kl_buf_print(&log->text, "    Reverted to block %llu\n\n", (unsigned long long)to);
}

static void write_alarms(struct kl_node_log *log)
{
    const char *alarms[ALARMS_MAX];
    kl_lock(&log->lock);
    usize count = log->alarm_count;
    memcpy(alarms, log->alarms, count * sizeof *alarms);
    log->alarm_count = 0;
    kl_unlock(&log->lock);
    for (usize i = 0; i < count; i++)
        if (log->json)
            kl_buf_print(&log->text, "{\"event\":\"alarm\",\"text\":\"%s\"}\n", alarms[i]);
        else
            kl_buf_print(&log->text, "    Alarm: %s\n\n", alarms[i]);
}

static void write_drops(struct kl_node_log *log)
{
    kl_lock(&log->lock);
    kl_drops_print(&log->drops, &log->text, log->json, kl_mono_ns(kl_sys_clock()));
    kl_refusals_print(&log->refusals, &log->text, log->json);
    kl_unlock(&log->lock);
}

static void write_line(struct kl_node_log *log, const char *line)
{
    if (!log->json) {
        kl_buf_print(&log->text, "    %s\n\n", line);
        return;
    }
    struct kl_json_out out = kl_json_out_to(&log->text);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "event", "stall");
    kl_json_add_text(&out, "text", line);
    kl_json_put_object_end(&out);
    kl_buf_str(&log->text, "\n");
}

static void write_lines(struct kl_node_log *log)
{
    char lines[LINES_MAX];
    kl_lock(&log->lock);
    memcpy(lines, log->lines, sizeof lines);
    log->lines[0] = '\0';
    kl_unlock(&log->lock);
    for (char *line = lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        write_line(log, line);
    }
}

/* Puts the next blocks together, as many as make a good piece; false when there are none.  Nothing
 * of the chain is held while the text is handed over. */
static bool put_together(struct kl_node_log *log)
{
    struct kl_reader *reader;
    write_revert(log);
    write_alarms(log);
    write_drops(log);
    write_lines(log);
    if (kl_reader_open(kl_node_chain(log->node), &reader) != KL_OK)
        return false; /* the next step rings again */
    u64 head = kl_reader_tip(reader)->header.number;
    for (; log->told < head && log->text.len < TEXT_ENOUGH; log->told++)
        if (write_block(log, reader, log->told + 1) != KL_OK)
            kl_buf_print(&log->text, "    Block %llu cannot be read\n\n",
                         (unsigned long long)log->told + 1);
    kl_reader_close(reader);
    return log->text.len > 0;
}

void kl_node_log_write(struct kl_node_log *log)
{
    while (put_together(log) && hand_over(log))
        ;
}
