#include "host/tx_journal.h"

#include <stdlib.h>

#include "base/buf.h"
#include "crypto/digest.h"

#define TMP "transactions.tmp"

enum {
    MAGIC_LEN = 8, /* text and, last, the format's number */
    HEAD_LEN = 8,  /* length, checksum */
};
static const u8 magic[MAGIC_LEN] = {'k', 'e', 'e', 'l', ' ', 't', 'x', 1};

struct kl_tx_journal {
    struct kl_fs *fs;
    struct kl_file *file;
    u64 bytes; /* what the next write goes behind */
    kl_status status;
};

u64 kl_tx_journal_bytes(const struct kl_tx_journal *journal)
{
    return journal->bytes;
}

u64 kl_tx_journal_bytes_of(usize envelope_len)
{
    return HEAD_LEN + (u64)envelope_len;
}

/* The checksum is over the length too: a length that is damaged leads nowhere. */
static u32 sum_of(const u8 length[4], kl_span envelope)
{
    return kl_crc32c(kl_crc32c(0, kl_span_of(length, 4)), envelope);
}

static void put_all(struct kl_buf *out, const kl_span *envelopes, usize count)
{
    for (usize i = 0; i < count; i++) {
        u8 head[HEAD_LEN];
        kl_store_be32(head, (u32)envelopes[i].len);
        kl_store_be32(head + 4, sum_of(head, envelopes[i]));
        kl_buf_span(out, KL_SPAN_OF(head));
        kl_buf_span(out, envelopes[i]);
    }
}

/* --- opening --- */

/* The record at the beginning of bytes; false when there is none. */
static bool take(kl_span *bytes, kl_span *envelope)
{
    if (bytes->len < HEAD_LEN)
        return false;
    u32 len = kl_load_be32(bytes->p);
    if (len == 0 || len > KL_TX_JOURNAL_ONE_MAX || len > bytes->len - HEAD_LEN)
        return false;
    *envelope = kl_span_of(bytes->p + HEAD_LEN, len);
    if (kl_load_be32(bytes->p + 4) != sum_of(bytes->p, *envelope))
        return false;
    *bytes = kl_span_sub(*bytes, HEAD_LEN + len, bytes->len - HEAD_LEN - len);
    return true;
}

static kl_status read_all(struct kl_tx_journal *j, u8 *room, usize len,
                          void (*each)(void *ctx, kl_span envelope), void *ctx)
{
    kl_span envelope;
    KL_TRY(kl_file_read(j->file, room, len, 0));
    if (len < MAGIC_LEN || memcmp(room, magic, MAGIC_LEN - 1) != 0)
        return KL_OK; /* it was never written whole */
    if (room[MAGIC_LEN - 1] != magic[MAGIC_LEN - 1])
        return KL_UNSUPPORTED;
    kl_span rest = kl_span_of(room + MAGIC_LEN, len - MAGIC_LEN);
    while (take(&rest, &envelope))
        each(ctx, envelope);
    j->bytes = len - rest.len;
    return KL_OK;
}

static kl_status open_file(struct kl_tx_journal *j, void (*each)(void *ctx, kl_span envelope),
                           void *ctx, bool *whole)
{
    u64 size = 0;
    kl_status status = kl_fs_open(j->fs, &j->file, KL_TX_JOURNAL, KL_OPEN_WRITE);
    if (status == KL_NOTFOUND)
        return KL_OK;
    KL_TRY(status);
    KL_TRY(kl_file_size(j->file, &size));
    usize len = (usize)KL_MIN(size, (u64)KL_TX_JOURNAL_READ_MAX);
    u8 *room = malloc(len + 1);
    if (!room)
        return KL_NOMEM;
    status = read_all(j, room, len, each, ctx);
    free(room);
    *whole = status == KL_OK && j->bytes == size && size > 0;
    return status;
}

kl_status kl_tx_journal_open(struct kl_tx_journal **out, struct kl_fs *fs,
                             void (*each)(void *ctx, kl_span envelope), void *ctx, bool *whole)
{
    struct kl_tx_journal *j = calloc(1, sizeof *j);
    bool is_whole = false;
    if (!j)
        return KL_NOMEM;
    j->fs = fs;
    kl_status status = open_file(j, each, ctx, &is_whole);
    if (status != KL_OK) {
        kl_tx_journal_close(j);
        return status;
    }
    if (!is_whole)
        j->status = KL_AGAIN; /* until it is renewed */
    *whole = is_whole;
    *out = j;
    return KL_OK;
}

void kl_tx_journal_close(struct kl_tx_journal *j)
{
    if (j)
        kl_file_close(j->file);
    free(j);
}

/* --- writing --- */

static kl_status add(struct kl_tx_journal *j, const kl_span *envelopes, usize count)
{
    struct kl_buf buf;
    kl_buf_init(&buf, SIZE_MAX);
    put_all(&buf, envelopes, count);
    kl_status status = buf.failed ? KL_NOMEM : kl_file_write(j->file, buf.p, buf.len, j->bytes);
    if (status == KL_OK)
        j->bytes += buf.len;
    kl_buf_done(&buf);
    return status;
}

kl_status kl_tx_journal_add(struct kl_tx_journal *j, const kl_span *envelopes, usize count)
{
    KL_TRY(j->status);
    if (count)
        j->status = add(j, envelopes, count);
    return j->status;
}

kl_status kl_tx_journal_sync(struct kl_tx_journal *j)
{
    return kl_file_sync(j->file);
}

static kl_status renew(struct kl_tx_journal *j, const struct kl_buf *buf)
{
    struct kl_file *file;
    KL_TRY(kl_fs_replace(j->fs, KL_TX_JOURNAL, TMP, kl_buf_view(buf)));
    KL_TRY(kl_fs_open(j->fs, &file, KL_TX_JOURNAL, KL_OPEN_WRITE));
    kl_file_close(j->file);
    j->file = file;
    j->bytes = buf->len;
    return KL_OK;
}

kl_status kl_tx_journal_renew(struct kl_tx_journal *j, const kl_span *envelopes, usize count)
{
    struct kl_buf buf;
    if (j->status != KL_AGAIN)
        KL_TRY(j->status);
    kl_buf_init(&buf, SIZE_MAX);
    kl_buf_span(&buf, KL_SPAN_OF(magic));
    put_all(&buf, envelopes, count);
    j->status = buf.failed ? KL_NOMEM : renew(j, &buf);
    kl_buf_done(&buf);
    return j->status;
}
