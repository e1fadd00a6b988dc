/* Values and records as they lie on disk: the first byte chooses the decoder.  What is accepted
 * must encode to the same bytes. */
#include "base/buf.h"
#include "base/fuzz.h"
#include "state/format_priv.h"
#include "state/history_record_priv.h"

static void account(kl_span value)
{
    kl_account a;
    u8 room[KL_ACCOUNT_VALUE_MAX];
    if (kl_account_unpack(&a, value) == KL_OK)
        KL_ASSERT(kl_span_eq(kl_account_pack(room, &a), value));
}

static void slot(kl_span value)
{
    kl_u256 v;
    u8 room[32];
    if (kl_slot_unpack(&v, value) == KL_OK)
        KL_ASSERT(kl_span_eq(kl_slot_pack(room, &v), value));
}

static void part(kl_span payload)
{
    kl_history_part p;
    if (kl_history_part_read(&p, payload) != KL_OK)
        return;
    struct kl_buf again;
    kl_buf_init(&again, payload.len);
    kl_history_part_begin(&again, p.version, p.part);
    kl_old old;
    kl_status status;
    while ((status = kl_history_part_next(&p.entries, &old)) == KL_OK)
        kl_history_part_add(&again, &old);
    kl_history_part_end(&again, p.last);
    KL_ASSERT(status != KL_NOTFOUND || kl_span_eq(kl_buf_view(&again), payload));
    kl_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const u8 *data, usize size)
{
    if (size == 0)
        return 0;
    kl_span rest = kl_span_of(data + 1, size - 1);
    if (data[0] % 3 == 0)
        account(rest);
    else if (data[0] % 3 == 1)
        slot(rest);
    else
        part(rest);
    return 0;
}
