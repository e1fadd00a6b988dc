/* Many messages at once.  Every lane of a unit works on a message of its own and takes the next one
 * as soon as it has finished, so messages of any lengths fill the lanes evenly.  When only one
 * message is left, it is finished one block at a time: a whole unit would take longer. */
#include "crypto/keccak_priv.h"

struct batch {
    _Alignas(64) u64 state[25 * KECCAK_LANES_MAX];
    u8 tail[KECCAK_LANES_MAX][KECCAK_RATE]; /* a message's last block, padded */
    kl_span left[KECCAK_LANES_MAX];         /* what a lane's message still has to give */
    usize owner[KECCAK_LANES_MAX];          /* which message that is */
    usize lanes;
    unsigned busy, fresh, last; /* bit l: has a message; is to be cleared; ends with this step */
};

static void assign(struct batch *b, const kl_span *in, usize count, usize *next)
{
    for (usize l = 0; l < b->lanes && *next < count; l++) {
        unsigned bit = 1u << l;
        if (b->busy & bit)
            continue;
        b->left[l] = in[*next];
        b->owner[l] = (*next)++;
        b->busy |= bit;
        b->fresh |= bit;
    }
}

/* The next block of lane l's message. */
static const u8 *next_block(struct batch *b, usize l)
{
    kl_span *left = &b->left[l];
    if (left->len >= KECCAK_RATE) {
        const u8 *block = left->p;
        *left = kl_span_of(left->p + KECCAK_RATE, left->len - KECCAK_RATE);
        return block;
    }
    kl_keccak_pad(b->tail[l], *left);
    b->last |= 1u << l;
    return b->tail[l];
}

/* Finishes the message of the only busy lane. */
static kl_hash finish_alone(const struct batch *b)
{
    usize l = (usize)__builtin_ctz(b->busy);
    kl_keccak k;
    kl_keccak_init(&k);
    if (!(b->fresh >> l & 1))
        for (usize w = 0; w < 25; w++)
            k.state[w] = b->state[w * b->lanes + l];
    kl_keccak_add(&k, b->left[l]);
    return kl_keccak_done(&k);
}

void kl_keccak_batch_on(const kl_keccak_unit *unit, kl_hash *out, const kl_span *in, usize count)
{
    struct batch b;
    b.lanes = unit->lanes;
    b.busy = 0;
    b.fresh = 0;
    KL_ASSERT(b.lanes <= KECCAK_LANES_MAX);
    usize next = 0;
    for (;;) {
        assign(&b, in, count, &next);
        if ((b.busy & (b.busy - 1)) == 0)
            break;
        const u8 *block[KECCAK_LANES_MAX];
        b.last = 0;
        for (usize l = 0; l < b.lanes; l++)
            block[l] = b.busy >> l & 1 ? next_block(&b, l) : b.tail[0];
        unit->step(b.state, block, b.fresh);
        b.fresh = 0;
        for (unsigned done = b.last; done; done &= done - 1) {
            usize l = (usize)__builtin_ctz(done);
            for (usize w = 0; w < 4; w++)
                kl_store_le64(out[b.owner[l]].b + 8 * w, b.state[w * b.lanes + l]);
        }
        b.busy &= ~b.last;
    }
    if (b.busy)
        out[b.owner[__builtin_ctz(b.busy)]] = finish_alone(&b);
}

void kl_keccak256_batch(kl_hash *out, const kl_span *in, usize count)
{
    const kl_keccak_unit *unit[4];
    usize units = count > 1 ? kl_keccak_units(unit, KL_COUNT_OF(unit)) : 0;
    if (units == 0) {
        for (usize i = 0; i < count; i++)
            out[i] = kl_keccak256(in[i]);
        return;
    }
    bool few = units > 1 && count <= unit[1]->lanes;
    kl_keccak_batch_on(unit[few], out, in, count);
}

const char *kl_keccak_lanes(void)
{
    const kl_keccak_unit *unit[4];
    return kl_keccak_units(unit, KL_COUNT_OF(unit)) ? unit[0]->name : "portable";
}
