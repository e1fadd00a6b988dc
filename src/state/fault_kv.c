#include "state/fault_kv.h"

#include "base/test.h"

static struct fault_kv *of(struct kl_kv *kv)
{
    return (struct fault_kv *)kv;
}

/* Snapshots belong to the store below and bypass this one. */
static kl_status begin_read(struct kl_kv *kv, struct kl_kv_read **out)
{
    return kl_kv_begin_read(of(kv)->inner, out);
}

static kl_status begin_write(struct kl_kv *kv, struct kl_kv_write **out)
{
    KL_TRY(kl_kv_begin_write(of(kv)->inner, out));
    (*out)->kv = kv;
    return KL_OK;
}

static kl_status reserve(struct kl_kv_write *write, kl_table table, kl_span key, usize value_len,
                         u8 **room)
{
    struct fault_kv *f = of(write->kv);
    if (f->fault == FAULT_PUT) {
        f->fault = FAULT_NONE;
        return KL_FULL;
    }
    write->kv = f->inner;
    kl_status status = f->inner->ops->reserve(write, table, key, value_len, room);
    write->kv = &f->kv;
    return status;
}

static kl_status del(struct kl_kv_write *write, kl_table table, kl_span key)
{
    struct fault_kv *f = of(write->kv);
    write->kv = f->inner;
    kl_status status = f->inner->ops->del(write, table, key);
    write->kv = &f->kv;
    return status;
}

static kl_status commit(struct kl_kv_write *write)
{
    struct fault_kv *f = of(write->kv);
    enum fault fault = f->fault;
    f->fault = FAULT_NONE;
    write->kv = f->inner;
    if (fault == FAULT_BEFORE) {
        kl_kv_abort(write);
        return KL_IO;
    }
    if (f->inside)
        f->inside(f->ctx);
    KL_TRY(kl_kv_commit(write));
    if (f->inside)
        f->inside(f->ctx);
    return fault == FAULT_AFTER ? KL_IO : KL_OK;
}

static void abort_write(struct kl_kv_write *write)
{
    struct kl_kv *inner = of(write->kv)->inner;
    write->kv = inner;
    kl_kv_abort(write);
}

void fault_kv_init(struct fault_kv *f, struct kl_kv *inner)
{
    static const struct kl_kv_ops ops = {
        .begin_read = begin_read,
        .begin_write = begin_write,
        .reserve = reserve,
        .del = del,
        .commit = commit,
        .abort = abort_write,
    };
    *f = (struct fault_kv){.kv.ops = &ops, .inner = inner};
}

struct kl_kv *kv_copy(struct kl_kv *from, usize table_count)
{
    struct kl_kv *copy;
    struct kl_kv_read *read;
    struct kl_kv_write *write;
    CHECK_OK(kl_memkv_open(&copy, table_count));
    CHECK_OK(kl_kv_begin_read(from, &read));
    CHECK_OK(kl_kv_begin_write(copy, &write));
    for (kl_table table = 0; table < table_count; table++) {
        struct kl_kv_cursor *cursor;
        kl_span key, value;
        CHECK_OK(kl_kv_cursor_open(read, table, &cursor));
        kl_status status = kl_kv_cursor_seek(cursor, KL_SPAN_NONE, &key, &value);
        for (; status == KL_OK; status = kl_kv_cursor_next(cursor, &key, &value))
            CHECK_OK(kl_kv_put(write, table, key, value));
        CHECK(status == KL_NOTFOUND);
        kl_kv_cursor_close(cursor);
    }
    kl_kv_end_read(read);
    CHECK_OK(kl_kv_commit(write));
    return copy;
}
